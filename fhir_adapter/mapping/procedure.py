"""Procedure → Collection, Infusion, Transfusion or Therapy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from fhir_adapter.cohort.events import Collection, Contact, Infusion, Therapy, Transfusion
from fhir_adapter.fhir.r4 import Procedure
from fhir_adapter.fhir.record import Record
from fhir_adapter.mapping.cell_product import collected_by_product, made_from, names_of_collection
from fhir_adapter.mapping.medication import names_of
from fhir_adapter.mapping.reading import Reader, Said, set_aside, source_of

_NOT_DONE = {"preparation", "not-done", "entered-in-error", "unknown", "on-hold"}
_TRANSFUSIONS: Mapping[str, Literal["platelets", "hemoglobin"]] = {
    "platelet-transfusion": "platelets",
    "red-cell-transfusion": "hemoglobin",
}
_THERAPIES = {"autologous-hct", "allogeneic-hct", "radiotherapy"}
UNSPECIFIED_PRODUCT = "car-t-unspecified"


def map_procedure(resource: Procedure, record: Record, reader: Reader, car_t: frozenset[str]) -> Iterator[Said]:
    """A collection that was stopped or whose outcome says that it failed is kept, as one that did not succeed."""
    if resource.status in _NOT_DONE:
        yield set_aside(record, f"status-{resource.status}")
        return
    started, ended, kind = reader.span(resource.performedDateTime, resource.performedPeriod)
    source = source_of(record, f"performed{kind}" if kind else "performed[x]")
    if started:
        yield Contact(on=started, source=source, kind="procedure")
    what, unmapped = reader.translate("procedure", resource.code, source)
    yield from unmapped
    if what.code is None:
        yield set_aside(record, "procedure-ambiguous" if what.ambiguous else "procedure-not-in-study")
    elif started is None:
        yield set_aside(record, "no-usable-date")
    elif what.code == "leukapheresis":
        succeeded = resource.status != "stopped" and not _failed(resource, reader)
        yield Collection(
            on=started,
            ended=ended,
            source=source,
            flags=what.flags,
            succeeded=succeeded,
            names=names_of_collection(resource, record),
        )
    elif resource.status == "stopped" and what.code == "car-t-infusion":
        yield set_aside(record, "infusion-perhaps-not-given")
    elif what.code == "car-t-infusion":
        product, label = _product(resource, reader, car_t)
        origin = (record.reference, *made_from(resource, reader))
        yield Infusion(on=started, source=source, flags=what.flags, product=product, label=label, made_from=origin)
        yield from collected_by_product(resource, record, reader)
    elif what.code in _TRANSFUSIONS:
        yield Transfusion(on=started, source=source, flags=what.flags, raises=_TRANSFUSIONS[what.code])
    elif what.code in _THERAPIES:
        yield Therapy(on=started, source=source, flags=what.flags, kind=what.code)
    else:
        yield set_aside(record, "procedure-not-in-study")


def _failed(resource: Procedure, reader: Reader) -> bool:
    return any(
        reader.terms["outcome"].translate(concept).code == "failed"
        for concept in (resource.outcome, resource.statusReason)
        if concept
    )


def _product(resource: Procedure, reader: Reader, car_t: frozenset[str]) -> tuple[str, str]:
    """The product that the procedure names as used, or in its own code; unspecified when it names none or several."""
    names = [*resource.usedCode]
    for used in resource.usedReference:
        names += names_of(None, used, resource.contained, reader)
    names += [resource.code] if resource.code else []
    found = {
        code: name.text
        for name in reversed(names)
        if (code := reader.terms["medication"].translate(name).code) in car_t and code
    }
    specific = {code: text for code, text in found.items() if code != UNSPECIFIED_PRODUCT}
    return next(iter(specific.items())) if len(specific) == 1 else (UNSPECIFIED_PRODUCT, "")
