"""Every error has a page with causes and cures, and the pages quote what the software says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from pages import DOCS, Page, page
from sentences import sentences

from fhir_adapter.errors import FhirAdapterError

FOLDER = DOCS / "reference" / "errors"
PAGES = [Page(path) for path in sorted(FOLDER.glob("*.md"))]
QUOTED = re.compile(r'"([^"]+)"')


def below(kind: type[FhirAdapterError]) -> Iterator[type[FhirAdapterError]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from below(inner)


# Refinements elsewhere in the code are told on the page of what they refine.
PUBLIC = {kind.__name__: kind for kind in below(FhirAdapterError) if kind.__module__ == "fhir_adapter.errors"}


def test_every_error_has_a_page_and_so_has_a_bug() -> None:
    assert {one.path.stem for one in PAGES} == {*PUBLIC, "bug"}
    assert len(PUBLIC) > 12


@pytest.mark.parametrize("where", PAGES, ids=repr)
def test_a_page_gives_the_exit_code_of_its_error(where: Page) -> None:
    code = PUBLIC[where.path.stem].exit_code if where.path.stem in PUBLIC else 1
    assert f"\nExit code {code}. " in where.text


@pytest.mark.parametrize("where", PAGES, ids=repr)
def test_every_sentence_that_a_page_quotes_is_said_by_the_software(where: Page) -> None:
    quoted = [sentence for row in where.rows() for sentence in QUOTED.findall(row[0])]
    assert quoted
    assert [sentence for sentence in quoted if sentence not in sentences()] == []


@pytest.mark.parametrize("where", PAGES, ids=repr)
def test_every_cause_has_a_cure(where: Page) -> None:
    assert [row for row in where.rows() if len(row) != 3 or not row[1]] == []


@pytest.mark.parametrize("kind", PUBLIC.values(), ids=lambda kind: kind.__name__)
def test_a_refinement_is_named_on_the_page_of_what_it_refines(kind: type[FhirAdapterError]) -> None:
    parent = kind.__base__
    if parent is not FhirAdapterError:
        assert parent is not None
        assert f"({kind.__name__}.md)" in (FOLDER / f"{parent.__name__}.md").read_text(encoding="utf-8")


def test_the_list_of_errors_leads_to_each_page() -> None:
    links = page("docs/reference/exit-codes.md").links()
    assert [one for one in PAGES if f"errors/{one.path.name}" not in links] == []
