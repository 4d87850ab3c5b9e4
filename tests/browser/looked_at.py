"""The pages that are looked at: reports of a run, one person, nobody, many, hostile texts; and a person's page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.judged_people import CUT_2, study, twelve
from report.materials import copies, material, named, tallied
from study12_estimates import row
from whole_runs import STUDY12, succeed

from fhir_adapter.cohort.tallies import Tallies
from fhir_adapter.report.inputs import Material, RunFacts
from fhir_adapter.report.page import render

MANY = 5000
HOSTILE = "<script>alert('1')</script> [/x] $x_1$ \N{RIGHT-TO-LEFT OVERRIDE}אבג مريض 患者 &amp; " + "verylongword" * 25
_GROUPS = ["bsab_failure=relapsed|refractory", "washout_days=below-median|from-median"]


@dataclass(frozen=True)
class Stream:
    """A line of the ledger that is not complete."""

    stream: str
    reason: str
    announced: int | None = None
    received: int = 2
    stored: int = 1
    duplicate: int = 0
    quarantined: int = 1
    deleted: int = 0
    complete: bool = False
    unverified: bool = False


def write_pages(folder: Path) -> Mapping[str, Path]:
    """Every page as a file, by name."""
    found = {name: _written(folder / name, content) for name, content in _reports()}
    out = folder / "run"
    succeed("run", "--folder", STUDY12, "--no-publish", "--out", out, "--set", "data_cut=2025-08-01")
    succeed("explain", "SYN-04", "--out", out, "--html", folder / "person.html")
    return {"run": out / "report" / "index.html", "person": folder / "person.html", **found}


def _reports() -> Iterator[tuple[str, Material]]:
    asked = study(subgroups=_GROUPS)
    yield "one", material(twelve(CUT_2, asked)[:1], asked)
    yield "nobody", material([], asked, flow=(row("person", "", 0, 0, 0),))
    yield "many", material(copies(MANY, asked), asked)
    few = study(subgroups=_GROUPS, min_cell=5)
    yield "withheld", material(copies(40, few), few)
    yield "hostile", _hostile()


def _hostile() -> Material:
    asked = study(subgroups=_GROUPS).model_copy(update={"title": HOSTILE, "site": HOSTILE, "id": HOSTILE})
    people = [named(one, f"{HOSTILE}{number}") for number, one in enumerate(twelve(CUT_2, asked))]
    broken = Stream(HOSTILE, HOSTILE)
    return material(
        people,
        asked,
        facts=RunFacts(HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        flow=(row(HOSTILE, HOSTILE, 13, 1, 12),),
        ledger=(broken,),
        remarks=(HOSTILE,),
        tallies=_hostile_tallies(),
    )


def _hostile_tallies() -> Tallies:
    found = tallied(unknown=[((HOSTILE, HOSTILE, HOSTILE, HOSTILE), "P")])
    found.add_not_used((HOSTILE, HOSTILE), HOSTILE)
    return found


def _written(folder: Path, about: Material) -> Path:
    folder.mkdir()
    for name, content in render(about).items():
        (folder / name).write_bytes(content)
    return folder / "index.html"
