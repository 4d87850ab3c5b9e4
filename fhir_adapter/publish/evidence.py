"""Statistics as Evidence, for servers of FHIR 4.3 or 5.0: there FHIR has elements for an interval and for events.

One Evidence says one statistic of one population. The `statistic` extension is on it too, so that nothing is lost that
FHIR has no element for. In FHIR 4.0 Evidence is another resource: nothing of this is sent there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fhir_adapter.analysis import wording
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.study import Study
from fhir_adapter.publish import identity, statistic
from fhir_adapter.publish.answer import code_in
from fhir_adapter.publish.codes import ESTIMATE_TYPE, VARIABLE_ROLE
from fhir_adapter.publish.documents import Document, Resource, document

_INTERVAL = ("C53324", "Confidence interval")
_RANGE = ("C38013", "Range")


def build_evidence(reports: Sequence[Document], estimates: Iterable[Estimate], study: Study) -> tuple[Document, ...]:
    """An Evidence for every statistic that a group or stratum of the reports tells, in their order."""
    by_id = {one.id: one for one in estimates}
    return tuple(
        document(_evidence(by_id[name], report.resource, study), f"the Evidence of {name!r}")
        for report in reports
        if report.type == "MeasureReport" and report.resource["type"] == "summary"
        for name in _told(report.resource, by_id.keys())
    )


def _told(report: Resource, known: Iterable[str]) -> Iterator[str]:
    """The ids of the statistics that a report tells. A mere count of people is no evidence."""
    names = set(known)
    for group in report.get("group", ()):
        name = code_in(group.get("code"), identity.STATISTIC_CODES)
        if "measureScore" in group and name in names:
            yield name
            strata = (stratum for one in group.get("stratifier", ()) for stratum in one.get("stratum", ()))
            populations = (code_in(stratum.get("value"), identity.STRATUM_CODES) for stratum in strata)
            yield from (id for one in populations if (id := f"{name}[{one}]") in names)


def _evidence(estimate: Estimate, report: Resource, study: Study) -> Resource:
    key = f"{report['identifier'][0]['value']}.{identity.searchable(estimate.id)}"
    id = identity.resource_id(key)
    return {
        "resourceType": "Evidence",
        "id": id,
        "url": f"{identity.CANON}/Evidence/{id}",
        "identifier": [{"use": "official", "system": identity.EVIDENCE, "value": key}],
        "status": "active",
        "date": report["date"],
        "title": f"{estimate.label} ({estimate.population})",
        "description": wording.sentence(estimate, study.parameters.digits),
        "relatedArtifact": [{"type": "derived-from", "display": key, "resource": report["measure"]}],
        "variableDefinition": [
            _variable("population", f"{study.title}: {estimate.population}"),
            _variable("measuredVariable", estimate.label),
        ],
        "statistic": [_statistic(estimate)],
    }


def _variable(role: str, observed: str) -> Resource:
    return {"variableRole": {"coding": [{"system": VARIABLE_ROLE, "code": role}]}, "observed": {"display": observed}}


def _statistic(estimate: Estimate) -> Resource:
    told: Resource = {
        "extension": [statistic.extension(estimate)],
        "description": estimate.label,
        "statisticType": {"coding": [{"system": identity.METHOD_CODES, "code": estimate.method}]},
        "quantity": statistic.score(estimate, ""),
        "sampleSize": {} if "n" in estimate.suppressed else {"knownDataCount": estimate.n},
        "attributeEstimate": list(_attributes(estimate)),
    }
    if estimate.events is not None:
        told["numberOfEvents"] = estimate.events
    return {name: value for name, value in told.items() if value}


def _attributes(estimate: Estimate) -> Iterator[Resource]:
    """The interval and the range, as far as both have an end."""
    level = {} if estimate.ci_level is None else {"level": statistic.exact(estimate.ci_level)}
    for (code, display), more, low, high in (
        (_INTERVAL, level, estimate.ci_low, estimate.ci_high),
        (_RANGE, {}, estimate.range_low, estimate.range_high),
    ):
        ends = {
            name: statistic.quantity(end, estimate.unit)
            for name, end in (("low", low), ("high", high))
            if end is not None
        }
        if ends:
            concept = {"coding": [{"system": ESTIMATE_TYPE, "code": code, "display": display}]}
            yield {"type": concept, **more, "range": ends}
