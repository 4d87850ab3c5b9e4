"""From what a server offers to how each resource type is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from fhir_adapter.ehr.capability import Capability, TypeCapability

How = Literal["search", "codes", "person", "export", "unsupported"]

# What a study loses when a server does not offer a type. Unknown is not the same as none.
_MEANING = {
    "AdverseEvent": "Adverse events are unknown from this source, which is not the same as none.",
    "MedicationAdministration": "Doses can then only come from statements, dispenses and requests.",
    "Medication": "Medicines that are only referenced cannot be named.",
    "Patient": "Without patients nothing can be built.",
}
_WITHOUT_PERSON = frozenset(
    """
    HealthcareService Library Location Measure Medication MedicationKnowledge Organization Practitioner
    PractitionerRole ResearchStudy Substance
    """.split()  # noqa: SIM905
)
_INCLUDES = {"MedicationAdministration", "MedicationRequest", "MedicationStatement", "MedicationDispense"}


class StreamPlan(msgspec.Struct, frozen=True):
    """How one resource type is to be fetched, as data.

    `how` is `search` (one search over the type), `codes` (one search for each of `codes`), `person` (one search for
    every id in `people`, and of these one for each of `codes` if there are any), `export` (bulk data) or
    `unsupported`; `reason` is a sentence for the user. `people` also serves when a search over the type turns
    out to be refused. `params` are added to every search, `sort` only to a repetition. `trust_total` off:
    totals are known to be wrong.

    `codes` are values of the parameter `code_param`, each several tokens joined by commas and short enough for an
    address. `since_param` asks for what changed (empty: the server cannot tell, everything is fetched), `date_param`
    narrows to a time of the event (values are instants with a prefix and a zone). `history`: the server tells what was
    deleted. `post`: search by POST. `page_size` is the most that the server gives in one page, as far as it is known.
    """

    type: str
    how: How
    reason: str
    people: tuple[str, ...] = ()
    person_param: str = ""
    params: tuple[tuple[str, str], ...] = ()
    sort: str = ""
    trust_total: bool = True
    since_param: str = ""
    date_param: str = ""
    history: bool = False
    post: bool = False
    code_param: str = ""
    codes: tuple[str, ...] = ()
    page_size: int | None = None

    def for_people(self, people: Sequence[str]) -> StreamPlan:
        """The same plan, knowing which people there are."""
        return msgspec.structs.replace(self, people=tuple(people))


def plan(capability: Capability, types: Sequence[str], people: Sequence[str] = ()) -> list[StreamPlan]:
    """One `StreamPlan` for each of `types`, in order. With `people` (ids) each is asked for separately."""
    return [_plan_of(type, capability, tuple(people)) for type in types]


def _plan_of(type: str, capability: Capability, people: tuple[str, ...]) -> StreamPlan:
    if not capability.types:
        # A statement that lists no type at all says nothing about any of them: ask, and see.
        param = "" if type in _WITHOUT_PERSON else "subject" if type == "AdverseEvent" else "patient"
        reason = f"{type} is searched as a whole, although the server does not list what it offers."
        return StreamPlan(type, "search", reason, people, "_id" if type == "Patient" else param)
    offered = capability.types.get(type)
    if offered is None or not offered.search:
        return StreamPlan(type, "unsupported", _missing(type, offered))
    param = person_parameter(type, offered)
    by_person = bool(people and param)
    return StreamPlan(
        type,
        "person" if by_person else "search",
        f"{type} is searched {'for each patient' if by_person else 'as a whole'}.",
        people,
        param,
        _includes(type, offered, by_person or not _is_searchable(capability, "Medication")),
        "_lastUpdated,_id" if {"_lastUpdated", "_id"} <= offered.search_params else "",
        since_param="_lastUpdated" if "_lastUpdated" in offered.search_params else "",
        history=offered.history,
    )


def _missing(type: str, offered: TypeCapability | None) -> str:
    how = "cannot be searched on" if offered else "is not offered by"
    return f"{type} {how} this server. {_MEANING.get(type, 'What it would have said stays unknown.')}"


def _is_searchable(capability: Capability, type: str) -> bool:
    offered = capability.types.get(type)
    return offered is not None and offered.search


def person_parameter(type: str, offered: TypeCapability) -> str:
    """The search parameter that narrows this type to one patient; empty if there is none."""
    if type == "Patient":
        return "_id"
    if type in _WITHOUT_PERSON:
        return ""
    candidates = ("patient", "subject", "individual")
    if declared := [name for name in candidates if name in offered.search_params]:
        return declared[0]
    if offered.search_params - {"_id", "_lastUpdated"}:
        return ""
    return "subject" if type == "AdverseEvent" else "patient"


def _includes(type: str, offered: TypeCapability, needed: bool) -> tuple[tuple[str, str], ...]:
    """Medicines come along with what points to them where they could not be fetched alone."""
    name = f"{type}:medication"
    if needed and type in _INCLUDES and offered.search_includes & {name, "*"}:
        return (("_include", name),)
    return ()
