"""The Measures of the second study ask for what the analysis of that study computes, and speak of nothing else."""

from __future__ import annotations

import json

import pytest

from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.cohort.judgement import STEPS
from fhir_adapter.mapping.study import read_study
from fhir_adapter.publish.group import estimate_id

MYELOMA = "bsab-cart-myeloma"


@pytest.mark.parametrize("version", ["5.0", "6.0"])
def test_every_statistic_is_reported_and_every_reported_statistic_exists(version: str) -> None:
    study = read_study(MYELOMA, {"ctcae_version": version}).study
    computed = [one.id for one in estimate((), (), [(step, 0) for step in STEPS], study)]
    asked = [estimate_id(group, one.family) for one in study.measures for group in one.resource["group"]]
    assert sorted(asked) == sorted(computed)


def test_every_measure_is_of_this_study_and_of_its_disease() -> None:
    for one in read_study(MYELOMA).study.measures:
        text = json.dumps(one.resource)
        assert one.url.endswith(f"/Measure/{MYELOMA}-{one.family}")
        for word in ("dlbcl", "lymphoma", "CD19", "CD20", "Lugano", "glofitamab"):
            assert word.casefold() not in text.casefold(), one.family
