"""Units of measurement: one canonical unit an analyte, exact factors, and a refusal instead of a guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from fhir_adapter.errors import StudyError
from fhir_adapter.fhir.r4 import Quantity
from fhir_adapter.mapping.artefacts import read_toml
from fhir_adapter.mapping.terminology import normalise


@dataclass(frozen=True)
class Analyte:
    """How one observable may be measured: `factors` turn a value in a known unit into the canonical one."""

    canonical: str
    low: Decimal | None
    high: Decimal | None
    factors: Mapping[str, Decimal]


@dataclass(frozen=True)
class Units:
    """The unit table of a study, by observable."""

    analytes: Mapping[str, Analyte]

    def canonical(self, observable: str) -> str:
        return self.analytes[observable].canonical

    def convert(self, observable: str, value: Decimal, written: Quantity) -> Decimal | None:
        """`value` in the canonical unit; None when the observable or the written unit is not in the table.

        The UCUM code is tried first, then the unit as printed: `K/uL` and its kind are everyday spellings, not UCUM.
        """
        analyte = self.analytes.get(observable)
        if analyte is None or not value.is_finite():
            return None
        for spelling in (written.code, written.unit):
            factor = analyte.factors.get(_spelling(spelling)) if spelling else None
            if factor is not None:
                return _plain(value * factor)
        return None

    def plausible(self, observable: str, value: Decimal) -> bool:
        """Whether a canonical value can be true of a living person (generous limits, against wrong units)."""
        analyte = self.analytes[observable]
        return (analyte.low is None or analyte.low <= value) and (analyte.high is None or value <= analyte.high)


def read_units(path: Path) -> Units:
    """Read `units.toml`: a table per observable with `canonical`, `plausible` and the accepted `units`."""
    found: dict[str, Analyte] = {}
    for observable, table in read_toml(path).items():
        try:
            low, high = (Decimal(str(end)) for end in table.get("plausible", (0, "Infinity")))
            factors = {_spelling(unit): Decimal(str(factor)) for unit, factor in table["units"].items()}
            canonical = str(table["canonical"])
        except (KeyError, ValueError, ArithmeticError, AttributeError):
            raise StudyError(
                f"{path}: the table `{observable}` is not complete", "it needs canonical and units"
            ) from None
        factors.setdefault(_spelling(canonical), Decimal(1))
        found[observable] = Analyte(canonical, low, high, factors)
    return Units(found)


def _spelling(unit: str) -> str:
    """Units compare without case only where that is safe: the table lists every spelling it accepts."""
    return normalise(unit).replace(" ", "").replace("μ", "u").replace("µ", "u")


def _plain(value: Decimal) -> Decimal:
    """The value without trailing zeros and without an exponent, so that equal values print alike."""
    return Decimal(f"{value.normalize():f}")
