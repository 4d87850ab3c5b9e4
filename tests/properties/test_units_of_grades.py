"""What is always true of a grade: the unit does not matter, and a limit that is missing leaves room, never error."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from mapping.hospital import Json, observation, read
from mapping.hospital import study as folder
from msgspec.structs import replace
from spec.people import study

from fhir_adapter.cohort.events import Lab, Source
from fhir_adapter.rules.grading import grade

_UNITS = folder().units.analytes
_NAMES = {
    "hemoglobin": "718-7",
    "neutrophils": "751-8",
    "platelets": "777-3",
    "leukocytes": "6690-2",
    "alt": "1742-6",
    "bilirubin": "1975-2",
    "creatinine": "2160-0",
    "fibrinogen": "3255-7",
}
_TERMS = {clause.observable: clause.term_code for clause in study().grading if clause.observable in _NAMES}
_SPELLINGS = [(name, unit) for name in _NAMES for unit in sorted(_UNITS[name].factors)]
_LIMITS = {"hemoglobin": (130, 175), "platelets": (125, 350), "alt": (7, 50), "bilirubin": (4, 20)}


def _sent(name: str, value: Decimal, unit: str, limits: tuple[Decimal, Decimal]) -> Json:
    """The result as a laboratory with this unit would send it: every number in it, exactly."""
    with localcontext(prec=50):
        low, high, number = (part / _UNITS[name].factors[unit] for part in (*limits, value))
    ends: dict[str, Any] = {"low": {"value": float(low), "unit": unit}, "high": {"value": float(high), "unit": unit}}
    code = {"coding": [{"system": "http://loinc.org", "code": _NAMES[name]}]}
    return observation(code, valueQuantity={"value": float(number), "unit": unit}, referenceRange=[ends])


def _grades(lab: Lab, version: str) -> tuple[int, int]:
    asked = study(ctcae_version=version)
    term = _TERMS[lab.observable]
    return grade(lab, None, [one for one in asked.grading if one.term_code == term], asked.parameters)


@settings(max_examples=150)
@given(st.sampled_from(_SPELLINGS), st.integers(10, 190), st.sampled_from(("5.0", "6.0")))
def test_the_unit_of_a_result_does_not_matter(spelling: tuple[str, str], percent: int, version: str) -> None:
    """Away from the limits, where a float of the wire may round to either side."""
    name, unit = spelling
    low, high = map(Decimal, _LIMITS.get(name, (2, 8)))
    value = (high * percent / 100 + Decimal("0.013")).quantize(Decimal("0.001"))
    if not _UNITS[name].low <= value <= _UNITS[name].high:
        return
    (lab,) = read(_sent(name, value, unit, (low, high))).subject.labs  # type: ignore[union-attr]
    assert abs(lab.value - value) < Decimal("0.0001")
    plain = replace(lab, value=value, lower_limit=low, upper_limit=high)
    assert _grades(lab, version) == _grades(plain, version)


_VALUES = st.decimals(min_value="0", max_value="2000", places=2)
_ENDS = st.decimals(min_value="0.5", max_value="500", places=1)


@given(st.sampled_from(sorted(_NAMES)), _VALUES, _ENDS, _ENDS, st.sampled_from(("5.0", "6.0")))
def test_without_limits_every_grade_that_some_limits_would_give_is_possible(
    name: str, value: Decimal, low: Decimal, high: Decimal, version: str
) -> None:
    known = Lab(
        on=None,
        source=Source(reference="R/1", version="1"),
        observable=name,
        value=value,
        unit="1",
        lower_limit=min(low, high),
        upper_limit=max(low, high),
    )
    open_ = _grades(replace(known, lower_limit=None, upper_limit=None), version)
    settled = _grades(known, version)
    assert open_[0] <= settled[0] <= settled[1] <= open_[1]
