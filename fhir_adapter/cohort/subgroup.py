"""Groups of people that a study asks about apart, written as data: `bsab_failure=relapsed|refractory`.

A subgroup is a column of `subjects.csv` and its levels. A column of texts has its own values as levels; a column of
numbers has `below-X` and `from-X`, with a number or the word `median` (of the people of the cohort) as X.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from fhir_adapter.cohort.events import Frozen

TEXTS: Mapping[str, str] = {
    "bsab_failure": "BsAb failure",
    "bsab_targets": "BsAb targets",
    "bsab_agents": "BsAb",
    "cart_product": "CAR-T product",
    "cart_targets": "CAR-T targets",
    "sex": "Sex",
    "bulky": "Bulky disease",
}
NUMBERS: Mapping[str, str] = {
    "washout_days": "Washout",
    "age_years": "Age",
    "prior_lines": "Prior lines",
    "ipi": "IPI",
    "extranodal_sites": "Extranodal sites",
}
_BOUND = re.compile(r"(below|from)-(median|\d+(?:\.\d+)?)")
# A level becomes part of the id of a statistic and of a FHIR code: no white space, no brackets.
_LEVEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Subgroup(Frozen):
    """A column of `subjects.csv` and at least two of its levels; the first is the one others are compared with."""

    column: str
    levels: tuple[str, ...]

    @property
    def label(self) -> str:
        return {**TEXTS, **NUMBERS}[self.column]

    def population(self, level: str) -> str:
        """The population of an estimate that speaks of one level: `bsab_failure=refractory`."""
        return f"{self.column}={level}"

    def level_label(self, level: str) -> str:
        return level.replace("-", " ", 1) if self.column in NUMBERS else level


def subgroup(text: str) -> Subgroup:
    """Read `column=level|level`. Raises `ValueError` with a sentence for whoever wrote it."""
    column, _, told = text.partition("=")
    column, levels = column.strip(), tuple(level.strip() for level in told.split("|"))
    if column not in TEXTS and column not in NUMBERS:
        raise ValueError(f"`{column}` is not a column for subgroups; those are {', '.join((*TEXTS, *NUMBERS))}")
    if len(levels) < 2 or len(set(levels)) < len(levels):
        raise ValueError(f"`{column}` needs two levels or more, each once, written {column}=one|another")
    pattern, hint = (_BOUND, "below-X or from-X") if column in NUMBERS else (_LEVEL, "letters, digits, dots and dashes")
    wrong = [level for level in levels if not pattern.fullmatch(level)]
    if wrong:
        raise ValueError(f"`{wrong[0]}` is not a level of `{column}`: {hint}")
    return Subgroup(column=column, levels=levels)


def written(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The same texts, each checked, and no column twice. Raises `ValueError`."""
    columns = [subgroup(text).column for text in texts]
    twice = [column for column in columns if columns.count(column) > 1]
    if twice:
        raise ValueError(f"`{twice[0]}` is there twice")
    return texts
