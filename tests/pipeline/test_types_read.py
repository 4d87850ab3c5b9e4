"""Statements, dispenses and orders are fetched only for a study that accepts them as evidence of a dose."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import httpx
from lyingserver import LyingServer
from mapping.hospital import PERSON
from spec.edge_cases.chart import chart, resource
from whole_runs import command

from fhir_adapter.ehr.transport import Transport
from fhir_adapter.fhir.r4 import READ_TYPES
from fhir_adapter.pipeline.planning import plan_fetch
from fhir_adapter.pipeline.types_read import types_read
from fhir_adapter.settings import Settings

ACCEPTING = {"exposure_evidence": "administration,request"}
ORDER = resource(
    "MedicationRequest",
    "order",
    status="completed",
    intent="order",
    authoredOn="2024-01-22",
    medicationCodeableConcept={"text": "glofitamab"},
)


def test_only_the_evidence_that_the_study_accepts_is_asked_for() -> None:
    assert types_read(Settings()) == READ_TYPES
    assert types_read(Settings(set=ACCEPTING)) == (*READ_TYPES, "MedicationRequest")
    assert types_read(Settings(set={"further_records": "specimen"})) == (*READ_TYPES, "Specimen")


def test_a_server_is_asked_for_the_same() -> None:
    server = LyingServer()
    transport = Transport(server.base, max_tries=1, wire=httpx.MockTransport(server))
    for settings in (Settings(server=server.base), Settings(server=server.base, set=ACCEPTING)):
        plan = plan_fetch(transport, settings, "2026-11-22T12:00:00Z")
        assert tuple(stream.type for stream in plan.streams) == types_read(settings)


def folder_with_an_order(path: Path) -> Path:
    path.mkdir()
    lines = [json.dumps(one, ensure_ascii=False) for one in (PERSON, *chart(ORDER))]
    (path / "everything.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def built(tmp_path: Path, **parameters: str) -> Path:
    """The output folder after fetching and building with some parameters of the study."""
    records, out, config = folder_with_an_order(tmp_path / "records"), tmp_path / "out", tmp_path / "site.toml"
    config.write_text("[set]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in parameters.items()))
    assert command("fetch", "--folder", records, "--out", out, "--config", config).code == 0
    assert command("build", "--out", out, "--config", config).code == 0
    return out


def test_a_dose_from_an_order_reaches_the_tables_and_its_label_the_findings(tmp_path: Path) -> None:
    out = built(tmp_path, data_cut="none", **ACCEPTING)
    bsab = [row for row in rows(out / "cohort/doses.csv") if row["agent"] == "glofitamab"]
    assert [(row["date"], row["evidence"]) for row in bsab] == [("2024-01-22", "request")]
    assert [row["washout_days"] for row in rows(out / "cohort/subjects.csv")] == ["42"]
    assert "from order" in (out / "cohort/findings.ndjson").read_text(encoding="utf-8")


def test_without_that_the_order_is_passed_over_and_nobody_was_treated(tmp_path: Path) -> None:
    out = built(tmp_path, data_cut="none")
    assert rows(out / "cohort/doses.csv") == []
    assert {row["reason"] for row in rows(out / "cohort/flow.csv")} >= {"no_bsab"}
