"""Measures and MeasureReports as the DEQM summary profile asks for them (Da Vinci DEQM 5.0.0, FHIR R4).

Beside what every report has: links from each group and population to those of the Measure, the scoring said by every
group, and supplemental data (age and sex of the cohort). The profile wants every count: a population or stratum whose
count is not told is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.publish import identity, statistic
from fhir_adapter.publish.answer import code_in
from fhir_adapter.publish.codes import MEASURE_POPULATION, MEASURE_SCORING
from fhir_adapter.publish.documents import Document, Resource, document
from fhir_adapter.publish.group import scoring

PROFILE = "http://hl7.org/fhir/us/davinci-deqm/StructureDefinition/summary-measurereport-deqm"
SCORING = "http://hl7.org/fhir/us/davinci-deqm/StructureDefinition/extension-measureScoring"
SUPPLEMENTAL_DATA = "http://hl7.org/fhir/5.0/StructureDefinition/extension-MeasureReport.supplementalData"
_LINK = "http://hl7.org/fhir/5.0/StructureDefinition/extension-MeasureReport.group.{}linkId"
SUPPLEMENTAL = ("baseline.age", "baseline.male")


def as_deqm(documents: Sequence[Document], estimates: Iterable[Estimate]) -> tuple[Document, ...]:
    """The same documents, every Measure with ids and every summary MeasureReport after it in the shape of DEQM."""
    by_id = {one.id: one for one in estimates}
    measures = {f"{one.resource['url']}|{one.resource['version']}": one for one in documents if one.type == "Measure"}
    shaped = []
    for one in documents:
        if one.type == "Measure":
            shaped.append(document(_measure(one.resource), f"the DEQM Measure {one.id!r}"))
        elif one.type == "MeasureReport" and one.resource["type"] == "summary":
            asked = measures[one.resource["measure"]].resource
            shaped.append(document(_report(one.resource, asked, by_id), "a DEQM MeasureReport"))
        else:
            shaped.append(one)
    return tuple(shaped)


def _measure(measure: Resource) -> Resource:
    """The Measure whose groups and populations have the ids that reports link to."""
    return {**measure, "group": [_identified(group, _group_id(group)) for group in measure.get("group", ())]}


def _report(report: Resource, measure: Resource, estimates: Mapping[str, Estimate]) -> Resource:
    groups = []
    for group, asked in zip(report.get("group", ()), measure.get("group", ()), strict=True):
        linked = _linked(_identified(_counted(group), _group_id(group)))
        concept = {"coding": [{"system": MEASURE_SCORING, "code": scoring(asked, measure)}]}
        linked["extension"] = [*linked["extension"], {"url": SCORING, "valueCodeableConcept": concept}]
        groups.append(linked)
    observed = [estimates[name] for name in SUPPLEMENTAL if name in estimates]
    contained = [_observation(one) for one in observed if one.value is not None]
    data = [{"url": SUPPLEMENTAL_DATA, "valueReference": {"reference": f"#{one['id']}"}} for one in contained]
    shaped = {**report, "meta": {"profile": [PROFILE]}, "contained": contained, "extension": data, "group": groups}
    return {element: content for element, content in shaped.items() if content}


def _identified(group: Resource, id: str) -> Resource:
    """A group and its populations with ids that are the same in the Measure and in its reports."""
    populations = [
        {**one, "id": f"{id}.{code_in(one['code'], MEASURE_POPULATION)}"} for one in group.get("population", ())
    ]
    return {**group, "id": id, "population": populations}


def _linked(group: Resource) -> Resource:
    """A group of a report and its populations with the ids as links, for which R5 has an element."""
    populations = [_with_link(one, "population.") for one in group["population"]]
    return {**_with_link(group, ""), "population": populations}


def _with_link(part: Resource, below: str) -> Resource:
    link = {"url": _LINK.format(below), "valueString": part["id"]}
    return {**part, "extension": [*part.get("extension", ()), link]}


def _group_id(group: Resource) -> str:
    return code_in(group.get("code"), identity.STATISTIC_CODES)


def _counted(part: Resource) -> Resource:
    """A group or stratum with the populations whose count is told, and the strata that have any.

    A group without any keeps all of its populations, which say why they have none: it was asked for.
    """
    populations = part.get("population", ())
    told = {**part, "population": [one for one in populations if "count" in one] or list(populations)}
    if "stratifier" in part:
        told["stratifier"] = [_stratified(one) for one in part["stratifier"]]
    return told


def _stratified(stratifier: Resource) -> Resource:
    """A stratum whose counts are all withheld is left out: the profile wants them."""
    told = [one for one in stratifier.get("stratum", ()) if any("count" in part for part in one["population"])]
    strata = [_counted(one) for one in told]
    rest = {name: value for name, value in stratifier.items() if name != "stratum"}
    return {**rest, "stratum": strata} if strata else rest


def _observation(estimate: Estimate) -> Resource:
    """One fact about the whole cohort, to be contained in a report."""
    coding = {"system": identity.STATISTIC_CODES, "code": estimate.id, "display": estimate.label}
    value = {"valueQuantity": statistic.quantity(estimate.value or 0, estimate.unit)}
    id = identity.resource_id(f"sde-{estimate.id.replace('_', '-')}")
    return {"resourceType": "Observation", "id": id, "status": "final", "code": {"coding": [coding]}, **value}
