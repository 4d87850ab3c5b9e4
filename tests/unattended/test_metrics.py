"""The file for Prometheus: written after every run that was begun, also a failed one; counts and times only."""

from __future__ import annotations

import stat
from datetime import datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from site_of_ours import Site
from whole_runs import command

from fhir_adapter.output_folder import OutputFolder


@pytest.fixture
def metrics(site: Site) -> Path:
    path = site.home / "fhir-adapter.prom"
    site.set(f'metrics_file = "{path}"\n')
    return path


def read(path: Path) -> dict[str, float]:
    """Every sample, by its name and labels as they are written."""
    families = text_string_to_metric_families(path.read_text(encoding="utf-8"))
    samples = (sample for family in families for sample in family.samples)
    return {
        f"{sample.name}{{{','.join(f'{name}={value}' for name, value in sorted(sample.labels.items()))}}}": sample.value
        for sample in samples
    }


def test_a_success_is_written_with_its_counts(site: Site, metrics: Path) -> None:
    assert site.run("run").code == 0
    found = read(metrics)
    assert found["fhir_adapter_last_run_exit_code{}"] == 0
    assert found["fhir_adapter_last_run_duration_seconds{}"] > 0
    ended_at = datetime.fromisoformat(site.remembered()["ended_at"]).timestamp()
    assert found["fhir_adapter_last_success_timestamp_seconds{}"] == ended_at
    assert found["fhir_adapter_last_run_timestamp_seconds{}"] == ended_at
    counts = {
        outcome: found[f"fhir_adapter_last_run_resources{{outcome={outcome},type=Patient}}"]
        for outcome in ("received", "stored", "duplicate", "quarantined", "deleted", "swept")
    }
    assert counts["received"] > 100
    assert counts["received"] == counts["stored"] + counts["duplicate"] + counts["quarantined"] + counts["deleted"]
    assert found["fhir_adapter_last_run_complete{type=Patient}"] == 1


def test_a_failure_is_written_and_the_last_success_is_kept(site: Site, metrics: Path) -> None:
    assert site.run("fetch").code == 0
    success = read(metrics)["fhir_adapter_last_success_timestamp_seconds{}"]
    site.damage()
    assert site.run("fetch").code == 5
    found = read(metrics)
    assert found["fhir_adapter_last_run_exit_code{}"] == 5
    assert found["fhir_adapter_last_run_complete{type=Observation}"] == 0
    assert found["fhir_adapter_last_run_complete{type=Patient}"] == 1
    assert found["fhir_adapter_last_success_timestamp_seconds{}"] == success


def test_before_the_first_success_there_is_no_time_of_one(site: Site, metrics: Path) -> None:
    site.damage()
    assert site.run("fetch").code == 5
    assert [name for name in read(metrics) if "success" in name] == []


def test_a_run_that_never_reached_its_server_is_written(site: Site, metrics: Path) -> None:
    ended = command("run", "--config", site.settings, "--server", "http://127.0.0.1:9/fhir")
    assert ended.code == 4
    found = read(metrics)
    assert found["fhir_adapter_last_run_exit_code{}"] == 4
    assert found["fhir_adapter_last_run_retries{}"] == 1


def test_a_run_that_found_the_folder_in_use_leaves_the_metrics_to_the_other(site: Site, metrics: Path) -> None:
    assert site.run("fetch").code == 0
    before = metrics.read_bytes()
    with OutputFolder(site.out).locked():
        assert site.run("fetch").code == 6
    assert metrics.read_bytes() == before
    assert site.remembered()["exit_code"] == 0


@pytest.mark.parametrize("mode", ["0600", "0640", "0644"])
def test_who_may_read_it_is_a_setting(mode: str, site: Site, metrics: Path) -> None:
    site.set(f'metrics_file = "{metrics}"\nmetrics_mode = "{mode}"\n')
    for _ in range(2):
        assert site.run("fetch").code == 0
        assert stat.S_IMODE(metrics.stat().st_mode) == int(mode, 8)


def test_only_the_owner_may_read_it_unless_told_otherwise(site: Site, metrics: Path) -> None:
    assert site.run("fetch").code == 0
    assert stat.S_IMODE(metrics.stat().st_mode) == 0o600
    assert [path.name for path in site.home.iterdir() if path.name.startswith(".")] == []


def test_no_name_of_a_file_becomes_a_label(site: Site, metrics: Path) -> None:
    (site.home / "records" / "Patient.ndjson").rename(site.home / "records" / "Jane Doe 1966.ndjson")
    assert site.run("fetch").code == 0
    assert "fhir_adapter_last_run_complete{type=file}" in read(metrics)
    assert "Doe" not in metrics.read_text()


def test_a_file_that_cannot_be_written_changes_nothing_of_the_run(site: Site, metrics: Path) -> None:
    metrics.mkdir()
    ended = site.run("fetch")
    assert ended.code == 0
    assert "the metrics file could not be written" in ended.err
    assert [path.name for path in site.home.iterdir() if path.name.startswith(".")] == []


def test_a_folder_that_is_not_there_is_found_before_the_night(site: Site) -> None:
    site.set('metrics_file = "/no/such/folder/fhir-adapter.prom"\n')
    ended = site.run("fetch")
    assert (ended.code, "`metrics_file`" in ended.err) == (2, True)
