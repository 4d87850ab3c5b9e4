"""What the page shows where a study withholds small numbers of people."""

from __future__ import annotations

import re

import pytest
from study12_estimates import row, study

from fhir_adapter.analysis.disclosure import disclosed
from fhir_adapter.analysis.proportions import proportion
from fhir_adapter.analysis.survival import kaplan_meier
from fhir_adapter.report.attrition import attrition
from fhir_adapter.report.figures import Panel, survival_picture
from fhir_adapter.report.tables import shares

LEAST = 5
ASKED = study()
STUDY = ASKED.model_copy(update={"parameters": ASKED.parameters.model_copy(update={"min_cell": LEAST})})


def test_few_who_left_are_not_told_by_any_column() -> None:
    """Two left at the second step: neither their number, nor who came and remained, gives it away."""
    flow = (
        row("diagnosis", "other_disease", 40, 10, 30),
        row("bsab", "no_bsab", 30, 2, 28),
        row("car_t", "no_infusion", 28, 8, 20),
    )
    assert [line[1:] for line in attrition(flow, STUDY).rows] == [
        ("40", "another disease: 10", "withheld"),
        ("withheld", "no bispecific antibody: withheld", "28"),
        ("28", "no CAR-T infusion: 8", "20"),
    ]


def test_a_single_small_reason_takes_the_next_with_it() -> None:
    flow = (row("bsab", "no_bsab", 40, 2, 20), row("bsab", "other_disease", 40, 8, 20), row("bsab", "x", 40, 10, 20))
    ((_, came, reasons, left),) = attrition(flow, STUDY).rows
    assert (came, left) == ("40", "20")
    assert re.findall(r": (\w+)", reasons) == ["withheld", "withheld", "10"]


def test_a_small_share_is_said_to_be_withheld() -> None:
    one = proportion(("baseline.bulky", "baseline", "Bulky disease"), 2, 40, STUDY, missing=1)
    ((_, people, value, between, unknown),) = shares(disclosed([one], STUDY), STUDY).rows
    assert (value, people, between, unknown) == ("withheld", "–", "–", "withheld")


@pytest.mark.parametrize(("events", "withheld"), [([1] * 3 + [0] * 9, True), ([1] * 6 + [0] * 6, False)])
def test_a_curve_of_few_events_is_not_drawn_and_few_at_risk_are_not_counted(events: list[int], withheld: bool) -> None:
    curve = kaplan_meier([30 * (1 + place) for place in range(12)], events)
    text = survival_picture("os", "OS", [Panel("OS", {"": curve})], 30.4375, LEAST).svg.decode("utf-8")
    below = re.findall(r">([^<>]+)</text>", text[text.index(">Number at risk") :])[1:]
    assert ("Withheld" in text) == withheld
    assert withheld == (not below)
    assert all(shown == "0" or shown == f"&lt;{LEAST}" or int(shown) >= LEAST for shown in below)
