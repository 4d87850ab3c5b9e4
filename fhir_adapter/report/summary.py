"""The answer in a few sentences, for a reader who reads nothing else; every number is one of the estimates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fhir_adapter.analysis import wording
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.report.inputs import Material


def summary(material: Material) -> tuple[str, ...]:
    """Who, what failed, response, survival, toxicity: one sentence each, for what was estimated."""
    told = _Told({one.id: one for one in material.whole}, material.study.parameters.digits)
    last = max(material.study.parameters.timepoints_months, default=0)
    sentences = (_people(told), _failure(told), _response(told), _survival(told, last), _toxicity(told))
    return tuple(" ".join(parts) for sentence in sentences if (parts := list(sentence)))


class _Told:
    """The estimates by id, in words; an estimate that is not there says nothing."""

    def __init__(self, found: Mapping[str, Estimate], digits: int) -> None:
        self._found, self._digits = found, digits

    def count(self, name: str) -> str:
        """`12`"""
        one = self._found.get(name)
        return wording.result(one, 0) if one else ""

    def share(self, name: str) -> str:
        """`6 of 12 (50%)`"""
        one = self._found.get(name)
        if one is None:
            return ""
        part = wording.fraction(one).replace("/", " of ")
        return f"{part} ({self._value(one)})" if part else self._value(one)

    def estimate(self, name: str) -> str:
        """`54.5% (95% CI 22.9 to 78)`, `42 days (range 8 to 172)`, `not reached`, `not estimable`"""
        one = self._found.get(name)
        if one is None:
            return ""
        between, around = wording.interval(one, self._digits), wording.span(one, self._digits)
        beside = f"{wording.level(one)} CI {between}" if between else f"range {around}" if around else ""
        value = self._value(one)
        return f"{value} ({beside})" if beside and not one.not_reached else value

    def missing(self, name: str) -> str:
        one = self._found.get(name)
        if one is None or "missing" in one.suppressed or not one.missing:
            return ""
        return f", not known in {one.missing}"

    def _value(self, one: Estimate) -> str:
        return wording.result(one, self._digits)


def _people(told: _Told) -> Iterator[str]:
    if among := told.count("attrition.person"):
        included = told.count("baseline.n")
        people, are = "person" if among == "1" else "people", "is" if included == "1" else "are"
        yield f"Of {among} {people} in the records, {included} {are} in the cohort."
    if followed := told.estimate("followup.median"):
        yield f"Median follow-up: {followed}."


def _failure(told: _Told) -> Iterator[str]:
    if refractory := told.share("failure.refractory"):
        yield (
            f"The bispecific antibody had failed as refractory disease in {refractory} and by relapse in "
            f"{told.share('failure.relapsed')}."
        )
    if washout := told.estimate("washout.median"):
        yield f"Median washout: {washout}."


def _response(told: _Told) -> Iterator[str]:
    if responded := told.share("response.orr"):
        complete = told.share("response.cr_or_better") or told.share("response.cr")
        yield f"After CAR-T {responded} responded" + (f", {complete} completely." if complete else ".")


def _survival(told: _Told, months: int) -> Iterator[str]:
    free, alive = told.estimate(f"pfs.{months}m"), told.estimate(f"os.{months}m")
    if free and alive:
        yield f"Estimated for {months} months: progression-free survival {free}, overall survival {alive}."
        yield (
            f"Median: progression-free survival {told.estimate('pfs.median')}, overall survival "
            f"{told.estimate('os.median')}."
        )


def _toxicity(told: _Told) -> Iterator[str]:
    for name, said in (("crs", "CRS"), ("icans", "ICANS")):
        if any_grade := told.share(f"{name}.any"):
            yield (
                f"{said}: {any_grade}{told.missing(f'{name}.any')}, grade 3 or higher {told.share(f'{name}.grade3')}."
            )
