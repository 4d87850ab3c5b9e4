"""The tables of the report, as text ready to be shown. Every number comes from an estimate or a count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fhir_adapter.analysis import wording
from fhir_adapter.analysis.disclosure import hidden_cells, hidden_steps, is_small
from fhir_adapter.analysis.rounding import plain
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.cohort.study import Study
from fhir_adapter.report.inputs import LedgerRow

DASH = "–"
STEPS = {
    "person": "People in the records",
    "diagnosis": "with the disease of the study",
    "bsab": "who received a bispecific antibody",
    "car_t": "who were infused with CAR-T",
    "bsab_before_apheresis": "whose antibody came before the index apheresis",
    "failure": "whose antibody had failed",
    "assessable": "who were assessable at the data cut: the cohort",
}
REASONS = {
    "merged_into_another": "merged into another record",
    "patient_unusable": "Patient resource that cannot be used",
    "other_disease": "another disease",
    "no_diagnosis": "no diagnosis of the disease",
    "no_bsab": "no bispecific antibody",
    "no_infusion": "no CAR-T infusion",
    "collected_not_infused": "cells collected, not infused",
    "bsab_only_after_car_t": "antibody only after CAR-T",
    "no_bsab_before_apheresis": "no dose before the apheresis",
    "stopped_for_intolerance": "stopped for intolerance, without progression",
    "not_yet_assessable": "infused too shortly before the data cut",
    "not_the_disease_on_review": "not the disease, as decided on review",
    "excluded_on_review": "excluded on review",
}
_FAULT = "These numbers do not add up. This is a fault: please report it."
_PRODUCTS = ("baseline.bsab.", "baseline.bsab_agent.", "baseline.car_t.")
_LEDGER = ("received", "stored", "duplicate", "quarantined", "deleted")


@dataclass(frozen=True, slots=True)
class Table:
    """Column heads and rows of cells; the first cell of a row is its head. `note` stands below."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def attrition(flow: Sequence[FlowRow], study: Study) -> Table:
    """Who is left after each step, and why the others left; the note says whether it all adds up."""
    steps = list(dict.fromkeys(row.step for row in flow))
    least = study.parameters.min_cell
    told = _told_totals(flow, steps, least)
    rows, sound, before = [], True, None
    for place, step in enumerate(steps):
        here = [row for row in flow if row.step == step]
        came, gone = max(row.n_in for row in here), [row for row in here if row.n_out]
        left = min(row.n_left for row in here)
        sound = sound and came - sum(row.n_out for row in gone) == left and before in (None, came)
        few = hidden_cells([row.n_out for row in gone], least)
        reasons = "; ".join(
            f"{REASONS.get(row.reason) or _words(row.reason, study)}: {wording.WITHHELD if at in few else row.n_out}"
            for at, row in enumerate(gone)
        )
        rows.append(
            (
                STEPS.get(step, _words(step, study)),
                told[place] if least else str(came),
                reasons or DASH,
                told[place + 1],
            )
        )
        before = left
    note = "Every person is accounted for." if sound else _FAULT
    return Table(("Step", "Came", "Left, and why", "Remain"), tuple(rows), note if rows else "")


def _told_totals(flow: Sequence[FlowRow], steps: Sequence[str], least: int) -> list[str]:
    """How many came to the first step, and how many were left after each; withheld where few left."""
    if not steps:
        return []
    first = max(row.n_in for row in flow if row.step == steps[0])
    totals = [first, *(min(row.n_left for row in flow if row.step == step) for step in steps)]
    hidden = hidden_steps(totals, least)
    return [
        wording.WITHHELD if place in hidden or is_small(total, least) else str(total)
        for place, total in enumerate(totals)
    ]


def ledger(rows: Sequence[LedgerRow]) -> Table:
    """What each stream announced and what became of it, with the sum of all."""
    shown = [
        (row.stream, _count(row.announced), *(str(getattr(row, name)) for name in _LEDGER), _state(row)) for row in rows
    ]
    total = ("All", "", *(str(sum(getattr(row, name) for row in rows)) for name in _LEDGER), "")
    heads = ("Stream", "Announced", "Received", "Stored", "Duplicate", "Set aside", "Deleted", "Complete")
    sound = all(row.received == row.stored + row.duplicate + row.quarantined + row.deleted for row in rows)
    note = "In every line, received = stored + duplicate + set aside + deleted." if sound else _FAULT
    return Table(heads, (*shown, total) if rows else (), note)


