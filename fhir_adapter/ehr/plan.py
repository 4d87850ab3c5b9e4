"""From what a server offers, and what is known about its maker, to how each resource type is fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from fhir_adapter.ehr.capability import Capability, TypeCapability
from fhir_adapter.ehr.code_search import in_portions
from fhir_adapter.ehr.vendors import NO_VENDOR, Vendor

How = Literal["search", "codes", "person", "export", "unsupported"]
Level = Literal["", "system", "group", "patient"]

# What a study loses when a server does not offer a type. Unknown is not the same as none.
_MEANING = {
    "AdverseEvent": "Adverse events are unknown from this source, which is not the same as none.",
    "MedicationAdministration": "Doses can then only come from statements, dispenses and requests.",
    "Medication": "Medicines that are only referenced cannot be named.",
    "Patient": "Without patients nothing can be built.",
    "Observation": "Laboratory values, responses and grades that are Observations stay unknown.",
    "Procedure": "Infusions, aphereses and transplants that are Procedures stay unknown.",
    "Condition": "Diagnoses stay unknown, so nobody can be shown to have the disease of the study.",
    "Encounter": "Visits do not show that somebody lived, so follow-up may end earlier.",
}
_WITHOUT_PERSON = frozenset(
    """
    HealthcareService Library Location Measure Medication MedicationKnowledge Organization Practitioner
    PractitionerRole ResearchStudy Substance
    """.split()  # noqa: SIM905
)
_INCLUDES = {"MedicationAdministration", "MedicationRequest", "MedicationStatement", "MedicationDispense"}
# Whatever it is about, a record of these types shows that its patient lived that day.
_SIGNS = {"MedicationAdministration", "Observation", "Procedure"}
# R4's names of the parameters that find a type by its code, the best first, and by its time.
_CODE_PARAMS = {
    "Condition": ("code",),
    "MedicationAdministration": ("code",),
    "Medication": ("code",),
    "Procedure": ("code",),
    "Observation": ("combo-code", "code"),
    "AdverseEvent": ("event",),
}
_DATE_PARAMS = {
    "Condition": "recorded-date",
    "MedicationAdministration": "effective-time",
    "Procedure": "date",
    "Observation": "date",
    "AdverseEvent": "date",
    "Encounter": "date",
}


class Wishes(msgspec.Struct, frozen=True):
    """What the site wants: bulk export of a `level` (empty: none), searches by POST, and the types that are to be asked
    for by code, each with the tokens (`system|code`) that the study reads. Types `in_full` are never asked for what
    changed; `totals` off: what the server counts is not believed.
    """

    level: Level = ""
    by_post: bool = False
    codes: Mapping[str, Sequence[str]] = {}
    in_full: tuple[str, ...] = ()
    totals: bool = True


class StreamPlan(msgspec.Struct, frozen=True):
    """How one resource type is to be fetched, as data.

    `how` is `search` (one search over the type), `codes` (one search for each of `codes`), `person` (one search for
    every id in `people`, and of these one for each of `codes` if there are any), `export` (bulk data) or
    `unsupported`; `reason` is a sentence for the user. `people` also serves when a search over the type turns
    out to be refused. `params` are added to every search, `sort` only to a repetition. `trust_total` off:
    totals are known to be wrong.

    `codes` are values of the parameter `code_param`, each several tokens joined by commas and short enough for an
    address. `since_param` asks for what changed (empty: the server cannot tell, everything is fetched), `date_param`
    narrows to a time of the event (values are instants with a prefix and a zone; a record without a time is not found
    by it). `history`: the server tells what was deleted. `post`: search by POST. `page_size` is the most that the
    server gives in one page, as far as it is known.
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

    def unserved(self) -> StreamPlan:
        """The plan when the server lists the type and answers its search with 404: it does not know it."""
        reason = (
            f"{self.type} is listed by this server, and searching it is answered with HTTP 404. {_meaning(self.type)}"
        )
        return StreamPlan(self.type, "unsupported", reason)


def plan(
    capability: Capability,
    types: Sequence[str],
    people: Sequence[str] = (),
    *,
    vendor: Vendor = NO_VENDOR,
    wishes: Wishes = Wishes(),  # noqa: B008 - frozen
    denied: frozenset[str] = frozenset(),
) -> list[StreamPlan]:
    """One `StreamPlan` for each of `types`, in order. With `people` (ids) each is asked for separately. For `denied`
    types no permission was granted.
    """
    return [
        _forbidden(type) if type in denied else _plan_of(type, capability, tuple(people), vendor, wishes)
        for type in types
    ]


