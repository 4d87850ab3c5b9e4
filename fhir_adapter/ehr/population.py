"""Who is asked for: everybody, the people of a file, the members of a Group, or the patients of a List.

Somebody who cannot be found by what is written there is missing data, not a smaller study: that is an error. No text of
this module holds an id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from fhir_adapter.ehr.failures import Forbidden
from fhir_adapter.ehr.json_text import UNREADABLE, without_bom
from fhir_adapter.ehr.statement import Node
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import ForeignUrl, IncompleteError, ServerRefused, UsageError

Kind = Literal["everybody", "file", "group", "list"]

_GONE = frozenset({404, 410})
_RETRACTED = "entered-in-error"
_ENDED = re.compile(r"\d{4}-\d{2}-\d{2}")
_PLACE = re.compile(r"([A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_ID = re.compile(r"(?:Patient/)?[A-Za-z0-9\-.]{1,64}")
_ONE_A_LINE = "One Patient id a line, as the server has it in Patient.id."
_OTHER_WAYS = "Name the patients in a file instead (`patients`), or ask for another Group or List."


class Population(msgspec.Struct, frozen=True):
    """Whom the study asks for. `people` are ids of Patients on the server, each once; empty for everybody.

    `name` is the id of the Group or List. `left` counts those who are no longer in it (inactive, deleted, their time is
    over), `others` what is not a patient. `hidden`: who is in it shows only in a bulk export of it.
    """

    kind: Kind = "everybody"
    people: tuple[str, ...] = ()
    name: str = ""
    left: int = 0
    others: int = 0
    hidden: bool = False

    @property
    def everybody(self) -> bool:
        return self.kind == "everybody"

    @property
    def sentence(self) -> str:
        """Who is asked for, in counts."""
        if self.everybody:
            return "Everybody whom the server lets us see is asked for."
        where = {"file": "the file", "group": "the Group", "list": "the List"}[self.kind]
        if self.hidden:
            return f"The patients of {where} are asked for; who they are shows in its bulk export alone."
        told = [f"The patients of {where} are asked for: {len(self.people)}"]
        told += [f"no longer in it: {self.left}"] if self.left else []
        told += [f"entries that are not patients: {self.others}"] if self.others else []
        return f"{'; '.join(told)}."

    def __repr__(self) -> str:
        return f"Population({self.kind!r}, {len(self.people)} people)"


def listed(ids: Sequence[str]) -> Population:
    """The people of a list of ids."""
    return Population("file", tuple(dict.fromkeys(ids)))


def read_people(path: Path) -> Population:
    """The people named in a file, one a line: `ID` or `Patient/ID`; blank lines and lines with # are passed over.

    `UsageError` for a file that cannot be read, names nobody, or has a line that is no id.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"the list of patients {path} cannot be read", _ONE_A_LINE) from None
    ids = []
    for number, line in enumerate(lines, start=1):
        if line and not line.startswith("#"):
            if not _ID.fullmatch(line):
                raise UsageError(f"{path}: line {number} is not the id of a Patient", _ONE_A_LINE)
            ids.append(line.removeprefix("Patient/"))
    if not ids:
        raise UsageError(f"the list of patients {path} names nobody", _ONE_A_LINE)
    return listed(ids)


def fetch_group(transport: Transport, id: str, today: str) -> Population:
    """The members of `Group/[id]`, without those who are inactive or whose time was over before `today` (a date).

    Raises `UsageError` for a Group that lists nobody or does not exist, `IncompleteError` for members that cannot be
    found, and what the transport raises.
    """
    return _Reading(transport, today).population("group", "Group", id)


def fetch_list(transport: Transport, id: str, today: str) -> Population:
    """The patients of `List/[id]`, without entries that are marked as deleted. Raises as `fetch_group`."""
    return _Reading(transport, today).population("list", "List", id)


