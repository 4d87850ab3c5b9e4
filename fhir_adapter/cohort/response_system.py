"""The categories in which a study tells a response, from the best to the worst, and what each of them amounts to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Literal

from fhir_adapter.cohort.events import Frozen

Kind = Literal["complete", "response", "minor", "stable", "progression", "indeterminate", "not-evaluable"]

STABLE = "SD"
PROGRESSION = "PD"
INDETERMINATE = "IR"
NOT_EVALUABLE = "NE"
UNSPECIFIED = "responded-unspecified"
ALWAYS_THERE: Mapping[str, Kind] = {
    "CR": "complete",
    "PR": "response",
    UNSPECIFIED: "response",
    STABLE: "stable",
    PROGRESSION: "progression",
    INDETERMINATE: "indeterminate",
    NOT_EVALUABLE: "not-evaluable",
}
"""The categories of every system with their kinds: trends, remissions and Deauville scores are read as these."""


class Category(Frozen):
    """One category: `reported` with a rate of its own, and, when `or_better` names it, with that of it or better.

    A `minor` response is none in the overall response rate, and yet more than stable disease.
    """

    code: str
    kind: Kind
    reported: bool = True
    or_better: str = ""


class ResponseSystem(Frozen):
    """A system of response categories in order, the best first, such as Lugano 2014 or IMWG 2016."""

    name: str
    categories: tuple[Category, ...]

    @cached_property
    def complete(self) -> frozenset[str]:
        return self._of("complete")

    @cached_property
    def responded(self) -> frozenset[str]:
        """What counts in the overall response rate."""
        return self._of("complete", "response")

    @cached_property
    def improved(self) -> frozenset[str]:
        """A response or a minor one: after it the disease has relapsed, without it it was refractory."""
        return self._of("complete", "response", "minor")

    @cached_property
    def stable(self) -> frozenset[str]:
        return self._of("stable")

    @cached_property
    def without_progression(self) -> frozenset[str]:
        """What shows, when it is assessed, that the disease has not progressed."""
        return self.improved | self.stable

    def best(self, found: Collection[str]) -> str:
        """The best category of some; `NE` when there is none that says how the disease is."""
        saying = (one.code for one in self.categories if one.kind not in ("indeterminate", "not-evaluable"))
        return next((code for code in saying if code in found), NOT_EVALUABLE)

    def confirmed(self, category: str, following: str | None) -> str:
        """What a category is worth beside the next assessment, None when there is no next one.

        A response counts as far as the next assessment still shows it, and is stable disease when none does. A
        progression that the next assessment does not show cannot be used; nothing contradicts one that stands last.
        """
        if category == PROGRESSION:
            return PROGRESSION if following in (None, PROGRESSION) else NOT_EVALUABLE
        if category not in self.improved:
            return category
        shown_again = following in self.without_progression
        return max(category, following, key=self._rank) if following and shown_again else STABLE

    def at_least(self, code: str) -> frozenset[str]:
        """A category and all better ones."""
        return frozenset(one.code for one in self.categories[: self._rank(code) + 1])

    def _rank(self, code: str) -> int:
        return [one.code for one in self.categories].index(code)

    def _of(self, *kinds: Kind) -> frozenset[str]:
        return frozenset(one.code for one in self.categories if one.kind in kinds)
