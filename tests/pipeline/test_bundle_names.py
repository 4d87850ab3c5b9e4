"""References that work only inside a Bundle still lead somewhere when the cohort is built."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from whole_runs import bundles, files, resources, succeed


def renamed(value: Any, names: dict[str, str]) -> Any:
    """Every reference to one of these resources by its name inside the Bundle."""
    if isinstance(value, dict):
        return {key: names.get(one, one) if key == "reference" else renamed(one, names) for key, one in value.items()}
    return [renamed(one, names) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("with_ids", [True, False], ids=["with ids of their own", "with ids from their names"])
def test_patients_and_medicines_are_found_by_the_names_they_have_in_their_bundle(
    with_ids: bool, tmp_path: Path
) -> None:
    found = resources(bundles("SYN-07", "shared"))
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "all.json").write_text(json.dumps(bundle(found, {})))
    names = {
        f"{one['resourceType']}/{one['id']}": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, one['id'])}"
        for one in found
        if one["resourceType"] in ("Patient", "Medication")
    }
    other = tmp_path / "named"
    other.mkdir()
    given = [one if with_ids or one["resourceType"] != "Medication" else without_id(one) for one in found]
    keys = [f"{one['resourceType']}/{one['id']}" for one in found]
    (other / "all.json").write_text(json.dumps(bundle(given, names, keys)))
    for source, out in ((folder, "a"), (other, "b")):
        succeed("fetch", "--folder", source, "--out", tmp_path / out)
        succeed("analyze", "--out", tmp_path / out)
    assert "medication-not-resolved" not in (tmp_path / "b" / "cohort" / "rejects.csv").read_text()
    assert doses(tmp_path / "b") == doses(tmp_path / "a") != []


def without_id(one: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != "id"}


def bundle(found: list[dict[str, Any]], names: dict[str, str], keys: list[str] | None = None) -> dict[str, Any]:
    keys = keys or [f"{one['resourceType']}/{one['id']}" for one in found]
    entries = [
        {"resource": renamed(one, names), **({"fullUrl": names[key]} if key in names else {})}
        for key, one in zip(keys, found, strict=True)
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def doses(out: Path) -> list[str]:
    return files(out, "cohort")["cohort/doses.csv"].decode().splitlines()[1:]
