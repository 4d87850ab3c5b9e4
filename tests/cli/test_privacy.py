"""No patient data outside the output folder: not on the screen, not in run.json. What goes wrong is in tests/faults."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_runs import Ran, Served, bundles, resources, succeed, write_ndjson


def canaries() -> Iterator[str]:
    """Everything that names a person of the study: ids, names, birth dates, and the words of their record."""
    for one in resources(bundles()):
        if one["resourceType"] == "Patient":
            yield one["id"]
            yield one["birthDate"]
            for name in one.get("name", []):
                yield from (part for part in (name.get("text"), name.get("family"), *name.get("given", [])) if part)
            yield from (identifier["value"] for identifier in one.get("identifier", []))


CANARIES = sorted({text for text in canaries() if len(text) > 1})


def leaks(text: str) -> list[str]:
    return [one for one in CANARIES if re.search(rf"(?<![\w]){re.escape(one)}(?![\w])", text)]


def test_the_people_of_the_study_have_names_to_look_for() -> None:
    assert len(CANARIES) > 36
    assert leaks("about SYN-04.") == ["SYN-04"]


def test_the_screen_shows_no_patient_data(served: Served, demonstrated: Ran) -> None:
    assert leaks(served.ended.told) == []
    assert leaks(demonstrated.ended.told) == []


def test_run_json_holds_no_patient_data(served: Served, demonstrated: Ran) -> None:
    assert leaks((served.out / "run.json").read_text(encoding="utf-8")) == []
    for path in demonstrated.out.glob("*/run.json"):
        assert leaks(path.read_text(encoding="utf-8")) == []


def test_what_is_published_holds_no_patient_data(served: Served) -> None:
    for path in (served.out / "publish").iterdir():
        assert leaks(path.read_text(encoding="utf-8")) == [], path.name


@pytest.mark.parametrize("verb", ["status", "build"])
def test_other_commands_show_no_patient_data(verb: str, tmp_path: Path) -> None:
    write_ndjson(tmp_path / "in" / "everything.ndjson", resources(bundles("SYN-02")))
    fetched = succeed("fetch", "--folder", tmp_path / "in", "--out", tmp_path / "out")
    assert leaks(fetched.told + succeed(verb, "--out", tmp_path / "out").told) == []


def test_only_the_user_may_read_what_is_written(demonstrated: Ran) -> None:
    """Made in a shell with the usual umask, in which others may read."""
    found = list(demonstrated.out.rglob("*"))
    assert len(found) > 60
    for path in [demonstrated.out, *found]:
        if not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
