"""Every record about a person is told in words: nothing is left out, and what does not count says so."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from report.course import WHOLE, person
from spec.people import patient, study

from fhir_adapter.cohort import events
from fhir_adapter.cohort.events import Event, Source
from fhir_adapter.cohort.subject import EVENT_FIELDS, Subject
from fhir_adapter.fhir.dates import PartialDate
from fhir_adapter.report.timeline.facts import Fact, facts_of, pretty, words

AT = {"on": PartialDate.parse("2024-03-05"), "source": Source(reference="Observation/1", version="3")}


def kinds(of: type[Event]) -> Iterator[type[Event]]:
    for one in of.__subclasses__():
        yield one
        yield from kinds(one)


def told(table: str) -> list[Fact]:
    return list(facts_of(patient(table), study()))


def only(table: str) -> str:
    [fact] = told(table)
    return fact.tells


def test_every_kind_of_record_has_words_of_its_own() -> None:
    assert {one.__name__ for one in kinds(Event) if words.dispatch(one) is words.dispatch(Event)} == set()


def test_every_record_of_a_person_is_there_once_in_order_of_its_day() -> None:
    one = person()
    facts = facts_of(one.subject, one.study)
    assert len(facts) == sum(len(getattr(one.subject, name)) for name in EVENT_FIELDS)
    days = [fact.on.earliest for fact in facts if fact.on]
    assert days == sorted(days)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2024-03-05 | glofitamab | amount unknown", "2024-03-05, Glofitamab, given perhaps"),
        ("2024-03-05 | glofitamab | to 2024-03-07", "2024-03-05 to 2024-03-07, Glofitamab"),
        ("2024-03 | infusion", "2024-03, CD19 CAR-T cells, investigational"),
        ("? | apheresis", "day not known, Lymphocytes collected"),
        ("2024-03-05 | apheresis | failed", "2024-03-05, Collection of lymphocytes failed"),
        ("2024-03-05 | stage 4 | condition", "2024-03-05, Stage IV, told by the diagnosis"),
        ("2024-03-05 | CRS ?", "2024-03-05, Cytokine release syndrome grade 1–5"),
        ("2024-03-05 | ICANS 0", "2024-03-05, Immune effector cell-associated neurotoxicity syndrome grade 0"),
        ("2024-03-05 | Karnofsky 70", "2024-03-05, Karnofsky 70 %"),
        ("2024-03-05 | lesion 75.1", "2024-03-05, Longest diameter 75.1 mm"),
        ("2024 | death", "2024, Died"),
    ],
)
def test_a_record_is_told_with_its_day_as_exact_as_known(line: str, said: str) -> None:
    assert only(line) == said


def test_a_laboratory_value_is_told_with_its_bound_its_unit_and_its_limits() -> None:
    assert only("2024-03-05 | neutrophils <0.1 (1.8-6.3)").startswith(
        "2024-03-05, Neutrophils, absolute count <0.1 10⁹/L, normal 1.8–6.3"
    )


def test_a_power_of_ten_is_raised() -> None:
    assert (pretty("10*9/L"), pretty("10*12/L"), pretty("U/L")) == ("10⁹/L", "10¹²/L", "U/L")


def test_what_gave_way_is_shown_and_said_not_to_count() -> None:
    order = events.Dose(**AT, agent="glofitamab", evidence="request", flags=("outranked",))
    ruled_out = events.Assessment(**AT, category="PD", method="trend", flags=("a-trend-is-not-a-response",))
    whole: Subject = patient(WHOLE).model_copy(update={"outranked": (order,), "overruled": (ruled_out,)})
    beside = [fact for fact in facts_of(whole, study()) if not fact.counts]
    assert [fact.what for fact in beside] == ["Glofitamab, only ordered", "Progressive disease, read from trend"]
    assert {fact.remarks for fact in beside} == {"not counted; outranked", "not counted; a trend is not a response"}


def test_a_range_of_a_lesion_is_told_as_a_range() -> None:
    lesion = events.Lesion(**AT, longest_mm=Decimal(80), at_least_mm=Decimal(60))
    assert list(words(lesion, study())) == ["Lesion", "Longest diameter 60 to 80 mm"]
