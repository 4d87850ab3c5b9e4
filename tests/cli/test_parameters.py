"""Parameters change the answer as they must: `--set KEY=VALUE`, or the same in the TOML file."""

from __future__ import annotations

import pytest
from whole_runs import Analysed

# What somebody without an event yet is censored for by `pfs_censor`.
ENDED_BY_PROGRESSION = {"PFS", "EFS", "TTP", "DOR", "DOCR", "relapse", "nrm"}


@pytest.mark.parametrize(
    ("interval_days", "refractory", "relapsed"), [(183, 12, 0), (28, 9, 3)], ids=["half a year", "four weeks"]
)
def test_failure_by_the_time_to_progression(
    interval_days: int, refractory: int, relapsed: int, analysed: Analysed
) -> None:
    found = analysed(bsab_status_rule="best_response_or_pd_within", interval_days=interval_days)
    assert (found["failure.refractory"]["numerator"], found["failure.refractory"]["denominator"]) == (refractory, 12)
    assert found["failure.relapsed"]["numerator"] == relapsed


def test_parameters_given_leave_the_rest_as_it_was(analysed: Analysed) -> None:
    as_it_is, changed = analysed(), analysed(pfs_censor="last_contact")
    different = {id for id in as_it_is if as_it_is[id] != changed[id]}
    assert {"pfs.6m", "pfs.12m"} <= different
    assert [round(100 * found["pfs.12m"]["value"], 1) for found in (as_it_is, changed)] == [54.5, 58.3]
    assert {as_it_is[id]["endpoint"] for id in different} <= ENDED_BY_PROGRESSION
