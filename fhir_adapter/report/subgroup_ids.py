"""Which statistics speak of subgroups: told by their ids."""

from __future__ import annotations

from fhir_adapter.cohort.estimate import Estimate

_COMPARED = (".logrank.", ".hr.")


def is_comparison(estimate: Estimate) -> bool:
    """Whether an estimate compares the levels of a subgroup."""
    return any(word in estimate.id for word in _COMPARED)


def is_of_subgroup(estimate: Estimate) -> bool:
    """Whether an estimate speaks of a subgroup, or of the comparison of subgroups."""
    return "[" in estimate.id or is_comparison(estimate)
