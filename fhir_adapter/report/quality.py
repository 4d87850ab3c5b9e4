"""How good the data are: what could not be used, what is not known to the study, what could not be decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from fhir_adapter.analysis import wording
from fhir_adapter.analysis.disclosure import is_small
from fhir_adapter.cohort.tallies import NotUsed, Seen
from fhir_adapter.report.inputs import Material
from fhir_adapter.report.table import DASH, Table

MOST_CODES = 20
QUARANTINED = "quarantined: "
_LONGEST_TEXT = 80
_RULES = {
    "aa_ipi": "Age-adjusted IPI",
    "age": "Age",
    "assessable": "Assessable at the data cut",
    "bulky": "Bulky disease",
    "diagnosis": "Disease of the study",
    "exposure": "Bispecific antibody",
    "extranodal_sites": "Extranodal sites",
    "failure": "Failure of the antibody",
    "index": "Infusion and apheresis",
    "ipi": "IPI",
    "lines": "Prior lines of therapy",
    "nccn_ipi": "NCCN-IPI",
    "r_ipi": "R-IPI",
    "response": "Best response",
    "washout": "Washout",
}


def unknown_codes(material: Material) -> Table:
    """The codes and texts that the study does not know, those of most people of the cohort first.

    The note counts those that are not shown; where small numbers are withheld, those of few people are not.
    """
    unknown, least = material.tallies.unknown, material.study.parameters.min_cell
    ranked = sorted(unknown, key=lambda code: (-unknown[code].of_cohort, -unknown[code].records, code))
    shown = [code for code in ranked if not is_small(unknown[code].people, least)][:MOST_CODES]
    rows = tuple(
        (
            " ".join(part for part in (_cut(text), f"({_cut(code)})" if code else "") if part),
            table.replace("-", " "),
            str(seen.records),
            str(seen.people),
            _people(seen.of_cohort, least),
        )
        for table, system, code, text in shown
        for seen in (unknown[table, system, code, text],)
    )
    left = len(unknown) - len(rows)
    note = f"Not shown: {left} more; cohort/unmapped.csv has all of them." if left else ""
    return Table(("Code or text", "Read as", "Records", "People", "Of the cohort"), rows, note)


def undetermined(material: Material) -> Table:
    """Verdicts that the records leave open, by rule and reason, of the cohort and of people outside it."""
    inside, outside = material.tallies.open_inside, material.tallies.open_outside
    least = material.study.parameters.min_cell
    rows = tuple(
        (_rule(rule, material), reason, _people(inside[rule, reason], least), _people(outside[rule, reason], least))
        for rule, reason in sorted({*inside, *outside}, key=lambda key: (-inside[key], key))
    )
    return Table(("Question", "Why it is open", "In the cohort", "Outside"), rows)


def contradictions(material: Material) -> Table:
    """Records that cannot both be true, by reason and endpoint."""
    least = material.study.parameters.min_cell
    found = sorted((*key, number) for key, number in material.tallies.contradictions.items())
    rows = tuple((reason.replace("_", " "), endpoint, _people(number, least)) for reason, endpoint, number in found)
    return Table(("Contradiction", "Endpoint that is left", "People"), rows)


def set_aside(not_used: Mapping[NotUsed, Seen]) -> Table:
    """Resources that gave nothing, by reason."""
    found: dict[str, Counter[str]] = {}
    for (reason, type), seen in not_used.items():
        found.setdefault(reason, Counter())[type] += seen.records
    rows = tuple(
        (
            reason.removeprefix(QUARANTINED).replace("-", " "),
            "in quarantine" if reason.startswith(QUARANTINED) else "not used",
            str(types.total()),
            ", ".join(f"{name} {number}" for name, number in sorted(types.items())),
        )
        for reason, types in sorted(found.items(), key=lambda item: (-item[1].total(), item[0]))
    )
    return Table(("Reason", "", "Resources", "Of which type"), rows)


def _rule(rule: str, material: Material) -> str:
    return _RULES.get(rule) or material.study.display(rule.removeprefix("toxicity.")).replace("_", " ")


def _people(number: int, least: int) -> str:
    if not number:
        return DASH
    return wording.WITHHELD if is_small(number, least) else str(number)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
