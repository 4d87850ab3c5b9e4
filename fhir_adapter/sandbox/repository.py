"""Every version of every resource, in memory.

Not safe for threads: the service holds one lock around each request. Numbers keep the digits they came with,
and a resource goes out again exactly as it came in but for `id`, `meta.versionId` and `meta.lastUpdated`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from fhir_adapter import instant
from fhir_adapter.fhir.canonical import Json, canonical_json
from fhir_adapter.sandbox.matching import Criterion, Keys, keys_of
from fhir_adapter.sandbox.outcome import Refused

Resource = dict[str, Json]
Method = Literal["POST", "PUT", "DELETE"]
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a resource; `resource` is None when this version is its deletion."""

    type: str
    id: str
    number: int
    moment: datetime
    method: Method
    resource: Resource | None
    content: bytes
    keys: Keys

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}"

    @property
    def location(self) -> str:
        return f"{self.reference}/_history/{self.number}"

    @property
    def etag(self) -> str:
        return f'W/"{self.number}"'


@dataclass(slots=True)
class _Row:
    """All versions of one resource, oldest first, and its place in the order of creation."""

    place: int
    versions: list[Version] = field(default_factory=list)


class _Shelf:
    """The resources of one type."""

    def __init__(self) -> None:
        self.rows: dict[str, _Row] = {}
        # Which ids ever had a key. Entries are never taken out: what is found here is looked at again.
        self.index: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)


class Repository:
    """Create, update, delete, find. `clock` gives the moment of each change."""

    def __init__(self, clock: Clock = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._shelves: defaultdict[str, _Shelf] = defaultdict(_Shelf)
        self._last = datetime.min.replace(tzinfo=UTC)
        self._serial = 0
        self._undo: list[tuple[_Shelf, str]] | None = None

    def free_id(self, type: str) -> str:
        """An id nobody has."""
        while True:
            self._serial += 1
            if str(self._serial) not in self._shelves[type].rows:
                return str(self._serial)

    def put(self, type: str, id: str, resource: Resource, method: Method = "PUT") -> tuple[Version, bool]:
        """Store a version; the second value is False when it says what the current one says already."""
        content = canonical_json(_without_stamps(resource))
        current = self.current(type, id)
        if current and current.content == content:
            return current, False
        moment, number = self.now(), self._next_number(type, id)
        stamped = _stamped(resource, type, id, number, moment)
        version = Version(type, id, number, moment, method, stamped, content, keys_of(type, stamped))
        self._append(version)
        return version, True

    def delete(self, type: str, id: str) -> Version | None:
        """Store a deletion; None when there is nothing to delete."""
        if not self.current(type, id):
            return None
        number = self._next_number(type, id)
        version = Version(type, id, number, self.now(), "DELETE", None, b"", {})
        self._append(version)
        return version

    def current(self, type: str, id: str) -> Version | None:
        """The newest version unless it is a deletion."""
        row = self._shelves[type].rows.get(id)
        return row.versions[-1] if row and row.versions[-1].resource is not None else None

    def read(self, type: str, id: str, number: str = "") -> Version:
        """The current version, or the one asked for; `Refused` with 404 or 410."""
        row = self._shelves[type].rows.get(id)
        if not row:
            raise Refused(404, "not-found", f"there is no such {type}")
        wanted = [version for version in row.versions if not number or str(version.number) == number]
        if not wanted:
            raise Refused(404, "not-found", f"this {type} has no such version")
        if wanted[-1].resource is None:
            raise Refused(410, "deleted", f"this {type} was deleted")
        return wanted[-1]

    def history(self, type: str, id: str = "") -> list[Version]:
        """Every version of one resource or of a type, newest first."""
        rows = self._shelves[type].rows
        if id and id not in rows:
            raise Refused(404, "not-found", f"there is no such {type}")
        chosen = [rows[id]] if id else list(rows.values())
        versions = [version for row in chosen for version in row.versions]
        return sorted(versions, key=lambda version: (version.moment, version.number), reverse=True)

    def deleted(self, type: str, since: datetime) -> list[Version]:
        """What the resources that were deleted at `since` or later had been."""
        rows = [row.versions for row in self._shelves[type].rows.values()]
        return [versions[-2] for versions in rows if versions[-1].resource is None and versions[-1].moment >= since]

    def find(self, type: str, criteria: tuple[Criterion, ...]) -> list[Version]:
        """Current resources that meet every criterion, in the order in which they were first stored."""
        return [
            version
            for version in self._candidates(type, criteria)
            if all(criterion.met_by(version.keys) for criterion in criteria)
        ]

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Whatever is stored inside is taken back if an exception leaves the block."""
        self._undo = []
        try:
            yield
        except BaseException:
            for shelf, id in reversed(self._undo):
                shelf.rows[id].versions.pop()
                if not shelf.rows[id].versions:
                    del shelf.rows[id]
            raise
        finally:
            self._undo = None

    def _candidates(self, type: str, criteria: tuple[Criterion, ...]) -> Iterator[Version]:
        shelf = self._shelves[type]
        rows = list(shelf.rows.values())
        for criterion in criteria:
            if lookups := criterion.lookups:
                ids = {id for key in lookups for id in shelf.index.get(key, ())}
                rows = sorted((shelf.rows[id] for id in ids if id in shelf.rows), key=lambda row: row.place)
                break
        return (row.versions[-1] for row in rows if row.versions[-1].resource is not None)

    def _append(self, version: Version) -> None:
        shelf = self._shelves[version.type]
        row = shelf.rows.setdefault(version.id, _Row(len(shelf.rows)))
        row.versions.append(version)
        if self._undo is not None:
            self._undo.append((shelf, version.id))
        for name, keys in version.keys.items():
            for key in keys:
                if isinstance(key, str):
                    shelf.index[name, key][version.id] = None

    def _next_number(self, type: str, id: str) -> int:
        row = self._shelves[type].rows.get(id)
        return len(row.versions) + 1 if row else 1

    def now(self) -> datetime:
        """Now, to the millisecond, and never earlier than before."""
        now = self._clock().astimezone(UTC)
        self._last = max(self._last, now.replace(microsecond=now.microsecond // 1000 * 1000))
        return self._last


def written(moment: datetime) -> str:
    """A FHIR instant."""
    return instant.written(moment, "milliseconds")


def _stamped(resource: Resource, type: str, id: str, number: int, moment: datetime) -> Resource:
    given = resource.get("meta")
    kept = given if isinstance(given, dict) else {}
    meta = kept | {"versionId": str(number), "lastUpdated": written(moment)}
    rest = {name: value for name, value in resource.items() if name not in ("resourceType", "id", "meta")}
    return {"resourceType": type, "id": id, "meta": meta, **rest}


def _without_stamps(resource: Resource) -> Resource:
    given = resource.get("meta")
    if not isinstance(given, dict):
        return resource
    meta = {name: value for name, value in given.items() if name not in ("versionId", "lastUpdated")}
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return rest | {"meta": meta} if meta else rest
