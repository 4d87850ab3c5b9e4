"""What a laboratory says around a number: its unit and the limits of what it calls normal.

The same laboratory says the same about thousands of results, so what it says is worked out once.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from fhir_adapter.cohort.subject import Sex
from fhir_adapter.fhir.r4 import Quantity, ReferenceRange
from fhir_adapter.mapping.reference_range import Years, limits_of, normal_ranges
from fhir_adapter.mapping.terminology import ConceptMap
from fhir_adapter.mapping.units import Units, times

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Scale:
    """`unit` is a Quantity without a value; `flags` tell when the unit is not the number's own. The limits are in the
    canonical unit of the observable, and a number times `factor` is; without one the unit is not known.
    """

    unit: Quantity
    factor: Decimal | None
    flags: tuple[str, ...]
    lower_limit: Decimal | None
    upper_limit: Decimal | None

    def read(self, number: Decimal | None) -> Decimal | None:
        """A number in the canonical unit; None when its unit is not known, or it is none that can be measured."""
        return None if number is None or self.factor is None else times(number, self.factor)

    def as_written(self, number: Quantity) -> str:
        """A number with its sign and its unit, as the laboratory wrote them."""
        return f"{number.comparator}{number.value} {self.unit.unit or self.unit.code}"


class Scales:
    """Reads scales with the tables of a study."""

    def __init__(self, units: Units, audiences: ConceptMap) -> None:
        self._units, self._audiences = units, audiences
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._read)

    def __reduce__(self) -> tuple[type[Scales], tuple[Units, ConceptMap]]:
        """What another process needs: it remembers for itself."""
        return Scales, (self._units, self._audiences)

    def of(
        self, name: str, number: Quantity, ranges: tuple[ReferenceRange, ...], sex: Sex, years: Years | None
    ) -> Scale:
        """The scale of a result of the observable `name`, for a person of this sex and age."""
        asked = (name, number.unit, number.code, ranges, sex, years)
        try:
            return self._remembered(*asked)
        except TypeError:  # a limit that is a signalling NaN has no hash
            return self._read(*asked)

    def _read(
        self, name: str, unit: str, code: str, ranges: tuple[ReferenceRange, ...], sex: Sex, years: Years | None
    ) -> Scale:
        normal = normal_ranges(ranges, self._audiences, sex, years)
        measured, flags = self._with_unit(name, Quantity(unit=unit, code=code), ranges, normal)
        low, high = (self._limit(name, limit, measured) for limit in limits_of(normal))
        return Scale(measured, self._units.factor(name, measured), flags, low, high)

    def _with_unit(
        self, name: str, written: Quantity, ranges: tuple[ReferenceRange, ...], normal: list[ReferenceRange]
    ) -> tuple[Quantity, tuple[str, ...]]:
        """The unit, and a flag when it is not the number's own.

        A number without a unit has that of its reference range, if the range has exactly one; else the one unit, if
        there is only one, in which the laboratory's normal limits are those of healthy people.
        """
        if written.unit or written.code:
            return written, ()
        ends = (limit for entry in ranges for limit in (entry.low, entry.high))
        limits = [limit for limit in ends if limit and (limit.unit or limit.code)]
        if len({(limit.unit, limit.code) for limit in limits}) == 1:
            return Quantity(unit=limits[0].unit, code=limits[0].code), ("unit-from-range",)
        low, high = limits_of(normal)
        stated = [limit for limit in (low, high) if limit]
        if any(limit.unit or limit.code for limit in stated):
            units = {limit.unit for limit in stated}
            return (Quantity(unit=stated[0].unit), ("unit-from-range",)) if len(units) == 1 else (written, ())
        inferred = self._units.unit_of(name, low.value if low else None, high.value if high else None)
        return (Quantity(unit=inferred), ("unit-inferred",)) if inferred else (written, ())

    def _limit(self, name: str, limit: Quantity | None, measured: Quantity) -> Decimal | None:
        """A limit in the canonical unit; one without a unit has that of the value."""
        if limit is None or limit.value is None:
            return None
        return self._units.convert(name, limit.value, limit if limit.unit or limit.code else measured)
