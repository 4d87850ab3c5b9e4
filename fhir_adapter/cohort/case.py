"""What statistics and pictures need of an included person: small enough to hold those of a hundred thousand."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from fhir_adapter.cohort.finding import Span
from fhir_adapter.cohort.judgement import Judgement
from fhir_adapter.cohort.subject import Sex
from fhir_adapter.fhir.dates import PartialDate


class Exposed(Struct, frozen=True, gc=False):
    """A bispecific antibody that was given before the apheresis."""

    agent: str
    targets: tuple[str, ...]


class Graded(Struct, frozen=True, gc=False):
    """The worst grade of one term, as `Toxicity` has it."""

    code: str
    term: str
    grade_min: int | None
    grade_max: int | None
    elevated: bool | None


class Case(Struct, frozen=True, gc=False):
    """An included person as a row of numbers and codes; None where the records do not settle it.

    What is also a column of `subjects.csv` has its name and its unit. `infused_on` is the first possible day of the
    infusion, `complete_before` says that a complete response was recorded before it already.
    """

    subject_id: str
    sex: Sex
    died: bool
    infused_on: date | None
    age_years: int | None
    bsab_exposures: tuple[Exposed, ...] | None
    bsab_failure: str
    washout_days: int | None
    vein_to_vein_days: int | None
    prior_lines: int | None
    ipi: int | None
    extranodal_sites: int | None
    bulky: bool | None
    cart_product: str | None
    cart_targets: tuple[str, ...] | None
    best_response: str | None
    complete_before: bool
    toxicities: tuple[Graded, ...]


def case_of(person: Judgement) -> Case:
    """The person without records and without sentences."""
    index, exposed, failed = person.index.value, person.exposure.value, person.failure.value
    lines, ipi, sites, bulk = person.lines.value, person.ipi.value, person.sites.value, person.bulk.value
    response = person.response.value
    return Case(
        subject_id=person.subject.subject_id,
        sex=person.subject.sex,
        died=person.subject.died,
        infused_on=index.infusion.earliest if index else None,
        age_years=_settled(person.age.value),
        bsab_exposures=tuple(Exposed(one.agent, one.targets) for one in exposed.exposures) if exposed else None,
        bsab_failure=failed.status if failed else "undetermined",
        washout_days=_settled(person.washout.value),
        vein_to_vein_days=_settled(index.vein_to_vein) if index else None,
        prior_lines=lines.count.settled if lines else None,
        ipi=ipi.points.settled if ipi else None,
        extranodal_sites=sites.count.settled if sites else None,
        bulky=bulk.bulky if bulk else None,
        cart_product=index.product if index else None,
        cart_targets=index.targets if index else None,
        best_response=response.best if response else None,
        complete_before=response.complete_before if response else False,
        toxicities=tuple(
            Graded(one.code, one.term, one.grade_min, one.grade_max, one.elevated)
            for finding in person.toxicities
            if (one := finding.value)
        ),
    )


def _settled(length: Span | None) -> int | None:
    return length.days if length else None


class Course(Struct, frozen=True, gc=False):
    """The way of an included person from the antibody over the infusion, as a picture shows it.

    `antibody` are the first and the last day of each, `seen` the dated assessments and their categories.
    """

    subject_id: str
    failure: str
    infusion: PartialDate
    apheresis: PartialDate | None
    antibody: tuple[tuple[PartialDate, PartialDate], ...]
    seen: tuple[tuple[PartialDate, str], ...]


def course_of(person: Judgement) -> Course | None:
    """None without a day of infusion, from which everything is counted."""
    index, exposed, failed = person.index.value, person.exposure.value, person.failure.value
    if index is None:
        return None
    return Course(
        subject_id=person.subject.subject_id,
        failure=failed.status if failed else "undetermined",
        infusion=index.infusion,
        apheresis=index.apheresis,
        antibody=tuple((one.first, one.last) for one in exposed.exposures) if exposed else (),
        seen=tuple((one.on, one.category) for one in person.subject.assessments if one.on),
    )
