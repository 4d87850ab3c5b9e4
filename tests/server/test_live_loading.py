"""`sandbox load` and `unload` against a live server: it is left as it was."""

from __future__ import annotations

from pathlib import Path

from live import Live
from whole_runs import bundles, command, resources, succeed

from fhir_adapter.pipeline.loading import TAG_SYSTEM
from fhir_adapter.pipeline.receipt import read_receipt


def test_what_is_loaded_can_be_found_by_its_tag_and_is_taken_away_whole(live: Live, tmp_path: Path) -> None:
    receipt = tmp_path / "load.json"
    consent = () if live.is_ours else ("--yes-this-is-a-test-server",)
    told = succeed("sandbox", "load", *live.source, "--study-only", "--receipt", receipt, *consent).out
    loaded = read_receipt(receipt)
    expected = {f"{one['resourceType']}/{one['id']}" for one in resources(bundles())}
    try:
        assert f"{len(expected)} resources loaded" in told
        assert loaded.resources.keys() == expected
        tag = f"{TAG_SYSTEM}|{loaded.load}"
        assert {one["id"] for one in live.search("Patient", _tag=tag)} == set(loaded.patients)
        encounter = live.read(loaded.resources["Encounter/SYN-01-visit-20230831"])
        assert encounter["subject"]["reference"] == loaded.resources["Patient/SYN-01"]
    finally:
        told = succeed("sandbox", "unload", *live.source, "--receipt", receipt).out
    assert f"{len(expected)} resources removed" in told
    for type in loaded.types:
        assert live.search(type, _tag=tag) == []
    assert command("sandbox", "unload", *live.source, "--receipt", receipt).code == 2
