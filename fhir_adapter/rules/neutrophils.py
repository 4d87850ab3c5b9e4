"""Neutrophils that nobody counted: from white cells and differential of one sample, or bounded by the white cells.

Parameter `missing_neutrophils`: docs/reference/parameters.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from fhir_adapter.cohort.events import Comparator, Lab
from fhir_adapter.cohort.study import Study

COUNT, WHITE_CELLS = "neutrophils", "leukocytes"
_SHARE, _SEGMENTS, _BANDS = "neutrophil-percent", "neutrophil-segments-percent", "neutrophil-bands-percent"
DERIVED, BOUNDED = "derived-from-differential", "bounded-by-leukocytes"
INPUTS = frozenset((WHITE_CELLS, _SHARE, _SEGMENTS, _BANDS))


def missing_neutrophils(counted: Sequence[Lab], others: Sequence[Lab], study: Study) -> Iterator[Lab]:
    """Counts for the samples of white cells without one; `others` are white cells and shares of neutrophils.

    A share alone is never used, and never that of another sample. Neutrophils are white cells: without a share the
    white cells are an upper bound, which only proves what lies below it.
    """
    if study.parameters.missing_neutrophils == "not_reported":
        return
    for white in (one for one in others if one.observable == WHITE_CELLS):
        if any(_is_one_sample(white, one) for one in counted):
            continue
        if shares := _share_of(white, others):
            yield _derived(white, shares)
        elif study.parameters.missing_neutrophils == "derived_and_bounded" and white.comparator in ("", "<", "<="):
            yield _from(white, white.value, white.comparator or "<=", BOUNDED)


def _share_of(white: Lab, others: Sequence[Lab]) -> tuple[Lab, ...]:
    """The neutrophils of the white cells' own sample, or its segments and bands; nothing when that is not certain."""
    same = [one for one in others if one is not white and not one.comparator and _is_one_sample(white, one)]
    if any(one.observable == WHITE_CELLS and one.source != white.source for one in same):
        # Two counts of one day without times: nobody can say whose share it is.
        same = [one for one in same if one.source.reference == white.source.reference]
    found = {kind: [one for one in same if one.observable == kind] for kind in (_SHARE, _SEGMENTS, _BANDS)}
    if len(found[_SHARE]) == 1:
        return tuple(found[_SHARE])
    both = (*found[_SEGMENTS], *found[_BANDS])
    return both if len(found[_SEGMENTS]) == len(found[_BANDS]) == 1 else ()


def _is_one_sample(white: Lab, other: Lab) -> bool:
    """Whether two results are of one sample: of one panel, one specimen, or one and the same time as recorded."""
    if white.source.reference == other.source.reference:
        return True
    if white.specimen and other.specimen:
        return white.specimen == other.specimen
    return white.on is not None and other.on is not None and white.on.is_one_moment_with(other.on)


def _derived(white: Lab, shares: Sequence[Lab]) -> Lab:
    percent = sum((one.value for one in shares), Decimal(0))
    return _from(white, white.value * percent / 100, white.comparator, DERIVED, shares)


def _from(white: Lab, value: Decimal, comparator: Comparator, flag: str, shares: Sequence[Lab] = ()) -> Lab:
    """A neutrophil count that stands on white cells; the limits of white cells are not those of neutrophils."""
    return Lab(
        on=white.on,
        source=white.source,
        flags=(*white.flags, flag),
        observable=COUNT,
        value=Decimal(f"{value.normalize():f}") if value else Decimal(0),
        comparator=comparator,
        unit=white.unit,
        as_reported=" x ".join(one.as_reported for one in (white, *shares)),
        specimen=white.specimen,
        derived_from=tuple(one.source for one in shares),
    )
