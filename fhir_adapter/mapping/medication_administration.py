"""MedicationAdministration → Dose, or Infusion when the product is a CAR-T product."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from fhir_adapter.cohort.events import Contact, Dose, Infusion
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.fhir.r4 import MedicationAdministration, Quantity
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.medication import agent_of, names_of
from fhir_adapter.mapping.reading import Reader, Said, set_aside, source_of

_NOT_GIVEN = {"not-done", "entered-in-error", "unknown"}
_PERHAPS = {"stopped", "on-hold"}


def map_administration(
    resource: MedicationAdministration, record: Record, reader: Reader, car_t: frozenset[str]
) -> Iterator[Said]:
    """One administration. A stopped or held one without amount or duration may or may not have been given."""
    if resource.status in _NOT_GIVEN:
        yield set_aside(record, f"status-{resource.status}")
        return
    started, ended, kind = reader.span(resource.effectiveDateTime, resource.effectivePeriod)
    source = source_of(record, f"effective{kind}" if kind else "effective[x]")
    perhaps = resource.status in _PERHAPS and not _some_was_given(resource, started, ended)
    if not perhaps and started:
        yield Contact(on=started, source=source, kind="administration")
    names = names_of(resource.medicationCodeableConcept, resource.medicationReference, resource.contained, reader)
    if not names:
        yield set_aside(record, "medication-not-resolved")
        return
    agent, name = agent_of(names, reader)
    if agent.code is None:
        _, unmapped = reader.translate("medication", names[0], source)
        yield from unmapped
        yield set_aside(record, "medication-ambiguous" if agent.ambiguous else "medication-not-in-study")
        return
    concept = name or names[0]
    label = concept.text or next((coding.display for coding in concept.coding if coding.display), agent.code)
    if agent.code in car_t:
        if started is None:
            yield set_aside(record, "no-usable-date")
        elif perhaps:
            yield set_aside(record, "infusion-perhaps-not-given")
        else:
            yield Infusion(on=started, source=source, product=agent.code, label=label, flags=agent.flags)
        return
    dose = resource.dosage.dose if resource.dosage else None
    yield Dose(
        on=started,
        source=source,
        flags=agent.flags if started else (*agent.flags, "undated"),
        agent=agent.code,
        label=label,
        ended=ended,
        given="perhaps" if perhaps else "yes",
        ongoing=resource.status == "in-progress" and kind == "Period" and ended is None,
        amount=_finite(dose),
        unit=(dose.unit or dose.code) if dose else "",
        intolerance=_for_intolerance(resource, reader),
    )


def _finite(dose: Quantity | None) -> Decimal | None:
    return dose.value if dose and dose.value is not None and dose.value.is_finite() else None


def _some_was_given(resource: MedicationAdministration, started: PartialDate | None, ended: PartialDate | None) -> bool:
    amount = _finite(resource.dosage.dose if resource.dosage else None)
    if amount is not None:
        return amount > 0
    return started is not None and ended is not None


def _for_intolerance(resource: MedicationAdministration, reader: Reader) -> bool:
    return any(reader.terms["stop-reason"].translate(reason).code == "intolerance" for reason in resource.statusReason)
