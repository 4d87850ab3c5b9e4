"""From what a server offers, and what is known about its maker, to how each resource type is fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from fhir_adapter.ehr import plan_reasons as reasons
from fhir_adapter.ehr.capability import Capability, TypeCapability
from fhir_adapter.ehr.code_search import in_portions
from fhir_adapter.ehr.search_params import (
    WITHOUT_PERSON,
    code_parameter,
    date_parameter,
    medication_include,
    person_parameter,
)
from fhir_adapter.ehr.vendors import NO_VENDOR, Vendor

How = Literal["search", "codes", "person", "export", "unsupported"]
Level = Literal["", "system", "group", "patient"]


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
    server gives in one page, as far as it is known. Not `searchable`: an export is the only way to the type. `unseen`
    is a phrase saying which records these searches cannot find.
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
    searchable: bool = True
    unseen: str = ""

    @property
    def tells_deletions(self) -> bool:
        """Does the history of the type tell everything that disappears? Not for those who ask for a part of it: a
        resource may leave that part without being deleted.
        """
        return self.history and self.how == "search" and bool(self.since_param)

    def for_people(self, people: Sequence[str]) -> StreamPlan:
        """The same plan, knowing which people there are."""
        return msgspec.structs.replace(self, people=tuple(people))

    def unserved(self) -> StreamPlan:
        """The plan when the server lists the type and answers its search with 404: it does not know it."""
        return StreamPlan(self.type, "unsupported", reasons.not_found(self.type))


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
    asked = _Asked(capability, tuple(people), vendor, wishes)
    return [
        StreamPlan(type, "unsupported", reasons.not_permitted(type)) if type in denied else asked.plan(type)
        for type in types
    ]


class _Asked(msgspec.Struct, frozen=True):
    """Everything that a plan depends on."""

    capability: Capability
    people: tuple[str, ...]
    vendor: Vendor
    wishes: Wishes

    def plan(self, type: str) -> StreamPlan:
        listed = self.capability.of(type)
        if not self.capability.types:
            # A statement that lists no type at all says nothing about any of them: ask, and see.
            param = person_parameter(type, TypeCapability())
            return StreamPlan(type, "search", reasons.not_listed(type), self.people, param, post=self.wishes.by_post)
        if listed and listed.search:
            return self._plan_of(type, listed)
        if self._is_exported(type) and (listed or self._is_for_export_only):
            reason = reasons.planned(type, "export", "", 0, "", incremental=True)
            return StreamPlan(type, "export", reason, self.people, searchable=False)
        return StreamPlan(type, "unsupported", (reasons.not_searchable if listed else reasons.not_offered)(type))

    def _plan_of(self, type: str, listed: TypeCapability) -> StreamPlan:
        vendor, wishes = self.vendor, self.wishes
        code_param, codes = self._narrowed(type, listed)
        how, since = self._how(type, listed, codes), self._since(type, listed)
        incremental = bool(since) or how == "export"
        unseen = reasons.unseen(type, code_param) if codes and how != "export" else ""
        size = vendor.about("page-size", type)
        return StreamPlan(
            type,
            how,
            reasons.planned(type, how, code_param, len(codes), unseen, incremental=incremental),
            self.people,
            person_parameter(type, listed),
            medication_include(type, listed) if how == "person" or not self._is_searchable("Medication") else (),
            "_lastUpdated,_id" if {"_lastUpdated", "_id"} <= listed.search_params else "",
            trust_total=wishes.totals and vendor.about("totals-wrong", type) is None,
            since_param=since,
            date_param=date_parameter(type, listed),
            history=listed.history,
            post=wishes.by_post and vendor.about("post-unusable", type) is None,
            code_param=code_param,
            codes=codes,
            page_size=size.limit if size else None,
            unseen=unseen,
        )

    def _how(self, type: str, listed: TypeCapability, codes: tuple[str, ...]) -> How:
        if self._is_exported(type):
            return "export"
        if person_parameter(type, listed) and (self.people or self.vendor.about("person-required", type)):
            return "person"
        return "codes" if codes else "search"

    def _is_exported(self, type: str) -> bool:
        """Does bulk export bring it? What belongs to nobody is in an export of the whole server only."""
        level = self.wishes.level
        reached = level == "system" or type not in WITHOUT_PERSON or self._is_for_export_only
        return bool(level) and reached and self.vendor.about("export-without", type) is None

    @property
    def _is_for_export_only(self) -> bool:
        """Is there nothing that can be searched? Such servers do not list what their export holds."""
        return not any(offered.search for offered in self.capability.types.values())

    def _is_searchable(self, type: str) -> bool:
        offered = self.capability.of(type)
        return offered is not None and offered.search

    def _since(self, type: str, listed: TypeCapability) -> str:
        listed_and_believed = (
            "_lastUpdated" in listed.search_params
            and type not in self.wishes.in_full
            and self.vendor.about("no-last-updated", type) is None
        )
        return "_lastUpdated" if listed_and_believed else ""

    def _narrowed(self, type: str, listed: TypeCapability) -> tuple[str, tuple[str, ...]]:
        """What every search has to carry, and its values: codes of the study, or what the server wants."""
        param, tokens = code_parameter(type, listed), self.wishes.codes.get(type, ())
        if param and tokens:
            return param, tuple(in_portions(tokens))
        required = self.vendor.about("narrowing-required", type)
        return (required.param, (",".join(required.values),)) if required else ("", ())