def statistics(estimates: Iterable[Estimate], study: Study) -> Table:
    """One line per estimate: value, fraction, interval, range, and people whose value is not known."""
    digits = study.parameters.digits
    rows = tuple(
        (
            _named(estimate),
            wording.result(estimate, digits),
            wording.fraction(estimate) or _told(estimate, "n"),
            wording.interval(estimate, digits) or DASH,
            wording.span(estimate, digits) or DASH,
            _told(estimate, "missing"),
        )
        for estimate in estimates
    )
    return Table(("Statistic", "Value", "People", _interval(study), "Range", "Not known"), rows)


def baseline(estimates: Sequence[Estimate], study: Study) -> Table:
    """The baseline statistics; products that nobody received are left out, and the note says so."""
    given = [one for one in estimates if one.numerator != 0 or not one.id.startswith(_PRODUCTS)]
    known = "Shares are of people whose value is known; the others are counted under “not known”."
    note = f"{known} Products that nobody received are not shown." if len(given) < len(estimates) else known
    return replace(statistics(given, study), note=note)


def survival(estimates: Iterable[Estimate], study: Study) -> Table:
    """Time-to-event estimates: value, interval, and what they rest on."""
    digits = study.parameters.digits
    rows = tuple(
        (
            estimate.label,
            wording.result(estimate, digits),
            wording.interval(estimate, digits) or DASH,
            _told(estimate, "n"),
            _told(estimate, "at_risk"),
            _told(estimate, "events"),
            _told(estimate, "missing"),
        )
        for estimate in estimates
    )
    return Table(("Statistic", "Value", _interval(study), "People", "At risk", "Events", "Not known"), rows)


def toxicity(estimates: Iterable[Estimate], digits: int) -> Table:
    """One line per term: any grade, grade 3 or more, the worst grade, and people whose grade is not known."""
    terms: dict[str, dict[str, Estimate]] = {}
    for estimate in estimates:
        term, _, what = estimate.id.rpartition(".")
        terms.setdefault(term, {})[what] = estimate
    rows = tuple(_term(found, digits) for found in terms.values())
    heads = ("Term", "Any grade or elevated", "Grade 3 or higher", "Worst grade", "Not known")
    return Table(heads, rows)


def _term(found: Mapping[str, Estimate], digits: int) -> tuple[str, ...]:
    first = next(iter(found.values()))
    anything = found.get("any") or found.get("elevated")
    unknown = max(found.values(), key=lambda estimate: ("missing" in estimate.suppressed, estimate.missing))
    return (
        first.label if "elevated" in found else first.label.rpartition(", ")[0] or first.label,
        *(rate(estimate, digits) for estimate in (anything, found.get("grade3"))),
        wording.result(found["max"], digits) if "max" in found else DASH,
        _told(unknown, "missing"),
    )


def rate(estimate: Estimate | None, digits: int) -> str:
    """Fraction, value and interval in one cell."""
    if estimate is None:
        return DASH
    share = wording.result(estimate, digits)
    if estimate.not_estimable:
        return share
    if 0 < (estimate.denominator or 0) <= estimate.missing:
        return "not known"  # 0 of 12, when nobody was assessed, would be read as "none"
    around = wording.interval(estimate, digits)
    return " ".join(part for part in (wording.fraction(estimate), share, around and f"({around})") if part)


def _told(estimate: Estimate, field: str) -> str:
    """A number of people; `missing` of nobody is a dash."""
    if field in estimate.suppressed:
        return wording.WITHHELD
    number: int | None = getattr(estimate, field)
    return DASH if number is None or (field == "missing" and not number) else str(number)


def _named(estimate: Estimate) -> str:
    said = estimate.method != "median" or "median" in estimate.label
    return estimate.label if said else f"{estimate.label}, median"


def _interval(study: Study) -> str:
    return f"{plain(study.parameters.ci_level * 100, 1)}% interval"


def _words(code: str, study: Study) -> str:
    return study.display(code).replace("_", " ")


def _count(number: int | None) -> str:
    return DASH if number is None else str(number)


def _state(row: LedgerRow) -> str:
    if not row.complete:
        return f"no: {row.reason}" if row.reason else "no"
    return "yes, as far as can be known" if row.unverified else "yes"