class _Reading:
    """One Group or List on its way to a population. What it holds in turn is followed once, no deeper."""

    def __init__(self, transport: Transport, today: str) -> None:
        self._transport, self._today = transport, today
        self._people: dict[str, None] = {}
        self._left = self._others = self._lost = 0

    def population(self, kind: Kind, type: str, id: str) -> Population:
        self._read(type, id, nested=False)
        if self._lost:
            raise IncompleteError(
                f"members of the {type} that cannot be found: {self._lost}; they are named without a reference, or "
                "with one that leads to another server",
                f"The study would be without them. {_OTHER_WAYS}",
            )
        if not self._people:
            raise UsageError(
                f"the {type} lists no patients",
                f"Some servers show members only to bulk export, or to accounts that may see them. {_OTHER_WAYS}",
            )
        return Population(kind, tuple(self._people), id, self._left, self._others)

    def _read(self, type: str, id: str, *, nested: bool) -> None:
        resource = self._fetch(type, id)
        _check_understood(type, resource)
        members = _members_of_group(resource, self._today) if type == "Group" else _members_of_list(resource)
        for reference, gone in members:
            if gone:
                self._left += 1
            else:
                self._place(reference, nested=nested)

    def _place(self, reference: str, *, nested: bool) -> None:
        type, id = self._resolved(reference)
        if type == "Patient":
            self._people[id] = None
        elif not type:
            self._lost += 1
        elif type not in ("Group", "List"):
            self._others += 1
        elif nested:
            raise UsageError("the Group or List holds another one that holds yet another one", _OTHER_WAYS)
        else:
            self._read(type, id, nested=True)

    def _resolved(self, reference: str) -> tuple[str, str]:
        """Type and id on this server; two empty texts for what cannot be found there."""
        if "://" in reference:
            try:
                reference = self._transport.policy.check(reference).removeprefix(f"{self._transport.base_url}/")
            except ForeignUrl:
                return "", ""
        place = _PLACE.fullmatch(reference)
        return (place.group(1), place.group(2)) if place else ("", "")

    def _fetch(self, type: str, id: str) -> Node:
        try:
            answer = self._transport.get(f"{type}/{id}")
        except Forbidden as refused:
            raise Forbidden(
                f"{type}: {refused.message}", f"Reading it needs a scope such as system/{type}.rs. {_OTHER_WAYS}"
            ) from None
        except ServerRefused as refused:
            if refused.status in _GONE:
                raise UsageError(f"the server has no {type} with the id that the settings name", _OTHER_WAYS) from None
            raise
        try:
            resource = Node(msgspec.json.decode(without_bom(answer.body)))
        except UNREADABLE:
            resource = Node(None)
        if resource.text("resourceType") != type:
            raise IncompleteError(f"something else than a {type} came when it was asked for", _OTHER_WAYS)
        return resource


def _members_of_group(group: Node, today: str) -> Iterator[tuple[str, bool]]:
    """The reference of each member, and whether they have left."""
    members = group.each("member")
    expected = group.number("quantity")
    if expected is not None and expected > len(members):
        raise IncompleteError(
            f"the Group says that it has {expected} members and lists {len(members)}",
            f"The account may not be allowed to see all of them. {_OTHER_WAYS}",
        )
    for member in members:
        gone = member.flag("inactive") or _is_over(member.one("period").text("end"), today)
        yield member.one("entity").text("reference"), gone


def _members_of_list(found: Node) -> Iterator[tuple[str, bool]]:
    for entry in found.each("entry"):
        yield entry.one("item").text("reference"), entry.flag("deleted")


def _is_over(end: str, today: str) -> bool:
    """Was that day before today? Of a month or a year alone nobody knows: it is not over."""
    return bool(_ENDED.match(end)) and end[:10] < today


def _check_understood(type: str, resource: Node) -> None:
    """A Group or List that means something else than "these people" is refused."""
    parts = resource.each("member") + resource.each("entry")
    if any(one.each("modifierExtension") for one in (resource, *parts)):
        raise UsageError(f"the {type} carries a modifier that this software does not know", _OTHER_WAYS)
    if resource.text("status") == _RETRACTED:
        raise UsageError(f"the {type} is marked as entered in error", _OTHER_WAYS)
    if resource.text("mode") == "changes":
        raise UsageError("the List tells changes, not who is in it", _OTHER_WAYS)
    if type == "Group" and resource.flag("actual") is False and not resource.each("member"):
        raise UsageError("the Group describes who could belong to it and lists nobody", _OTHER_WAYS)
    if resource.text("type") not in ("", "person"):
        raise UsageError("the Group is not one of persons", _OTHER_WAYS)
