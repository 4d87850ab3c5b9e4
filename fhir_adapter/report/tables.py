"""The tables of the report, as text ready to be shown. Every number comes from an estimate or a count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fhir_adapter.analysis import wording
from fhir_adapter.analysis.rounding import plain
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.study import Study
from fhir_adapter.report.inputs import LedgerRow
from fhir_adapter.report.table import DASH, FAULT, Table

_UNBROKEN = "\N{NO-BREAK SPACE}"
_LEDGER = ("received", "stored", "duplicate", "quarantined", "deleted")
# Heading of a part of the baseline table → how the ids of its statistics begin; the first that fits.
_PARTS = {
    "Bispecific antibody by targets, ever given": ("baseline.bsab.",),
    "Bispecific antibody by product, ever given": ("baseline.bsab_agent.",),
    "CAR-T by targets": ("baseline.car_t.",),
    "People": ("baseline.n", "baseline.male", "baseline.female", "baseline.other_sex", "baseline.age"),
    "Disease and earlier treatment": ("baseline.",),
}
_ORDER = (
    *("People", "Disease and earlier treatment"),
    *("Bispecific antibody by targets, ever given", "Bispecific antibody by product, ever given", "CAR-T by targets"),
)
_OTHER_SEX = "baseline.other_sex"
_PRODUCTS = ("baseline.bsab.", "baseline.bsab_agent.", "baseline.car_t.")


def ledger(rows: Sequence[LedgerRow]) -> Table:
    """What each stream announced and what became of it, with the sum of all."""
    shown = [
        (row.stream, _count(row.announced), *(str(getattr(row, name)) for name in _LEDGER), _state(row)) for row in rows
    ]
    total = ("All", "", *(str(sum(getattr(row, name) for row in rows)) for name in _LEDGER), "")
    heads = ("Stream", "Announced", "Received", "Stored", "Duplicate", "Set aside", "Deleted", "Complete")
    sound = all(row.received == row.stored + row.duplicate + row.quarantined + row.deleted for row in rows)
    note = "In every line, received = stored + duplicate + set aside + deleted." if sound else FAULT
    return Table(heads, (*shown, total) if rows else (), note)


def lengths(estimates: Iterable[Estimate], study: Study) -> Table:
    """Medians with their range: value, range, people, and people whose value is not known."""
    digits = study.parameters.digits
    rows = tuple(
        (
            _named(one),
            wording.result(one, digits),
            wording.span(one, digits) or DASH,
            told_field(one, "n"),
            told_field(one, "missing"),
        )
        for one in estimates
    )
    return Table(("Length", "Value", "Range", "People", "Not known"), rows)


def shares(estimates: Iterable[Estimate], study: Study) -> Table:
    """Shares of people with their interval, and people whose value is not known."""
    digits = study.parameters.digits
    rows = tuple(
        (
            one.label,
            wording.fraction(one) or DASH,
            wording.result(one, digits),
            wording.interval(one, digits) or DASH,
            told_field(one, "missing"),
        )
        for one in estimates
    )
    return Table(("Statistic", "People", "Share", _interval(study), "Not known"), rows)


def baseline(estimates: Sequence[Estimate], study: Study) -> Table:
    """Table 1: the people, in parts; products that nobody received are left out, and the note says so."""
    given = [one for one in estimates if one.numerator != 0 or not one.id.startswith((*_PRODUCTS, _OTHER_SEX))]
    parts: dict[str, list[tuple[str, ...]]] = {part: [] for part in _ORDER}
    for one in given:
        parts[_part(one)].append(
            (_characteristic(one), _described(one, study.parameters.digits), told_field(one, "missing"))
        )
    rows = tuple(row for part in _ORDER if parts[part] for row in ((part,), *parts[part]))
    known = "Shares are of people whose value is known; the others are counted under “not known”."
    left_out = any(one.id.startswith(_PRODUCTS) for one in estimates if one not in given)
    note = f"{known} Products that nobody received are not shown." if left_out else known
    return Table(("Characteristic", "Value", "Not known"), rows, note if rows else "")


def _part(one: Estimate) -> str:
    return next(part for part, begins in _PARTS.items() if one.id.startswith(begins))


def _characteristic(one: Estimate) -> str:
    """The label, without what the heading of the part says already."""
    if one.id.startswith(_PRODUCTS):
        return one.label.removeprefix("BsAb ").removeprefix("CAR-T ").removesuffix(", ever exposed")
    return f"{_named(one)} (range)" if one.method == "median" else one.label


def _described(one: Estimate, digits: int) -> str:
    """`6/12 (50%)`, `53 years (34 to 65)`, `12`."""
    beside = wording.span(one, digits)
    share = wording.fraction(one)
    if share and not one.not_estimable:
        return f"{share} ({wording.result(one, digits)})"
    return f"{wording.result(one, digits)} ({beside})" if beside else wording.result(one, digits)


def survival(estimates: Iterable[Estimate], study: Study) -> Table:
    """Time-to-event estimates: value, interval, and what they rest on."""
    digits = study.parameters.digits
    rows = tuple(
        (
            estimate.label,
            wording.result(estimate, digits),
            wording.interval(estimate, digits) or DASH,
            told_field(estimate, "n"),
            told_field(estimate, "at_risk"),
            told_field(estimate, "events"),
            told_field(estimate, "missing"),
        )
        for estimate in estimates
    )
    return Table(("Statistic", "Value", _interval(study), "People", "At risk", "Events", "Not known"), rows)


def endpoints(estimates: Sequence[Estimate], study: Study) -> Table:
    """One line per endpoint: its estimate at each time point, median and restricted mean, each with its interval."""
    digits, by_id = study.parameters.digits, {one.id: one for one in estimates}
    columns = {
        **{f"{months}m": f"At {months} months" for months in study.parameters.timepoints_months},
        "median": "Median",
        **{f"rmst.{months}m": f"Mean of the first {months} months" for months in study.parameters.rmst_months},
    }
    rows = []
    for family in dict.fromkeys(one.id.split(".")[0] for one in estimates):
        found = [by_id.get(f"{family}.{name}") for name in columns]
        known = next((one for one in found if one), None)
        if known:
            counts = (told_field(known, "n"), told_field(_latest(found), "events"), told_field(known, "missing"))
            rows.append((_endpoint(known), *(_with_interval(one, digits) for one in found), *counts))
    return Table(("Endpoint", *columns.values(), "People", "Events", "Not known"), tuple(rows))


def _latest(found: Iterable[Estimate | None]) -> Estimate:
    """The statistic that counts most events: of the longest time."""
    return max((one for one in found if one), key=lambda one: ("events" in one.suppressed, one.events or 0))


def _endpoint(one: Estimate) -> str:
    """`Duration of response` of `Duration of response at 6 months`."""
    return one.label.removesuffix(f" at {one.timepoint_months} months").removesuffix(",")


def _with_interval(one: Estimate | None, digits: int) -> str:
    if one is None:
        return DASH
    around = _around(one, digits).replace(" ", _UNBROKEN)
    return " ".join(part for part in (wording.result(one, digits), around) if part)


def _around(one: Estimate, digits: int) -> str:
    """The interval in brackets: `(7.9 to 83.2)`, `(interval not estimable)`."""
    between = wording.interval(one, digits)
    return f"({'interval ' if one.no_interval else ''}{between})" if between else ""


def rate(estimate: Estimate | None, digits: int) -> str:
    """Fraction, value and interval in one cell."""
    if estimate is None:
        return DASH
    share = wording.result(estimate, digits)
    if estimate.not_estimable:
        return share
    if 0 < (estimate.denominator or 0) <= estimate.missing:
        return "not known"  # 0 of 12, when nobody was assessed, would be read as "none"
    return " ".join(part for part in (wording.fraction(estimate), share, _around(estimate, digits)) if part)


def told_field(estimate: Estimate, field: str) -> str:
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


def _count(number: int | None) -> str:
    return DASH if number is None else str(number)


def _state(row: LedgerRow) -> str:
    if not row.complete:
        return f"no: {row.reason}" if row.reason else "no"
    return "yes, as far as can be known" if row.unverified else "yes"
