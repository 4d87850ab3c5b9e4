"""`fhir-adapter demo`: the whole job on invented patients, compared with the published study."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest
from whole_runs import ROOT, Ended, Ran, bundles, command

from fhir_adapter.pipeline import demo, loading

CUTS = ("2025-02-24", "2025-08-01")
STUDY = ROOT / "mappings" / "bsab-cart-dlbcl"
ROW = re.compile(r"│ (.+?) +│ (.+?) +│ (.+?) +│ (yes|NO) +│")


def tables(shown: str) -> dict[str, list[tuple[str, ...]]]:
    """The rows of every comparison on the screen, by data cut."""
    parts = re.split(r"Data cut (\d{4}-\d\d-\d\d)", shown)
    return {cut: ROW.findall(text) for cut, text in zip(parts[1::2], parts[2::2], strict=True)}


def published(cut: str) -> list[tuple[str, str]]:
    with (STUDY / "published" / f"{cut}.csv").open(encoding="utf-8", newline="") as file:
        return [(row["figure"], row["published"]) for row in csv.DictReader(file)]


def test_the_demo_succeeds(demonstrated: Ran) -> None:
    assert demonstrated.ended.code == 0, demonstrated.ended.told


def test_both_data_cuts_are_shown_with_every_published_figure(demonstrated: Ran) -> None:
    shown = tables(demonstrated.ended.out)
    assert tuple(shown) == CUTS
    for cut in CUTS:
        assert [row[:2] for row in shown[cut]] == published(cut)


def test_every_figure_is_the_same(demonstrated: Ran) -> None:
    for rows in tables(demonstrated.ended.out).values():
        for figure, printed, computed, same in rows:
            assert (printed, same) == (computed, "yes"), figure


def test_the_paths_on_the_screen_exist(demonstrated: Ran) -> None:
    paths = re.findall(r"^  (\S+)$", demonstrated.ended.out, re.MULTILINE)
    assert len(paths) == 10
    for path in paths:
        assert (demonstrated.out.parent / path).exists(), path


def test_the_report_is_made_for_both_cuts(demonstrated: Ran) -> None:
    for cut in CUTS:
        assert "not reached" in (demonstrated.out / cut / "report" / "index.html").read_text(encoding="utf-8")


@pytest.fixture
def small_study(tmp_path: Path) -> Path:
    """A copy of the study folder that has published two figures about one person of the study."""
    folder = tmp_path / "mappings" / STUDY.name
    shutil.copytree(STUDY.parent, folder.parent)
    (folder / "published" / "2025-02-24.csv").unlink()
    (folder / "published" / "2025-08-01.csv").write_text(
        "id,figure,published,digits,show,set\n"
        "baseline.n,People,1,0,count,\n"
        'washout.median,"Washout, days: median (range)",77 (77-77),1,median (range),\n',
        encoding="utf-8",
    )
    return folder


def compared(study: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> Ended:
    monkeypatch.setattr(demo, "STUDY", str(study))
    monkeypatch.setattr(loading, "fixture_bundles", lambda: iter(bundles("SYN-01")))
    ended = command("demo", "--out", out)
    assert "Traceback" not in ended.told
    return ended


def test_figures_that_are_all_the_same_make_the_demo_succeed(
    tmp_path: Path, small_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = compared(small_study, tmp_path / "shown", monkeypatch)
    assert ended.code == 0, ended.told
    assert "2 of 2 figures are the same." in ended.out


def test_one_figure_that_differs_makes_the_demo_fail(
    tmp_path: Path, small_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = small_study / "published" / "2025-08-01.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("77 (77-77)", "78 (77-77)"), encoding="utf-8")
    ended = compared(small_study, tmp_path / "shown", monkeypatch)
    assert ended.code != 0
    different = [row for row in tables(ended.out)["2025-08-01"] if row[3] == "NO"]
    assert different == [("Washout, days: median (range)", "78 (77-77)", "77 (77-77)", "NO")]
    assert "1 of 2 figures are the same." in ended.out
