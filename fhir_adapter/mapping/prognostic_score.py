"""Observation → the points of a prognostic score that somebody wrote down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fhir_adapter.cohort.events import PrognosticScore, RecordedScore
from fhir_adapter.fhir.r4 import Observation
from fhir_adapter.mapping.reading import Said
from fhir_adapter.mapping.result import Place, Result, whole_number

SCORES: Mapping[str, PrognosticScore] = {
    "ipi-score": "ipi",
    "r-ipi-score": "r_ipi",
    "aa-ipi-score": "aa_ipi",
    "nccn-ipi-score": "nccn_ipi",
}
_MOST: Mapping[PrognosticScore, int] = {"ipi": 5, "r_ipi": 5, "aa_ipi": 3, "nccn_ipi": 8}


def map_score(name: str, result: Result, _: Observation, place: Place) -> Iterator[Said]:
    """Points that the score cannot have are those of another one: an "IPI" of 7 is an NCCN-IPI, and is not read."""
    score, points = SCORES[name], whole_number(result)
    if points is None or not 0 <= points <= _MOST[score]:
        yield place.aside("score-out-of-range")
    else:
        yield RecordedScore(on=place.on, source=place.source, flags=place.flags, score=score, points=points)
