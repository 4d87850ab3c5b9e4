"""Conditions under which a server refuses to write, and what our delivery makes of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import httpx
import msgspec
import pytest
from live import Live, Resource, status_of

from fhir_adapter.ehr.capability import Capability, fetch_capability
from fhir_adapter.ehr.deliver import Delivery, deliver
from fhir_adapter.ehr.document import Document, name_of
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import DeliveryError

SYSTEM = "https://fhir-adapter.example.org/fhir/identifier/live-test"
CANONICAL = "https://fhir-adapter.example.org/fhir/Measure/live-test"


@pytest.fixture
def report(live: Live) -> Iterator[Resource]:
    """A MeasureReport that nobody else knows; every copy of it is taken away again."""
    name = f"live-{uuid.uuid4().hex}"
    report: Resource = {
        "resourceType": "MeasureReport",
        "id": name,
        "identifier": [{"system": SYSTEM, "value": name}],
        "status": "complete",
        "type": "summary",
        "measure": CANONICAL,
        "period": {"start": "2025-01-01", "end": "2025-08-01"},
        "group": [{"measureScore": {"value": 0.5}}],
    }
    yield report
    for held in copies(live, report):
        for provenance in live.search("Provenance", target=f"MeasureReport/{held['id']}"):
            live.delete(f"Provenance/{provenance['id']}")
        live.delete(f"MeasureReport/{held['id']}")


def copies(live: Live, report: Resource) -> list[Resource]:
    return live.search("MeasureReport", identifier=f"{SYSTEM}|{report['identifier'][0]['value']}")


def score(report: Resource) -> float:
    return float(report["group"][0]["measureScore"]["value"])


def scoring(report: Resource, value: float) -> Resource:
    return {**report, "group": [{"measureScore": {"value": value}}]}


def without_id(report: Resource) -> Resource:
    return {name: value for name, value in report.items() if name != "id"}


def traced(changed: object) -> Document:
    """The least that a Provenance has to say."""
    assert isinstance(changed, list)
    return {
        "resourceType": "Provenance",
        "target": [{"reference": f"MeasureReport/{one['id']}"} for one in changed],
        "recorded": "2025-08-01T00:00:00Z",
        "agent": [{"who": {"display": "live tests"}}],
    }


@pytest.fixture(params=["as it says", "as if it chose ids"])
def capability(live: Live, request: pytest.FixtureRequest) -> Capability:
    """A server that lets us choose ids is also written to as if it did not: by conditional update."""
    found = fetch_capability(live.transport)
    if request.param == "as it says":
        return found
    types = {name: msgspec.structs.replace(one, update_create=False) for name, one in found.types.items()}
    return msgspec.structs.replace(found, types=types)


def delivered(transport: Transport, capability: Capability, report: Resource) -> Delivery:
    return deliver(transport, capability, [report], traced)


class Rival(httpx.BaseTransport):
    """Between us and the server: before our first write arrives, somebody else changes the document."""

    def __init__(self, live: Live, place: str) -> None:
        self._wire = httpx.HTTPTransport()
        self._live, self._place, self.writes = live, place, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method in ("PUT", "POST"):
            self.writes += 1
            if self.writes == 1:
                self._live.put(scoring(self._live.read(self._place), 0.9))
        return self._wire.handle_request(request)


def test_a_document_is_made_once_and_then_left_alone(live: Live, capability: Capability, report: Resource) -> None:
    first = delivered(live.transport, capability, report)
    second = delivered(live.transport, capability, report)
    assert (len(first.sent), len(first.provenance)) == (1, 1)
    assert (second.sent, second.provenance) == ([], [])
    [held] = copies(live, report)
    assert first.versions == second.versions == {f"MeasureReport/{report['id']}": held["meta"]["versionId"]}
    [provenance] = live.search("Provenance", target=f"MeasureReport/{held['id']}")
    assert provenance["target"][0]["reference"] == f"MeasureReport/{held['id']}"


def test_a_changed_document_is_one_new_version(live: Live, capability: Capability, report: Resource) -> None:
    delivered(live.transport, capability, report)
    delivered(live.transport, capability, scoring(report, 0.6))
    [held] = copies(live, report)
    assert score(held) == 0.6
    assert len(live.history(f"MeasureReport/{held['id']}")) == 2


def test_a_stale_version_is_refused_by_the_server(live: Live, report: Resource) -> None:
    held = live.post(without_id(report))
    stale = {"If-Match": f'W/"{held["meta"]["versionId"]}"'}
    live.put(scoring(held, 0.6))
    assert status_of(lambda: live.put(scoring(held, 0.7), stale)) in (409, 412)
    assert [score(one) for one in copies(live, report)] == [0.6]


def test_when_somebody_else_was_quicker_we_look_again(live: Live, capability: Capability, report: Resource) -> None:
    """Ours replaces theirs only after it was seen: each side's version is in the history."""
    delivered(live.transport, capability, report)
    [held] = copies(live, report)
    place = f"MeasureReport/{held['id']}"
    rival = Rival(live, place)
    with Transport(live.base_url, wire=rival, sleep=lambda _: None) as transport:
        delivered(transport, capability, scoring(report, 0.7))
    assert rival.writes >= 2, "the first write must have been refused"
    assert sorted(score(one) for one in live.history(place)) == [0.5, 0.7, 0.9]
    assert score(live.read(place)) == 0.7


def test_a_conditional_update_that_fits_two_is_refused(live: Live, report: Resource) -> None:
    live.post(without_id(report))
    live.post(without_id(report))
    name = name_of(report)
    assert name
    body = json.dumps(without_id(scoring(report, 0.6))).encode()
    assert status_of(lambda: live.transport.put(f"MeasureReport?{name.query}", body)) == 412
    assert [score(one) for one in copies(live, report)] == [0.5, 0.5]


def test_two_copies_stop_a_delivery_that_has_to_choose_between_them(
    live: Live, capability: Capability, report: Resource
) -> None:
    """Where ids are ours there is nothing to choose: ours is the one under our id."""
    live.post(without_id(report))
    live.post(without_id(report))
    if capability.types["MeasureReport"].update_create:
        delivered(live.transport, capability, scoring(report, 0.6))
        assert sorted(score(one) for one in copies(live, report)) == [0.5, 0.5, 0.6]
    else:
        with pytest.raises(DeliveryError, match="2 copies"):
            delivered(live.transport, capability, scoring(report, 0.6))
        assert [score(one) for one in copies(live, report)] == [0.5, 0.5]


def test_a_transaction_is_whole_or_nothing(live: Live, report: Resource) -> None:
    """The second entry cannot be done; the first must not stay."""
    held = live.post(without_id(report))
    stale = 'W/"no-such-version"' if live.name == "medplum" else 'W/"77"'
    place = f"MeasureReport/{held['id']}"
    update = {"resource": scoring(held, 0.8), "request": {"method": "PUT", "url": place, "ifMatch": stale}}
    new = {
        "resource": {**without_id(report), "status": "pending"},
        "request": {"method": "POST", "url": "MeasureReport"},
    }
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [new, update]}
    assert status_of(lambda: live.transport.post("", json.dumps(bundle).encode())) in (409, 412)
    assert [score(one) for one in copies(live, report)] == [0.5]
