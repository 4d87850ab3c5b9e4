"""What a rule answers: a verdict, why in one sentence, step by step, and the resources it rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

from fhir_adapter.cohort.events import Event, Evidence, Frozen, Source
from fhir_adapter.cohort.review import Review
from fhir_adapter.fhir.dates import PartialDate

V = TypeVar("V")
NOT_ASKED = "not asked"
Json = str | int | float | bool | None | tuple[str, ...]


class Step(Frozen):
    """One fact or decision on the way to a verdict, as it would be said aloud."""

    says: str
    date: str = ""
    value: str = ""
    unit: str = ""
    parameter: str = ""
    source: str = ""


class Finding(Frozen, Generic[V]):
    """The answer of one rule about one person.

    `verdict` is `met`, `not met`, `undetermined`, or the class the rule assigns (`refractory`). `value` is the typed
    result, None when the rule has nothing to give. `parameters` are the study parameters the verdict depends on.
    `review` is what people decided about it; if that is applied, verdict and value are theirs.
    """

    rule: str
    verdict: str
    value: V | None = None
    sentence: str
    steps: tuple[Step, ...] = ()
    sources: tuple[str, ...] = ()
    parameters: Mapping[str, Json] = {}
    review: Review | None = None

    def __reduce__(self) -> tuple[Callable[[dict[Any, Any]], AnyFinding], tuple[dict[Any, Any]]]:
        """`Finding[Index]` has no name in this module by which pickle would find it again; it is a Finding."""
        return _unpickled, (self.__getstate__(),)


def _unpickled(state: dict[Any, Any]) -> AnyFinding:
    found: AnyFinding = Finding.__new__(Finding)
    found.__setstate__(state)
    return found


def step(
    says: str, event: Event | None = None, *, value: str = "", unit: str = "", parameter: str = "", source: str = ""
) -> Step:
    """A step that rests on `event` (its day and source are taken over), on another `source`, or on a parameter."""
    day = event.on.iso if event and event.on else ""
    known = str(event.source) if event else source
    return Step(says=says, date=day, value=value, unit=unit, parameter=parameter, source=known)


def rests_on(*groups: Event | Source | Sequence[Event | None] | None) -> tuple[str, ...]:
    """The versioned references of the events a finding rests on, each once, in order."""
    found: dict[str, None] = {}
    for group in groups:
        for item in group if isinstance(group, Sequence) else (group,):
            if item is not None:
                found[str(item.source if isinstance(item, Event) else item)] = None
    return tuple(found)


def not_asked(rule: str) -> Finding[Any]:
    """The answer of a rule that means nothing in this study, for example a score of another disease."""
    return Finding(rule=rule, verdict=NOT_ASKED, sentence="The study does not ask for it.")


class Span(Frozen):
    """A length in whole days as an interval; settled when both ends agree."""

    shortest: int
    longest: int

    @property
    def days(self) -> int | None:
        return self.shortest if self.shortest == self.longest else None


class Range(Frozen):
    """A small whole number that is known or bounded."""

    lowest: int
    highest: int

    @property
    def settled(self) -> int | None:
        return self.lowest if self.lowest == self.highest else None


class Exposure(Frozen):
    """All doses of one bispecific antibody before the index apheresis."""

    agent: str
    targets: tuple[str, ...]
    first: PartialDate
    last: PartialDate
    doses: int
    ongoing: bool = False


class Exposures(Frozen):
    """The BsAb exposures in order of their last dose; `last_dose` is the last dose of any of them, as an interval.

    `evidence` is the weakest on which the last dose rests. `clipped`: its record ends after the collection.
    """

    exposures: tuple[Exposure, ...]
    last_dose: PartialDate
    last_source: str = ""
    unsure_sources: tuple[str, ...] = ()
    days_to_collection: Span | None = None
    evidence: Evidence = "administration"
    same_day_as_apheresis: bool = False
    clipped: bool = False
    bridging: bool = False

    @property
    def flags(self) -> tuple[str, ...]:
        """What a reader of the washout should know beside its days."""
        told = {
            "from-statement": self.evidence == "statement",
            "from-dispense": self.evidence == "dispense",
            "from-order": self.evidence == "request",
            "doubtful-dose": bool(self.unsure_sources),
            "dose-on-the-day": self.same_day_as_apheresis,
            "clipped": self.clipped,
            "bridging-with-bsab": self.bridging,
        }
        return tuple(name for name, holds in told.items() if holds)


class Index(Frozen):
    """The anchors of a person's time line; apheresis may be unknown (collected elsewhere).

    `next_therapy` surely follows the infusion; `perhaps_therapy` is an earlier one that may also precede it.
    `collected_between` bounds a collection that is not recorded. `sources` names the record of each anchor.
    """

    infusion: PartialDate
    product: str
    targets: tuple[str, ...]
    apheresis: PartialDate | None
    lymphodepletion: PartialDate | None
    vein_to_vein: Span | None
    next_therapy: PartialDate | None
    next_therapy_kind: str = ""
    perhaps_therapy: PartialDate | None = None
    collected_between: PartialDate | None = None
    allogeneic_hct: PartialDate | None = None
    sources: Mapping[str, str] = {}


class Failure(Frozen):
    """Outcome of the BsAb line: its best response, the first progression, and the class the rule gives."""

    status: Literal["relapsed", "refractory", "undetermined"]
    best_response: str
    progression: PartialDate | None = None


class Line(Frozen):
    """One line of therapy before the index apheresis."""

    number: int
    agents: tuple[str, ...]
    first: PartialDate
    last: PartialDate


class Lines(Frozen):
    """The lines before the index apheresis, the BsAb line included. `cells` are the CAR-T and allogeneic ones."""

    count: Range
    lines: tuple[Line, ...]
    cells: tuple[str, ...] = ()


class IpiScore(Frozen):
    """International Prognostic Index: the points that count, beside those `computed` and those `recorded`."""

    points: Range
    age: int | None
    ldh_ratio: float | None
    ecog: int | None
    stage: int | None
    extranodal_sites: int | None
    computed: Range | None = None
    recorded: Range | None = None

    @property
    def contradicts(self) -> bool:
        """Whether the record gives points that the components cannot have."""
        if self.computed is None or self.recorded is None:
            return False
        return self.recorded.highest < self.computed.lowest or self.recorded.lowest > self.computed.highest


class Score(Frozen):
    """A prognostic score: the points that are known or bounded, and the risk group, empty when it is not settled."""

    points: Range
    group: str


class Bulk(Frozen):
    """The longest single diameter at the baseline imaging, in millimetres; None when it is only bounded."""

    longest_mm: float | None
    bulky: bool


class Sites(Frozen):
    """Extranodal organs with disease at baseline; `perhaps` are those whose record may lie outside the window.

    `told` is the number that a record gives without naming them.
    """

    organs: tuple[str, ...]
    perhaps: tuple[str, ...] = ()
    told: int | None = None

    @property
    def count(self) -> Range:
        """How many there are: those that are named, and those that are only counted as far as they differ."""
        named = (len(self.organs), len(self.organs) + len(self.perhaps))
        if self.told is None:
            return Range(lowest=named[0], highest=named[1])
        if not named[1]:
            return Range(lowest=self.told, highest=self.told)
        return Range(lowest=min(named[0], self.told), highest=max(named[1], self.told))


class Response(Frozen):
    """Best overall response after the infusion, and the assessments that time-to-event endpoints need.

    `best` is empty when assessments of one day contradict each other and it matters; `contradiction` then says so, and
    the endpoints that need the response leave this person out. `complete_before`: a complete response was recorded last
    before the infusion already, for example after bridging.
    """

    best: str
    responded_on: PartialDate | None = None
    complete_on: PartialDate | None = None
    progressed_on: PartialDate | None = None
    last_assessed_on: PartialDate | None = None
    contradiction: str = ""
    complete_before: bool = False
    sources: dict[str, str] = {}


class Toxicity(Frozen):
    """The worst grade of one term in the window; see `cohort/toxicities.csv` for the columns."""

    term: str
    code: str
    grade_min: int | None
    grade_max: int | None
    elevated: bool | None = None
    scale: str
    scale_version: str
    onset: PartialDate | None = None
    value: str = ""
    unit: str = ""
    lower_limit: str = ""
    upper_limit: str = ""
    baseline: str = ""
    source: str = ""
    flags: tuple[str, ...] = ()

    @property
    def grade(self) -> int | None:
        """The grade if it is settled; None when it is only bounded, and for scales without grades (`elevated`)."""
        return self.grade_min if self.grade_min == self.grade_max else None


AnyFinding = Finding[Any]
