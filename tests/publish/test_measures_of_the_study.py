"""The Measures of the reference study ask for exactly what the analysis of that study computes."""

from __future__ import annotations

import pytest

from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.cohort.judgement import STEPS
from fhir_adapter.mapping.study import read_study
from fhir_adapter.publish.group import estimate_id


@pytest.mark.parametrize("version", ["5.0", "6.0"])
def test_every_statistic_is_reported_and_every_reported_statistic_exists(version: str) -> None:
    study = read_study("bsab-cart-dlbcl", {"ctcae_version": version}).study
    computed = [one.id for one in estimate((), (), [(step, 0) for step in STEPS], study)]
    asked = [estimate_id(group, one.family) for one in study.measures for group in one.resource["group"]]
    assert sorted(asked) == sorted(computed)
