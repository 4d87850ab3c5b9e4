"""What the records say about one person: dated facts, each with the resource, version and element it came from."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec
from pydantic import BaseModel, ConfigDict

from fhir_adapter.fhir.dates import PartialDate


class Frozen(BaseModel):
    """Base of the vocabulary: immutable, and strict about what it is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(msgspec.Struct, frozen=True, gc=False):
    """Where a fact was read: the resource (`Type/id`), its version, and the element."""

    reference: str
    version: str
    element: str = ""

    def __str__(self) -> str:
        return f"{self.reference}/_history/{self.version}"


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A fact with the day it holds for; `on` is None when the record gives no day.

    A record of a hospital gives thousands of them, which a Struct costs a tenth of a model to make. What they are made
    of was read and judged before, so nothing is converted here.
    """

    on: PartialDate | None
    source: Source
    flags: tuple[str, ...] = ()


Evidence = Literal["administration", "statement", "dispense", "request"]
"""How a dose is known, the strongest first: it was seen to be given, reported, handed out, or only ordered."""


class Dose(Event, frozen=True, kw_only=True, gc=False):
    """A drug that was given. `on` is the start.

    `given` is `perhaps` for a dose that was stopped or held without saying how much ran in. `ongoing` is true when the
    record says that the administration had not ended. `route` is told only where it matters (`intrathecal`).
    """

    agent: str
    label: str = ""
    ended: PartialDate | None = None
    given: Literal["yes", "perhaps"] = "yes"
    ongoing: bool = False
    amount: Decimal | None = None
    unit: str = ""
    route: str = ""
    intolerance: bool = False
    evidence: Evidence = "administration"


class Collection(Event, frozen=True, kw_only=True, gc=False):
    """A collection of lymphocytes (lymphapheresis). `succeeded` is false when the record says that it failed.

    `names` are the references and identifiers by which a product may say that it was made from it.
    """

    ended: PartialDate | None = None
    succeeded: bool = True
    names: tuple[str, ...] = ()


class Infusion(Event, frozen=True, kw_only=True, gc=False):
    """The infusion of a CAR-T product; `product` is a code of the study's agents.

    `made_from` is what its record refers to: among it may be a name of the collection.
    """

    product: str
    label: str = ""
    made_from: tuple[str, ...] = ()


class Therapy(Event, frozen=True, kw_only=True, gc=False):
    """A treatment that is not a drug: transplantation or radiotherapy."""

    kind: str


class Transfusion(Event, frozen=True, kw_only=True, gc=False):
    """A transfusion of a blood product; `raises` is the observable that it is given for."""

    raises: Literal["platelets", "hemoglobin"]


class Diagnosis(Event, frozen=True, kw_only=True, gc=False):
    """A disease the person has; `on` is the onset, `recorded` the day it was written down."""

    disease: str
    label: str = ""
    recorded: PartialDate | None = None


class Staging(Event, frozen=True, kw_only=True, gc=False):
    """Ann Arbor stage I to IV as 1 to 4."""

    stage: int
    evidence: Literal["observation", "condition"] = "observation"


class Performance(Event, frozen=True, kw_only=True, gc=False):
    """ECOG performance status, 0 to 5."""

    ecog: int


class Karnofsky(Event, frozen=True, kw_only=True, gc=False):
    """Karnofsky performance status, 0 to 100 per cent in tens."""

    percent: int


class Lesion(Event, frozen=True, kw_only=True, gc=False):
    """The longest single diameter of one lesion, in millimetres; where the record gives a range, the most it can be.

    `at_least_mm` is then the least it can be.
    """

    longest_mm: Decimal
    at_least_mm: Decimal | None = None


class DiseaseSite(Event, frozen=True, kw_only=True, gc=False):
    """An organ or lymphatic site with disease; `extranodal` is false for lymphatic sites.

    `site` is `none` when the record says that no extranodal site was involved.
    """

    site: str
    extranodal: bool


class SiteCount(Event, frozen=True, kw_only=True, gc=False):
    """How many extranodal sites a record says were involved, without naming them."""

    count: int


PrognosticScore = Literal["ipi", "r_ipi", "aa_ipi", "nccn_ipi"]


class RecordedScore(Event, frozen=True, kw_only=True, gc=False):
    """The points of a prognostic score that somebody wrote down."""

    score: PrognosticScore
    points: int


Uptake = Literal["", "less", "same", "more"]


class Assessment(Event, frozen=True, kw_only=True, gc=False):
    """A response assessment; `category` is one of the study's system of responses (`ResponseSystem`).

    `method` says how it was read: a `category` by code or by `text`, a `deauville` score (with the change of `uptake`
    since the examination before; None is X), a `trend`, or progression that was only told (`clinical`).
    """

    category: str
    method: str = "category"
    deauville: int | None = None
    uptake: Uptake = ""
    modality: Literal["", "pet", "ct"] = ""
    assessor: Literal["", "investigator", "radiology"] = ""


Comparator = Literal["", "<", "<=", ">", ">="]


class Lab(Event, frozen=True, kw_only=True, gc=False):
    """A laboratory result in the canonical unit of its observable, with the laboratory's own limits in that unit.

    `specimen` is the reference of the sample. `derived_from` names the further records of a value that was calculated.
    """

    observable: str
    value: Decimal
    comparator: Comparator = ""
    unit: str
    lower_limit: Decimal | None = None
    upper_limit: Decimal | None = None
    as_reported: str = ""
    specimen: str = ""
    derived_from: tuple[Source, ...] = ()


class AdverseEvent(Event, frozen=True, kw_only=True, gc=False):
    """An adverse event, or the statement that there was none (`grade` 0).

    `grade_min`, `grade_max` bound the grade; both are 1 and 5 when the record gives none.
    """

    term: str
    grade_min: int
    grade_max: int
    scale: str = ""
    scale_version: str = ""
    carrier: Literal["adverse-event", "observation", "condition", "side-car"] = "adverse-event"

    @property
    def grade(self) -> int | None:
        return self.grade_min if self.grade_min == self.grade_max else None


class Decision(Event, frozen=True, kw_only=True, gc=False):
    """Treatment with CAR-T was decided."""


class Death(Event, frozen=True, kw_only=True, gc=False):
    """The person died; `on` is None when the record gives no date.

    `reported`: the day is that of a record about the death, and the death came on that day or before.
    """

    reported: bool = False


class Contact(Event, frozen=True, kw_only=True, gc=False):
    """A completed, patient-based event that proves that the person was alive that day."""

    kind: str
