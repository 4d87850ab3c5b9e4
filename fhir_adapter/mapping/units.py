"""Units of measurement: one canonical unit an analyte, exact factors, and a refusal instead of a guess."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from pathlib import Path

from fhir_adapter.errors import StudyError
from fhir_adapter.fhir.r4 import Quantity
from fhir_adapter.mapping.artefacts import nearest, read_toml

_DIGITS = 60
_EXACTLY = Context(prec=_DIGITS)
_REMEMBERED, _VALUES = 4096, 16384


@dataclass(frozen=True)
class Analyte:
    """How one observable may be measured: `factors` turn a value in a known unit into the canonical one.

    `usual_low` and `usual_high` are the bounds within which laboratories put their lower and upper normal limit.
    """

    canonical: str
    low: Decimal
    high: Decimal
    factors: Mapping[str, Decimal]
    usual_low: tuple[Decimal, Decimal] | None = None
    usual_high: tuple[Decimal, Decimal] | None = None

    def is_plausible(self, value: Decimal) -> bool:
        """Whether a canonical value can be true of a living person (generous limits, against wrong units)."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Units:
    """The unit table of a study, by observable."""

    analytes: Mapping[str, Analyte]

    def canonical(self, observable: str) -> str:
        return self.analytes[observable].canonical

    def factor(self, observable: str, written: Quantity) -> Decimal | None:
        """What a value in the written unit is multiplied by; None when the observable or the unit is not in the table.

        The UCUM code is tried first, then the unit as printed: `K/uL` and its kind are everyday spellings, not UCUM.
        """
        if analyte := self.analytes.get(observable):
            for spelling in (written.code, written.unit):
                factor = analyte.factors.get(_spelling(spelling)) if spelling else None
                if factor is not None:
                    return factor
        return None

    def convert(self, observable: str, value: Decimal, written: Quantity) -> Decimal | None:
        """`value` in the canonical unit; None when that is not known, or the value is none that can be measured."""
        factor = self.factor(observable, written)
        return None if factor is None else times(value, factor)

    def plausible(self, observable: str, value: Decimal) -> bool:
        return self.analytes[observable].is_plausible(value)

    def unit_of(self, observable: str, low: Decimal | None, high: Decimal | None) -> str | None:
        """The unit of a result that names none: the only one in which its normal limits are those of healthy people.

        None when no unit, or more than one, explains the limits, and for observables of which that is not known.
        """
        analyte = self.analytes[observable]
        bounds = [
            (limit, usual)
            for limit, usual in ((low, analyte.usual_low), (high, analyte.usual_high))
            if limit is not None and limit.is_finite() and usual is not None
        ]
        fitting = {
            factor: unit
            for unit, factor in analyte.factors.items()
            if all(usual[0] <= limit * factor <= usual[1] for limit, usual in bounds)
        }
        return next(iter(fitting.values())) if bounds and len(fitting) == 1 else None


def read_units(path: Path) -> Units:
    """Read `units.toml`: tables of factors by spelling, and for each analyte its table and plausible range."""
    written = read_toml(path)
    tables = written.get("tables", {})
    found: dict[str, Analyte] = {}
    for observable, entry in written.get("analytes", {}).items():
        table = tables.get(entry.get("table", ""))
        if table is None:
            hint = nearest(str(entry.get("table", "")), tables)
            raise StudyError(f"{path}: [analytes.{observable}] names a table that does not exist", hint)
        try:
            factors = {_spelling(unit): Decimal(factor) for unit, factor in table["factors"].items()}
            low, high = (Decimal(str(end)) for end in entry["plausible"])
            usual = (_pair(entry.get("usual_low")), _pair(entry.get("usual_high")))
            found[observable] = Analyte(table["canonical"], low, high, factors, *usual)
        except (KeyError, ValueError, ArithmeticError, TypeError):
            hint = "it needs a table with canonical and factors, and plausible = [low, high]"
            raise StudyError(f"{path}: [analytes.{observable}] is not complete", hint) from None
    return Units(found)


def _pair(ends: list[str] | None) -> tuple[Decimal, Decimal] | None:
    if ends is None:
        return None
    low, high = (Decimal(str(end)) for end in ends)
    return low, high


def times(value: Decimal, factor: Decimal) -> Decimal | None:
    """The exact product; None for a value that is not finite, or of a length or size that no measurement has."""
    return _times(str(value), factor)


@lru_cache(maxsize=_VALUES)
def _times(written: str, factor: Decimal) -> Decimal | None:
    """By its text, because numbers of any length may be equal."""
    value = Decimal(written)
    return _plain(_EXACTLY.multiply(value, factor)) if _is_a_measurement(value) else None


def _is_a_measurement(value: Decimal) -> bool:
    """Finite, and of a length and size that a measurement can have."""
    if not value.is_finite():
        return False
    return len(value.as_tuple().digits) <= _DIGITS // 2 and abs(value.adjusted()) <= _DIGITS // 2


@lru_cache(maxsize=_REMEMBERED)
def _spelling(unit: str) -> str:
    """How units are compared: after NFKC and without spaces, upper and lower case apart (`G/L` is not `g/L`)."""
    return "".join(unicodedata.normalize("NFKC", unit).split())


def _plain(value: Decimal) -> Decimal:
    """The value without trailing zeros, exponent or the sign of a zero, so that equal values print alike."""
    return Decimal(f"{value.normalize(_EXACTLY):f}") if value else Decimal(0)
