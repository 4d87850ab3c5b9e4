"""The Provenance that goes with changed documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from study12_estimates import CUT, FLOW, START, estimates, study

from fhir_adapter.errors import UsageError
from fhir_adapter.publish import provenance
from fhir_adapter.publish.measure_report import build_reports

NOW = "2025-08-02T01:00:00+08:00"


def targets() -> list[dict[str, Any]]:
    documents = build_reports(estimates(), study(), flow=FLOW, period_start=START, period_end=CUT)
    return [one.resource for one in documents if one.type == "MeasureReport"][:2]


def built(**changed: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "targets": targets(),
        "software": "fhir-adapter/0.1.0",
        "study": study(),
        "inputs": {"store": "a" * 64, "settings": "b" * 64},
        "recorded": NOW,
    }
    given |= changed
    return provenance.build(given.pop("targets"), **given)


def test_it_names_targets_software_study_and_input_hashes() -> None:
    found = built()
    assert [one["reference"] for one in found["target"]] == [
        "MeasureReport/bsab-cart-dlbcl.site-01.attrition.2025-08-01",
        "MeasureReport/bsab-cart-dlbcl.site-01.baseline.2025-08-01",
    ]
    assert found["agent"][0]["type"]["coding"][0]["code"] == "assembler"
    assert found["agent"][0]["who"]["identifier"]["value"] == "fhir-adapter/0.1.0"
    sources = [one["what"]["identifier"]["value"] for one in found["entity"]]
    assert sources == [f"bsab-cart-dlbcl/1.0.0 sha256:{'f' * 64}", f"sha256:{'b' * 64}", f"sha256:{'a' * 64}"]
    assert {one["role"] for one in found["entity"]} == {"source"}


def test_it_goes_through_its_r4_model_and_comes_out_the_same() -> None:
    sent = json.loads(json.dumps(built(), default=str))
    assert json.loads(get_fhir_model_class("Provenance").model_validate(sent).model_dump_json()) == sent


def test_the_id_does_not_depend_on_the_clock() -> None:
    assert built()["id"] == built(recorded="2025-08-03T01:00:00+08:00")["id"]
    assert built(recorded="2025-08-03T01:00:00+08:00")["recorded"] == "2025-08-03T01:00:00+08:00"


@pytest.mark.parametrize(
    "changed",
    [
        {"software": "fhir-adapter/0.2.0"},
        {"study": study(fingerprint="e" * 64)},
        {"inputs": {"store": "c" * 64}},
        {"targets": [{"resourceType": "MeasureReport", "id": "x"}]},
    ],
)
def test_the_id_changes_with_software_study_input_and_content(changed: dict[str, Any]) -> None:
    assert built(**changed)["id"] != built()["id"]


def test_the_version_a_server_gave_does_not_change_the_id() -> None:
    stamped = [{**one, "meta": {"versionId": "7"}} for one in targets()]
    assert built(targets=stamped)["id"] == built()["id"]


def test_without_targets_there_is_nothing_to_tell() -> None:
    with pytest.raises(UsageError):
        built(targets=[])
