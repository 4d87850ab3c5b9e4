"""The release of FHIR that a server speaks, and our documents in it.

Measures and MeasureReports are written as R4 (4.0), which R4B (4.3) reads the same. R5 (5.0) has other names for some
of their elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fhir_adapter.publish.documents import Document, Resource, document

Release = Literal["4.0", "4.3", "5.0"]
WITH_EVIDENCE: tuple[Release, ...] = ("4.3", "5.0")


def as_r5(documents: Sequence[Document]) -> tuple[Document, ...]:
    """The same documents as FHIR R5 spells them, checked against its models."""
    return tuple(
        document(_report(one.resource), f"the {one.type} in FHIR R5", release="5.0")
        if one.type == "MeasureReport"
        else document(one.resource, f"the {one.type} in FHIR R5", release="5.0")
        for one in documents
    )


def from_r5(report: Resource) -> Resource:
    """A valid MeasureReport of FHIR R5 as R4 spells it: undoes what `as_r5` does to a report."""
    return {**report, "group": [_group_of_r5(one) for one in report.get("group", ())]}


def _group_of_r5(group: Resource) -> Resource:
    told = _renamed(group, {"measureScoreQuantity": "measureScore"})
    if "stratifier" in group:
        told["stratifier"] = [_stratifier_of_r5(one) for one in group["stratifier"]]
    return told


def _stratifier_of_r5(stratifier: Resource) -> Resource:
    told = {**stratifier, "code": [stratifier["code"]]} if "code" in stratifier else dict(stratifier)
    if "stratum" in stratifier:
        names = {"measureScoreQuantity": "measureScore", "valueCodeableConcept": "value"}
        told["stratum"] = [_renamed(one, names) for one in stratifier["stratum"]]
    return told


def _report(report: Resource) -> Resource:
    return {**report, "group": [_group(one) for one in report.get("group", ())]}


def _group(group: Resource) -> Resource:
    told = _renamed(group, {"measureScore": "measureScoreQuantity"})
    if "stratifier" in group:
        told["stratifier"] = [_stratifier(one) for one in group["stratifier"]]
    return told


def _stratifier(stratifier: Resource) -> Resource:
    """One code where R4 has a list, and the value of a stratum by its type."""
    told = {**stratifier, "code": stratifier["code"][0]}
    if "stratum" in stratifier:
        names = {"measureScore": "measureScoreQuantity", "value": "valueCodeableConcept"}
        told["stratum"] = [_renamed(one, names) for one in stratifier["stratum"]]
    return told


def _renamed(part: Resource, names: dict[str, str]) -> Resource:
    return {names.get(name, name): value for name, value in part.items()}