def _plan_of(type: str, capability: Capability, people: tuple[str, ...], vendor: Vendor, wishes: Wishes) -> StreamPlan:
    if not capability.types:
        # A statement that lists no type at all says nothing about any of them: ask, and see.
        offered = TypeCapability(search=True)
        reason = f"{type} is searched as a whole, although the server does not list what it offers."
        return StreamPlan(type, "search", reason, people, person_parameter(type, offered))
    listed = capability.of(type)
    exported = bool(wishes.level) and _is_exported(type, vendor, wishes.level)
    if listed is None or not (listed.search or exported):
        return StreamPlan(type, "unsupported", _missing(type, listed))
    param = person_parameter(type, listed)
    page_size = vendor.about("page-size", type)
    by_person = bool(param and (people or vendor.about("person-required", type)))
    code_param, codes = _narrowed(type, listed, vendor, wishes)
    how: How = "export" if exported else "person" if by_person else "codes" if codes else "search"
    since = "" if type in wishes.in_full else _since(type, listed, vendor)
    return StreamPlan(
        type,
        how,
        _reason(type, how, wishes, code_param, codes, incremental=bool(since) or how == "export"),
        people,
        param,
        _includes(type, listed, by_person or not _is_searchable(capability, "Medication")),
        "_lastUpdated,_id" if {"_lastUpdated", "_id"} <= listed.search_params else "",
        trust_total=wishes.totals and vendor.about("totals-wrong", type) is None,
        since_param=since,
        date_param=_date_parameter(type, listed),
        history=listed.history,
        post=wishes.by_post and vendor.about("post-unusable", type) is None,
        code_param=code_param,
        codes=codes,
        page_size=page_size.limit if page_size else None,
    )


def _forbidden(type: str) -> StreamPlan:
    reason = f"{type} is not authorised: the server grants no permission to read it. {_meaning(type)}"
    return StreamPlan(type, "unsupported", reason)


def _missing(type: str, offered: TypeCapability | None) -> str:
    how = "cannot be searched on" if offered else "is not offered by"
    return f"{type} {how} this server. {_meaning(type)}"


def _meaning(type: str) -> str:
    return _MEANING.get(type, "What it would have said stays unknown.")


def _is_exported(type: str, vendor: Vendor, level: Level) -> bool:
    """Does bulk export bring it? What belongs to nobody is in an export of the whole server only."""
    return not vendor.about("export-without", type) and (level == "system" or type not in _WITHOUT_PERSON)


def _is_searchable(capability: Capability, type: str) -> bool:
    offered = capability.of(type)
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
    if any(not name.startswith("_") for name in offered.search_params):
        return ""
    return "subject" if type == "AdverseEvent" else "patient"


def _since(type: str, offered: TypeCapability, vendor: Vendor) -> str:
    usable = "_lastUpdated" in offered.search_params and vendor.about("no-last-updated", type) is None
    return "_lastUpdated" if usable else ""


def _date_parameter(type: str, offered: TypeCapability) -> str:
    name = _DATE_PARAMS.get(type, "")
    return name if name in offered.search_params else ""


def _narrowed(type: str, offered: TypeCapability, vendor: Vendor, wishes: Wishes) -> tuple[str, tuple[str, ...]]:
    """The parameter that every search has to carry, and its values: codes of the study, or what the server wants."""
    param = next((name for name in _CODE_PARAMS.get(type, ()) if name in offered.search_params), "")
    if param and wishes.codes.get(type):
        return param, tuple(in_portions(wishes.codes[type]))
    required = vendor.about("narrowing-required", type)
    return (required.param, (",".join(required.values),)) if required else ("", ())


def _includes(type: str, offered: TypeCapability, needed: bool) -> tuple[tuple[str, str], ...]:
    """Medicines come along with what points to them where they could not be fetched alone."""
    name = f"{type}:medication"
    if needed and type in _INCLUDES and offered.search_includes & {name, "*"}:
        return (("_include", name),)
    return ()


def _reason(type: str, how: How, wishes: Wishes, param: str, codes: tuple[str, ...], *, incremental: bool) -> str:
    ways = {
        "search": "searched as a whole",
        "person": "asked for one by one" if type == "Patient" else "searched for each patient",
        "codes": "searched",
        "export": f"taken from a bulk export ({wishes.level})",
    }
    told = [f"{type} is {ways[how]}"]
    if codes and how != "export":
        told.append(f" by {param}{f' in {len(codes)} portions' if len(codes) > 1 else ''}: {_unseen(type, param)}")
    told.append(".")
    if not incremental:
        told.append(" The server is not asked what changed, so it is fetched in full each time.")
    return "".join(told)


def _unseen(type: str, param: str) -> str:
    """What a search that names some values cannot find."""
    if param not in _CODE_PARAMS.get(type, ()):
        return f"records without one of the usual values of {param} are not seen"
    told = ["records that have only a text, or a code that the study does not know, are not seen"]
    told += ["nor those that point to a Medication"] if type in _INCLUDES else []
    told += (
        ["nor panels whose code is not known, whatever is in them"] if (type, param) == ("Observation", "code") else []
    )
    told += (
        ["and follow-up may end earlier, as other records no longer show that somebody lived"] if type in _SIGNS else []
    )
    return ", ".join(told)
