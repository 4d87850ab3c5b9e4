"""No patient data outside the output folder: not on the screen, not in run.json, not in messages."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_runs import Ran, Served, bundles, command, resource, resources, succeed, write_ndjson


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


def test_a_file_named_after_a_patient_is_not_named_when_it_is_damaged(tmp_path: Path) -> None:
    write_ndjson(tmp_path / "in" / "good.ndjson", [resource("Patient/SYN-02")])
    (tmp_path / "in" / "SYN-01 1966-02-11.json").write_text('{"resourceType": "Patient", "id": ', encoding="utf-8")
    ended = command("run", "--folder", tmp_path / "in", "--out", tmp_path / "out")
    assert ended.code == 5
    assert leaks(ended.told) == []


def test_odd_values_never_reach_the_screen(tmp_path: Path) -> None:
    """Every text of one record is a canary; some of it cannot be understood."""
    patient = {"resourceType": "Patient", "id": "canary-1", "birthDate": "canary-2", "name": [{"family": "canary-3"}]}
    lab = resource("Observation/SYN-01-hgb-20230724") | {
        "id": "canary-4",
        "subject": {"reference": "Patient/canary-1", "display": "canary-5"},
        "effectiveDateTime": "canary-6",
        "valueQuantity": {"value": "canary-7", "unit": "canary-8"},
        "note": [{"text": "canary-9"}],
        "modifierExtension": [{"url": "canary-10", "valueString": "canary-11"}],
    }
    odd = [patient, lab, lab | {"id": "odd", "status": ["canary-12"]}]
    write_ndjson(tmp_path / "in" / "everything.ndjson", odd)
    ended = command("run", "--folder", tmp_path / "in", "--out", tmp_path / "out")
    assert ended.code == 0, ended.told
    told = json.loads((tmp_path / "out" / "run.json").read_bytes())
    assert "canary" not in ended.told + json.dumps(told)
    assert "canary-9" not in "".join(path.read_text("utf-8") for path in (tmp_path / "out" / "cohort").iterdir())


def test_only_the_user_may_read_what_is_written(demonstrated: Ran) -> None:
    """Made in a shell with the usual umask, in which others may read."""
    found = list(demonstrated.out.rglob("*"))
    assert len(found) > 60
    for path in [demonstrated.out, *found]:
        if not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
