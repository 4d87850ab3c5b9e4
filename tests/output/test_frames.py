"""What a notebook gets: DataFrames and figures that say the same as the files of a run."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from whole_runs import bundles, resources, succeed, write_ndjson

import fhir_adapter as fa
from fhir_adapter.errors import StudyError, UsageError
from fhir_adapter.notebook import CohortFrames


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two people of the study, one with a progression."""
    folder = tmp_path_factory.mktemp("frames") / "in"
    write_ndjson(folder / "everything.ndjson", resources(bundles("SYN-03", "SYN-04", "shared")))
    return folder


@pytest.fixture(scope="module")
def cohort(records: Path) -> CohortFrames:
    return fa.build(fa.load_study("bsab-cart-dlbcl"), records)


def test_frames_are_what_a_run_writes(cohort: CohortFrames, records: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    succeed("fetch", "--folder", records, "--out", out)
    succeed("analyze", "--out", out)
    pd.testing.assert_frame_equal(cohort.adtte, pd.read_parquet(out / "analysis/adtte.parquet"))
    pd.testing.assert_frame_equal(cohort.estimates, pd.read_parquet(out / "analysis/estimates.parquet"))
    pd.testing.assert_frame_equal(cohort.subjects, pd.read_csv(out / "cohort/subjects.csv"))
    assert len(fa.build(fa.load_study("bsab-cart-dlbcl"), out).subjects) == 2


def test_a_curve_begins_with_everybody_and_ends_as_estimated(cohort: CohortFrames) -> None:
    curve = cohort.survival("PFS")
    assert curve.iloc[0][["time", "survival", "at_risk"]].tolist() == [0, 1, 2]
    assert curve["events"].sum() == cohort.adtte.query("PARAMCD == 'PFS' and CNSR == 0").shape[0]
    estimate = cohort.estimates.set_index("id").loc["pfs.6m"]
    assert curve[curve["time"] <= 6 * 30.4375].iloc[-1]["survival"] == estimate["value"]


def test_a_figure_has_a_curve_for_each_endpoint_named(cohort: CohortFrames) -> None:
    titles = [axes.get_title(loc="left") for axes in cohort.survival_figure("OS", "DOR").axes[:2]]
    assert titles == ["Overall survival", "DOR"]
    assert len(cohort.survival_figure().axes) == 4


def test_an_endpoint_that_there_is_not_is_named_an_error(cohort: CohortFrames) -> None:
    for ask in (cohort.survival, cohort.survival_figure):
        with pytest.raises(KeyError, match="there are OS, PFS"):
            ask("pfs")


def test_nobody_is_no_error(tmp_path: Path) -> None:
    dose = {
        **{"resourceType": "MedicationAdministration", "id": "d1", "status": "completed"},
        **{"subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2024-03-01"},
        "medicationCodeableConcept": {"text": "glofitamab"},
    }
    write_ndjson(tmp_path / "Patient.ndjson", [{"resourceType": "Patient", "id": "p1", "gender": "female"}, dose])
    nobody = fa.build(fa.load_study("bsab-cart-dlbcl"), tmp_path)
    assert repr(nobody) == "<cohort of 0 people, 1 not included>"
    assert (len(nobody.subjects), len(nobody.adtte), len(nobody.survival("OS"))) == (0, 0, 0)
    assert list(nobody.survival("OS").columns)[:2] == ["time", "survival"]
    assert nobody.survival_figure("OS").axes
    with pytest.raises(KeyError, match="no such person"):
        nobody.findings("p2")


def test_mistakes_have_the_errors_of_the_commands(tmp_path: Path) -> None:
    with pytest.raises(StudyError):
        fa.load_study("bsab-cart-dlbcl", no_such_parameter=1)
    with pytest.raises(UsageError):
        fa.build(fa.load_study("bsab-cart-dlbcl"), tmp_path / "nowhere")
