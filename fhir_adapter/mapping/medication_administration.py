"""MedicationAdministration → Dose, or Infusion when the product is a CAR-T product."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from fhir_adapter.cohort.events import Contact, Dose, Infusion, Source
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.fhir.r4 import MedicationAdministration, Quantity
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.cell_product import collected_by_product, made_from
from fhir_adapter.mapping.medication import Drug, drug_of
from fhir_adapter.mapping.reading import Reader, Said, set_aside, source_of

_NOT_GIVEN = {"not-done", "entered-in-error", "unknown"}
_INTERRUPTED = {"stopped", "on-hold"}


def map_administration(
    resource: MedicationAdministration, record: Record, reader: Reader, car_t: frozenset[str]
) -> Iterator[Said]:
    """One administration. A stopped or held one without amount or duration may or may not have been given."""
    if resource.status in _NOT_GIVEN:
        yield set_aside(record, f"status-{resource.status}")
        return
    started, ended, kind = reader.span(resource.effectiveDateTime, resource.effectivePeriod)
    source = source_of(record, f"effective{kind}" if kind else "effective[x]")
    given = _given(resource, started, ended)
    if given == "yes" and started:
        yield Contact(on=started, source=source, kind="administration")
    drug, said = drug_of(resource, record, source, started, reader)
    yield from said
    if drug and given == "no":
        yield set_aside(record, "nothing-given")
    elif drug and drug.agent in car_t:
        if started is None:
            yield set_aside(record, "no-usable-date")
        elif given == "perhaps":
            yield set_aside(record, "infusion-perhaps-not-given")
        else:
            yield from _infusion(drug, started, source, resource, record, reader)
    elif drug:
        dose = resource.dosage.dose if resource.dosage else None
        yield Dose(
            on=started,
            source=source,
            flags=drug.flags_on(started),
            agent=drug.agent,
            label=drug.label,
            ended=ended,
            given="yes" if given == "yes" else "perhaps",
            ongoing=resource.status == "in-progress" and kind == "Period" and ended is None,
            amount=_finite(dose),
            unit=(dose.unit or dose.code) if dose else "",
            route=_route(resource, reader),
            intolerance=_for_intolerance(resource, reader),
        )


def _infusion(
    drug: Drug, on: PartialDate, source: Source, resource: MedicationAdministration, record: Record, reader: Reader
) -> Iterator[Said]:
    """The infusion, with what its product tells about the collection it was made from."""
    origin = (record.reference, *made_from(resource, reader))
    yield from collected_by_product(resource, record, reader)
    yield Infusion(on=on, source=source, product=drug.agent, label=drug.label, flags=drug.flags, made_from=origin)


def _finite(dose: Quantity | None) -> Decimal | None:
    return dose.value if dose and dose.value is not None and dose.value.is_finite() else None


def _given(
    resource: MedicationAdministration, started: PartialDate | None, ended: PartialDate | None
) -> Literal["yes", "no", "perhaps"]:
    """Whether some of it was given. An amount of nothing contradicts a status that says so."""
    amount = _finite(resource.dosage.dose if resource.dosage else None)
    interrupted = resource.status in _INTERRUPTED
    if amount is not None and amount <= 0:
        return "no" if interrupted else "perhaps"
    if interrupted and amount is None and not (started and ended):
        return "perhaps"
    return "yes"


def _route(resource: MedicationAdministration, reader: Reader) -> str:
    """By which way, as far as it makes a difference; empty for any other."""
    route = resource.dosage.route if resource.dosage else None
    return reader.terms["route"].translate(route).code or ""


def _for_intolerance(resource: MedicationAdministration, reader: Reader) -> bool:
    return any(reader.terms["stop-reason"].translate(reason).code == "intolerance" for reason in resource.statusReason)
