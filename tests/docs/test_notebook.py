"""The notebook of the documentation runs from top to bottom and shows what its text says."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from pages import DOCS

PATH = DOCS / "notebook.ipynb"


@pytest.fixture(scope="module")
def run() -> Any:
    """The notebook after it was run beside the fixtures, as somebody would who opens it where it lies."""
    notebook = nbformat.read(PATH, as_version=4)
    return NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(DOCS)}}).execute()


def shown(notebook: Any, begins: str) -> str:
    """What the cell that begins so has shown, as text."""
    (cell,) = (one for one in notebook.cells if one.cell_type == "code" and one.source.startswith(begins))
    told = (one.get("text") or one.get("data", {}).get("text/plain", "") for one in cell.outputs)
    return "".join(told)


def test_every_cell_shows_something(run: Any) -> None:
    code = [cell for cell in run.cells if cell.cell_type == "code"]
    assert len(code) > 7
    assert [cell.source for cell in code if not cell.outputs] == []


def test_it_shows_the_numbers_of_the_reference_study(run: Any) -> None:
    assert shown(run, "%matplotlib") == "<cohort of 12 people, 0 not included>"
    assert shown(run, "def pfs").splitlines() == [
        "censored at the last assessment: 54.5%",
        "censored at the last contact:    58.3%",
    ]
    assert shown(run, "from lifelines").startswith("refractory: 8 people, ")
    assert shown(run, "for finding").startswith("eligibility: met\n  In the cohort: ")


def test_its_curves_are_a_picture(run: Any) -> None:
    (cell,) = (one for one in run.cells if one.source == "cohort.survival_figure()")
    assert "image/png" in cell.outputs[0].data


def test_it_is_kept_without_outputs() -> None:
    cells = [cell for cell in nbformat.read(PATH, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in cells if cell.outputs or cell.execution_count] == []
