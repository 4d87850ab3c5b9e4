"""Which treatments may be those of a study: by any reading of their codes and words.

A drug whose code is of a system that the study's tables do not cover may be one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from fhir_adapter.fhir.r4 import CodeableConcept
from fhir_adapter.fhir.treatment import Treatment
from fhir_adapter.mapping.medication import names_of
from fhir_adapter.mapping.precedents import Precedents
from fhir_adapter.mapping.reading import Reader
from fhir_adapter.mapping.terminology import Terminology

_CELLS_GIVEN = frozenset({"car-t-infusion"})
_TABLES = ("medication", "procedure")


@dataclass(frozen=True)
class Treatments:
    """Those that name one of these drugs, or cells that are given. Travels between processes."""

    drugs: frozenset[str]
    reader: Reader

    def __post_init__(self) -> None:
        tables = {name: self.reader.terms[name] for name in _TABLES}
        object.__setattr__(self, "reader", replace(self.reader, terms=Terminology(tables, {}), precedents=Precedents()))

    def concern(self, type: str, treatment: Treatment) -> bool:
        """Is the treatment, a resource of this type, one of them?"""
        if type == "Procedure":
            return self._may_be_given(treatment)
        concept, reference = treatment.medicationCodeableConcept, treatment.medicationReference
        return self._may_be_drug(names_of(concept, reference, treatment.contained, self.reader))

    def _may_be_given(self, treatment: Treatment) -> bool:
        named = (*treatment.usedCode, *([treatment.code] if treatment.code else []))
        given = self._may_mean(named, _CELLS_GIVEN, "procedure")
        return given or self._may_mean((*named, *self._used(treatment)), self.drugs, "medication")

    def _used(self, treatment: Treatment) -> Iterator[CodeableConcept]:
        for one in treatment.usedReference:
            yield from names_of(None, one, treatment.contained, self.reader)

    def _may_be_drug(self, names: Sequence[CodeableConcept]) -> bool:
        return self._may_mean(names, self.drugs, "medication") or self._is_foreign(names)

    def _may_mean(self, names: Iterable[CodeableConcept], wanted: frozenset[str], table: str) -> bool:
        return any(not wanted.isdisjoint(self.reader.terms[table].may_mean(name)) for name in names)

    def _is_foreign(self, names: Sequence[CodeableConcept]) -> bool:
        """Is the drug told by nothing but codes of which nobody here can say what they mean?"""
        medication = self.reader.terms["medication"]
        return any(map(medication.is_foreign, names)) and not any(map(medication.may_mean, names))
