"""What a hospital's records say in codes and words that the study's tables do not know: how often, and about whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fhir_adapter.mapping.reading import Unmapped
from fhir_adapter.mapping.terminology import normalise

# What the answer at a step of the attrition rests on. Somebody who left there may have left for want of such a code.
_DECIDES = {
    "diagnosis": frozenset({"condition"}),
    "bsab": frozenset({"medication"}),
    "car_t": frozenset({"medication", "procedure"}),
    "bsab_before_apheresis": frozenset({"medication", "procedure"}),
    "failure": frozenset({"medication", "observation", "response", "deauville-score", "disease-trend"}),
}


@dataclass(frozen=True)
class Gap:
    """One code, or one text without a code, that a table does not know.

    `text` is what most often stands beside the code, `people` the surviving ids of the patients, `sources` the records.
    """

    table: str
    system: str
    code: str
    text: str
    people: frozenset[str]
    sources: tuple[str, ...]

    @property
    def records(self) -> int:
        return len(self.sources)


def gaps_of(unmapped: Iterable[Unmapped]) -> tuple[Gap, ...]:
    """The gaps by table, the most frequent first. Texts without a code are one when they differ in spelling only."""
    together: dict[tuple[str, str, str, str], list[Unmapped]] = {}
    for one in unmapped:
        together.setdefault((one.table, one.system, one.code, "" if one.code else normalise(one.text)), []).append(one)
    found = (_gap(said) for said in together.values())
    return tuple(sorted(found, key=lambda gap: (gap.table, -gap.records, gap.system, gap.code, gap.text)))


def _gap(said: list[Unmapped]) -> Gap:
    texts = Counter(one.text for one in said)
    first = said[0]
    return Gap(
        table=first.table,
        system=first.system,
        code=first.code,
        text=min(texts, key=lambda text: (-texts[text], text)),
        people=frozenset(one.person for one in said),
        sources=tuple(sorted({one.source for one in said})),
    )


def undecided_people(gaps: Iterable[Gap], cohort: frozenset[str], left_at: Mapping[str, str]) -> frozenset[str]:
    """Those about whom a gap could change an answer.

    The people in the cohort, and those outside who have a gap in what decided about them at the step where they left.
    Whoever left for another reason stays out, whatever their other unknown codes mean.
    """
    waiting = {
        person for gap in gaps for person in gap.people if gap.table in _DECIDES.get(left_at.get(person, ""), ())
    }
    return cohort | waiting
