"""How good the data are: what could not be used, what is not known to the study, what could not be decided."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from fhir_adapter.analysis import wording
from fhir_adapter.analysis.disclosure import is_small
from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.report.inputs import Material, NotUsed, UnknownCode
from fhir_adapter.report.table import DASH, Table

MOST_CODES = 20
QUARANTINED = "quarantined: "
_LONGEST_TEXT = 80
_UNDETERMINED = "undetermined"
# Days and numbers of one person: without them the same reason is said of everybody alike.
_OWN = re.compile(r"\d{4}-\d\d(?:-\d\d)?|\b\d+(?:\.\d+)?\b|\b[A-Z][A-Za-z]+/\S+")
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
    cohort = {one.subject.subject_id for one in material.people}
    records = Counter((one.table, one.system, one.code, one.text) for one in material.unmapped)
    people = people_of(material.unmapped)
    least = material.study.parameters.min_cell
    ranked = sorted(records, key=lambda key: (-len(people[key] & cohort), -records[key], key))
    shown = [key for key in ranked if not is_small(len(people[key]), least)][:MOST_CODES]
    rows = tuple(
        (
            " ".join(part for part in (_cut(text), f"({_cut(code)})" if code else "") if part),
            table.replace("-", " "),
            str(records[table, system, code, text]),
            str(len(people[table, system, code, text])),
            _people(len(people[table, system, code, text] & cohort), least),
        )
        for table, system, code, text in shown
    )
    left = len(records) - len(rows)
    note = f"Not shown: {left} more; cohort/unmapped.csv has all of them." if left else ""
    return Table(("Code or text", "Read as", "Records", "People", "Of the cohort"), rows, note)


def people_of(unmapped: Iterable[UnknownCode]) -> dict[tuple[str, str, str, str], set[str]]:
    """Who has records with a code or text that the study does not know."""
    found: dict[tuple[str, str, str, str], set[str]] = {}
    for one in unmapped:
        found.setdefault((one.table, one.system, one.code, one.text), set()).add(one.person)
    return found


def undetermined(material: Material) -> Table:
    """Verdicts that the records leave open, by rule and reason, of the cohort and of people outside it."""
    inside = _open(finding for one in material.people for finding in one.findings())
    outside = _open(finding for one in material.others for finding in one.findings)
    least = material.study.parameters.min_cell
    rows = tuple(
        (_rule(rule, material), reason, _people(inside[rule, reason], least), _people(outside[rule, reason], least))
        for rule, reason in sorted({*inside, *outside}, key=lambda key: (-inside[key], key))
    )
    return Table(("Question", "Why it is open", "In the cohort", "Outside"), rows)


def contradictions(material: Material) -> Table:
    """Records that cannot both be true, by reason and endpoint."""
    found = Counter((one.reason.replace("_", " "), one.endpoint) for one in material.contradictions)
    least = material.study.parameters.min_cell
    rows = tuple((reason, endpoint, _people(number, least)) for (reason, endpoint), number in sorted(found.items()))
    return Table(("Contradiction", "Endpoint that is left", "People"), rows)


def set_aside(not_used: Sequence[NotUsed]) -> Table:
    """Resources that gave nothing, by reason."""
    found: dict[str, Counter[str]] = {}
    for one in not_used:
        found.setdefault(one.reason, Counter())[one.type] += 1
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


def _open(findings: Iterable[AnyFinding]) -> Counter[tuple[str, str]]:
    return Counter((one.rule, _OWN.sub("…", one.sentence)) for one in findings if one.verdict == _UNDETERMINED)


def _rule(rule: str, material: Material) -> str:
    return _RULES.get(rule) or material.study.display(rule.removeprefix("toxicity.")).replace("_", " ")


def _people(number: int, least: int) -> str:
    if not number:
        return DASH
    return wording.WITHHELD if is_small(number, least) else str(number)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
