"""MeasureReports about one person each, with references to the records they rest on, at their version.

They are patient data, made only when somebody asks for them, and they fit the server alone that the records came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from fhir_adapter.analysis import wording
from fhir_adapter.analysis.baseline import baseline, failure, intervals
from fhir_adapter.analysis.outcomes import response
from fhir_adapter.analysis.toxicity import toxicity
from fhir_adapter.cohort.case import case_of
from fhir_adapter.cohort.estimate import Estimate, EventTime
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.cohort.study import MeasureFamily, Study
from fhir_adapter.publish import identity
from fhir_adapter.publish.documents import Document, Resource, document
from fhir_adapter.publish.group import estimate_id, report_group, scoring
from fhir_adapter.publish.narrative import report_text
from fhir_adapter.publish.stratifier import STEP, Figures

OBSERVED = "observed"
# The curves whose observation in one person is the time to the event or to the censoring.
_TIMES = ("kaplan-meier", "restricted-mean")
_VERSIONED = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}/_history/[A-Za-z0-9.-]{1,64}")
# The rules that the statistics of an endpoint rest on; every other endpoint is a time, with a rule of its own.
_RULES = {
    "baseline": ("index", "exposure", "age", "lines", "ipi", "bulky", "extranodal_sites"),
    "failure": ("exposure", "failure"),
    "washout": ("index", "washout"),
    "response": ("index", "response"),
    "crs": ("toxicity.crs",),
    "icans": ("toxicity.icans",),
    "toxicity": ("toxicity.",),
}


def build_individual(
    people: Iterable[tuple[Judgement, Sequence[EventTime]]],
    estimates: Iterable[Estimate],
    study: Study,
    *,
    period_start: date,
    period_end: date,
) -> tuple[Document, ...]:
    """A report for every person, told with their times, and every Measure of the study but the attrition."""
    by_id = {one.id: one for one in estimates}
    period = {"start": period_start.isoformat(), "end": period_end.isoformat()}
    return tuple(
        document(report, f"an individual MeasureReport of {family.family!r}")
        for person, times in people
        for family in study.measures
        if (report := _report(person, times, by_id, family, study, period))
    )


def _report(
    person: Judgement,
    times: Sequence[EventTime],
    cohort: Mapping[str, Estimate],
    family: MeasureFamily,
    study: Study,
    period: Mapping[str, str],
) -> Resource | None:
    """None for the attrition, which is about no single person."""
    id = person.subject.subject_id
    named = [(group, estimate_id(group, family.family)) for group in family.resource.get("group", ())]
    if any(name.startswith(STEP) for _, name in named):
        return None
    figures = Figures(_figures(person, times, cohort, study), ())
    endpoints = {cohort[name].endpoint for _, name in named if name in cohort}
    key = identity.person_key(identity.report_key(study, family.family), id)
    caption, digits = f"{study.title}. One person. Data as of {period['end']}.", study.parameters.digits
    return {
        "resourceType": "MeasureReport",
        "id": identity.resource_id(key),
        "text": report_text(family.resource, named, lambda name: _said(figures.estimates.get(name), digits), caption),
        "identifier": [{"use": "official", "system": identity.REPORT, "value": key}],
        "status": "complete",
        "type": "individual",
        "measure": f"{family.url}|{family.version}",
        "subject": {"reference": f"Patient/{id}"},
        "date": period["end"],
        "reporter": {"identifier": {"system": identity.SITE, "value": study.site or "site"}},
        "period": dict(period),
        "group": [report_group(group, name, scoring(group, dict(family.resource)), figures) for group, name in named],
        "evaluatedResource": [{"reference": one} for one in _rests_on(person, times, endpoints)],
    }


def _figures(
    person: Judgement, times: Sequence[EventTime], cohort: Mapping[str, Estimate], study: Study
) -> dict[str, Estimate]:
    """What was observed in this person, by the id of the statistic that it is a part of."""
    case = case_of(person)
    rules = (baseline, failure, intervals, response, toxicity)
    found = {one.id: _observed(one) for rule in rules for one in rule((case,), study)}
    curves = [one for one in cohort.values() if one.method in _TIMES and one.population == "infused"]
    for time in times:
        found |= {one.id: _time(one, time, study) for one in curves if one.endpoint == time.endpoint}
    return found


def _observed(one: Estimate) -> Estimate:
    """An observation has neither interval nor range."""
    nothing = dict.fromkeys(("ci_level", "ci_low", "ci_high", "range_low", "range_high"))
    return one.model_copy(update={**nothing, "method": OBSERVED})


def _time(one: Estimate, time: EventTime, study: Study) -> Estimate:
    """The months to the event (`events` 1) or to the censoring (0) of one person."""
    months = None if time.days is None else time.days / float(study.parameters.month_days)
    return Estimate(
        id=one.id,
        endpoint=one.endpoint,
        label=one.label,
        method=OBSERVED,
        value=months,
        unit="mo",
        n=1,
        events=int(time.event),
        not_estimable="" if time.days is not None else "the record bounds the time only",
        parameters=one.parameters,
    )


def _said(one: Estimate | None, digits: int) -> str:
    """What was observed, in words: a share of one person is a yes or a no, and a time ends with the event or not."""
    if one is None:
        return "told of the cohort only"
    if one.numerator is not None and one.denominator and not one.not_estimable:
        return "not known" if one.missing else "yes" if one.numerator else "no"
    ending = "" if one.events is None or one.not_estimable else ", event" if one.events else ", censored"
    return f"{wording.sentence(one, digits)}{ending}"


def _rests_on(person: Judgement, times: Sequence[EventTime], endpoints: set[str]) -> Iterator[str]:
    """The versioned references behind the endpoints of one Measure, each once."""
    prefixes = tuple(prefix for endpoint in endpoints for prefix in _RULES.get(endpoint, ()))
    sources = [one for finding in person.findings() if finding.rule.startswith(prefixes) for one in finding.sources]
    sources += [time.source for time in times if time.endpoint in endpoints]
    yield from sorted({one for one in sources if _VERSIONED.fullmatch(one)})
