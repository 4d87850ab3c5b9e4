"""A FHIR server as a function: it changes, has a clock of its own and an index that lags, and keeps a log."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx

from fhir_adapter.ehr.capability import fetch_capability
from fhir_adapter.ehr.plan import plan
from fhir_adapter.ehr.population import Population, listed
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.ehr.vendors import NO_VENDOR
from fhir_adapter.ehr.window import read_instant
from fhir_adapter.pipeline.fetching.landing import Fetched
from fhir_adapter.pipeline.fetching.manner import Manner
from fhir_adapter.pipeline.fetching.server import Source, land_server
from fhir_adapter.pipeline.planning import FetchPlan
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store, StreamLedger

BASE = "https://ehr.example/fhir"
TYPES = ("Patient", "Observation", "Medication")
BEGIN = 1_800_000_000.0
STARTED = "2027-01-15T08:00:00Z"  # of our own clock, which means nothing

Resource = dict[str, Any]


@dataclass(frozen=True)
class Version:
    number: int
    moment: float
    resource: Resource | None


@dataclass
class ChangingServer:
    """`lag_s` is how long a change takes until searches know it. What it offers and does wrong is told by the flags."""

    lag_s: float = 0.0
    history: bool = False
    since: bool = True
    ignores: frozenset[str] = frozenset()
    refuses: frozenset[str] = frozenset()
    tells_self: bool = True
    whole_type: bool = True
    page_size: int = 10
    now: float = BEGIN
    versions: dict[tuple[str, str], list[Version]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    before: list[Callable[[httpx.Request], httpx.Response | None]] = field(default_factory=list)
    hidden: set[tuple[str, str]] = field(default_factory=set)

    # What happens in the hospital

    def put(self, type: str, id: str, **more: Any) -> None:
        """Create or update, with everything a resource of this type needs."""
        given: Resource = {"resourceType": type, "id": id, **more}
        if type == "Observation":
            given = {"status": "final", "code": {"text": "LDH"}, **given}
            given.setdefault("subject", {"reference": "Patient/p1"})
        self._commit(type, id, given)

    def delete(self, type: str, id: str) -> None:
        self._commit(type, id, None)

    def merge(self, old: str, new: str) -> None:
        """Patient `old` is replaced by `new`."""
        self.put("Patient", old, active=False, link=[{"other": {"reference": f"Patient/{new}"}, "type": "replaced-by"}])

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def current(self, *, settled: bool = False) -> dict[str, int]:
        """The version number of everything there is; `settled`: as searches know it now."""
        seen = {key: self._seen(versions) if settled else versions[-1] for key, versions in self.versions.items()}
        return {f"{type}/{id}": one.number for (type, id), one in seen.items() if one and one.resource}

    def _commit(self, type: str, id: str, resource: Resource | None) -> None:
        versions = self.versions.get((type, id), [])
        if resource is None and not (versions and versions[-1].resource):
            return
        self.versions[type, id] = versions
        number = len(versions) + 1
        stamp = {"meta": {"versionId": str(number), "lastUpdated": instant(self.now)}}
        versions.append(Version(number, self.now, {**resource, **stamp} if resource else None))

    # What it answers

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.url.path.removeprefix('/fhir/')}?{request.url.query.decode()}")
        self.now += 0.25
        if self.before and (answer := self.before.pop(0)(request)) is not None:
            return answer
        return self._answer(request.url.path.removeprefix("/fhir/"), request.url.query.decode())

    def _answer(self, path: str, query: str) -> httpx.Response:
        asked = dict(parse_qsl(query))
        if path == "metadata":
            return self._respond(self._statement())
        if self.refuses & set(asked):
            return self._respond({"resourceType": "OperationOutcome"}, 400)
        type, _, rest = path.partition("/")
        if rest == "_history":
            return self._page(path, query, asked, self._changes(type, asked), "history")
        if rest:
            return self._read(type, rest)
        if not self.whole_type and type == "Observation" and "patient" not in asked:
            return self._respond({"resourceType": "OperationOutcome"}, 400)
        return self._page(path, query, asked, self._found(type, asked), "searchset")

    def _statement(self) -> Resource:
        params = ["_id", *(["_lastUpdated"] if self.since else [])]
        codes = ["read", "search-type", *(["history-type"] if self.history else [])]
        return {
            "resourceType": "CapabilityStatement",
            "fhirVersion": "4.0.1",
            "rest": [{"mode": "server", "resource": [self._offer(type, codes, params) for type in TYPES]}],
        }

    def _offer(self, type: str, codes: list[str], params: list[str]) -> Resource:
        names = params + (["patient"] if type == "Observation" else [])
        interactions, searched = [{"code": code} for code in codes], [{"name": name} for name in names]
        return {"type": type, "interaction": interactions, "searchParam": searched}

    def _seen(self, versions: Sequence[Version]) -> Version | None:
        known = [one for one in versions if one.moment + self.lag_s <= self.now]
        return known[-1] if known else None

    def _found(self, type: str, asked: dict[str, str]) -> list[Resource]:
        heeded = {name: value for name, value in asked.items() if name not in self.ignores}
        seen = [self._seen(versions) for key, versions in sorted(self.versions.items()) if key[0] == type]
        found = [one.resource for one in seen if one and one.resource]
        found = [one for one in found if (type, one["id"]) not in self.hidden and _matches(one, heeded)]
        return [_summary(one) if heeded.get("_elements") == "id" else one for one in found]

    def _changes(self, type: str, asked: dict[str, str]) -> list[Resource]:
        since = read_instant(asked["_since"])
        changes = [
            (one, id)
            for (kind, id), versions in self.versions.items()
            for one in versions
            if kind == type and one.moment >= since and one.moment + self.lag_s <= self.now
        ]
        return [self._change(type, id, one) for one, id in sorted(changes, key=lambda pair: -pair[0].moment)]

    def _change(self, type: str, id: str, version: Version) -> Resource:
        entry = {"fullUrl": f"{BASE}/{type}/{id}", "response": {"etag": f'W/"{version.number}"', "status": "200"}}
        entry["response"]["lastModified"] = instant(version.moment)
        if version.resource is None:
            return {**entry, "request": {"method": "DELETE", "url": f"{type}/{id}"}}
        return {**entry, "resource": version.resource, "request": {"method": "PUT", "url": f"{type}/{id}"}}

    def _read(self, type: str, id: str) -> httpx.Response:
        latest = self.versions.get((type, id), [None])[-1]
        gone = latest is None or latest.resource is None
        return self._respond({"resourceType": "OperationOutcome"}, 404) if gone else self._respond(latest.resource)

    def _page(self, path: str, query: str, asked: dict[str, str], rows: list[Resource], kind: str) -> httpx.Response:
        at = int(asked.get("_at", "0"))
        entries = [row if kind == "history" else {"resource": row, "search": {"mode": "match"}} for row in rows]
        bundle: Resource = {"resourceType": "Bundle", "type": kind, "total": len(rows)}
        bundle["entry"] = entries[at : at + self.page_size]
        heeded = [pair for pair in parse_qsl(query) if pair[0] not in self.ignores and pair[0] != "_at"]
        told = httpx.QueryParams(heeded)
        bundle["link"] = [{"relation": "self", "url": f"{BASE}/{path}?{told}"}] if self.tells_self else []
        if at + self.page_size < len(rows):
            onward = f"{BASE}/{path}?{told.set('_at', str(at + self.page_size))}"
            bundle["link"].append({"relation": "next", "url": onward})
        return self._respond(bundle)

    def _respond(self, body: Resource, status: int = 200) -> httpx.Response:
        date = format_datetime(datetime.fromtimestamp(self.now, UTC), usegmt=True)
        return httpx.Response(status, headers={"Date": date}, content=json.dumps(body).encode())

    # What we do with it

    def fetch(self, store: Store, people: Sequence[str] = (), manner: Manner | None = None, **given: Any) -> Fetched:
        """One run of ours. `people` are those of a list; else everybody is asked for."""
        self.asked.clear()
        settings = Settings(server=BASE, page_size=self.page_size, **given)
        population = listed(people) if people else Population()
        with Transport(BASE, wire=httpx.MockTransport(self), sleep=lambda _: None, max_tries=2) as transport:
            capability = fetch_capability(transport)
            streams = tuple(plan(capability, TYPES, population.people))
            planned = FetchPlan(capability, NO_VENDOR, population, streams)
            return land_server(Source(transport, planned), settings, manner or Manner(), store, STARTED, Progress())


def instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def held(store: Store) -> dict[str, int]:
    """The version number of everything that the store shows."""
    return {record.reference: int(record.version) for record in store.current()}


def row(fetched: Fetched, stream: str) -> StreamLedger:
    return next(one for one in fetched.ledger if one.stream == stream)


def _matches(resource: Resource, asked: dict[str, str]) -> bool:
    since = asked.get("_lastUpdated", "").removeprefix("ge")
    person = asked.get("patient", "").removeprefix("Patient/")
    about = resource.get("subject", {}).get("reference", "")
    return (
        (not since or read_instant(resource["meta"]["lastUpdated"]) >= read_instant(since))
        and (not person or about == f"Patient/{person}")
        and asked.get("_id", resource["id"]) == resource["id"]
    )


def _summary(resource: Resource) -> Resource:
    return {key: resource[key] for key in ("resourceType", "id", "meta")}
