"""Every page in Chromium: on wide, middle and narrow screens, dark, and on paper; with the rules of axe."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from chromium import WAYS, Seen

REPORTS = ("run", "one", "nobody", "many", "withheld", "hostile")
PAGES = (*REPORTS, "person")
SMALLEST_LETTERS = 9  # CSS pixels high; smaller ones are not read
Looked = Mapping[tuple[str, str], Seen]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("page", PAGES)
def test_nothing_keeps_anybody_from_reading_it(seen: Looked, page: str, way: str) -> None:
    assert seen[page, way].serious == []


@pytest.mark.parametrize("way", ["wide", "tablet", "narrow", "dark and narrow"])
@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_as_wide_as_the_window(seen: Looked, page: str, way: str) -> None:
    assert seen[page, way].wider <= 0


@pytest.mark.parametrize("page", PAGES)
def test_it_runs_nothing_asks_for_nothing_and_makes_the_browser_complain_of_nothing(seen: Looked, page: str) -> None:
    for way in WAYS:
        found = seen[page, way]
        assert (found.scripts, found.asked, list(found.complaints)) == (0, 1, [])


@pytest.mark.parametrize("page", PAGES)
def test_on_a_dark_screen_it_is_dark_and_on_paper_it_is_white(seen: Looked, page: str) -> None:
    assert _light(seen[page, "dark"].background) < 60 < 180 < _light(seen[page, "dark"].ink)
    assert _light(seen[page, "paper"].background) > 240
    assert _light(seen[page, "paper"].ink) < 60


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("page", REPORTS)
def test_figures_have_a_name_say_what_they_show_and_cut_no_word_off(seen: Looked, page: str, way: str) -> None:
    figures = seen[page, way].figures
    assert len(figures) >= 3
    for figure in figures:
        assert figure["title"]
        assert figure["words"]
        assert figure["smallest"] >= (SMALLEST_LETTERS if way != "paper" else 0)
        assert figure["cut"] == []


@pytest.mark.parametrize("page", PAGES)
def test_it_can_be_printed(seen: Looked, page: str) -> None:
    assert 1 <= seen[page, "paper"].pages <= 40


def test_many_people_make_no_longer_page_than_few(seen: Looked) -> None:
    assert len(seen["many", "wide"].text) < 1.2 * len(seen["run", "wide"].text)
    assert "5000" in seen["many", "wide"].text


def test_hostile_texts_are_read_as_they_were_written(seen: Looked) -> None:
    text = seen["hostile", "wide"].text
    assert "<script>alert('1')</script> [/x] $x_1$" in text
    assert "&amp;" in text
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text


def test_somebody_who_has_never_seen_it_finds_the_answer_first(seen: Looked) -> None:
    _, _, text = seen["run", "wide"].text.partition("Definitions\n")  # after the table of contents
    order = ["In short", "12 are in the cohort", "Read with care", "What was asked", "On what data", "Baseline"]
    places = [text.index(one) for one in order]
    assert places == sorted(places)


def _light(colour: str) -> float:
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
