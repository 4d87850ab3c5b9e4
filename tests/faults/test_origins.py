"""Numbers 29 to 31: a server that points elsewhere. The other host's log is looked at: nobody ever came."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from faultserver import FaultServer, answer, fault_server, sends
from front import FHIR, Exchange, Front, Trick, changed, says, with_next
from served_hospital import Hospital, Night

from fhir_adapter.sandbox import Sandbox

SECRET = "canary-secret"
NOTHING = b'{"resourceType": "Bundle", "type": "searchset"}'
REDIRECTS = ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent")


@pytest.fixture
def stranger() -> Iterator[FaultServer]:
    """Another host, which would give an answer if anybody came."""
    with fault_server(sends(answer(NOTHING, FHIR))) as server:
        yield server


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The site has credentials, for its own server alone."""
    monkeypatch.setenv("FHIR_ADAPTER__AUTH__METHOD", "bearer")
    monkeypatch.setenv("FHIR_ADAPTER__AUTH__TOKEN", SECRET)


def is_refused(hospital: Hospital, stranger: FaultServer, trick: Trick, says: str) -> Night:
    """The stream is incomplete, the credentials went to the server and nowhere else."""
    hospital.front.on("Observation", trick, page=2, for_ever=True)
    night = hospital.fetch()
    assert night.ended.code == 5, night.ended.told
    assert says in night.ledger["Observation"].reason
    shown = [asked.request.headers.get("authorization") for asked in hospital.front.asked if asked.page]
    assert set(shown) == {f"Bearer {SECRET}"}
    assert stranger.connections == 0
    assert SECRET not in night.ended.told
    return night


def test_29a_a_next_link_to_another_host(hospital: Hospital, stranger: FaultServer) -> None:
    """A next link to another host: incomplete, nobody asked there, no token was seen there."""
    elsewhere = with_next(lambda _: f"{stranger.base_url}?page=3")
    night = is_refused(hospital, stranger, elsewhere, "is not the configured server")
    hospital.is_incomplete(night, "Observation", f"The server pointed to {stranger.origin}")
    assert stranger.connections == 0


@pytest.mark.parametrize("status", REDIRECTS)
def test_29b_a_redirect_to_another_host(status: str, hospital: Hospital, stranger: FaultServer) -> None:
    """A redirect (301, 302, 303, 307, 308) to another host: incomplete, no token was seen there."""
    redirect = says(status, f"Location: {stranger.base_url}/Observation")
    is_refused(hospital, stranger, redirect, "is not the configured server")


def test_29c_an_absolute_reference_to_another_host(hospital: Hospital, stranger: FaultServer) -> None:
    """References, `fullUrl` and attachments with addresses of another host: kept as text, never fetched."""

    def pointed_elsewhere(bundle: dict[str, list[dict[str, object]]]) -> None:
        for number, entry in enumerate(bundle["entry"]):
            entry["fullUrl"] = f"{stranger.base_url}/Observation/{number}"
            resource = entry["resource"]
            assert isinstance(resource, dict)
            resource["performer"] = [{"reference": f"{stranger.base_url}/Practitioner/1"}]
            resource["meta"] = {"source": stranger.base_url, "profile": [f"{stranger.base_url}/p"]}

    hospital.front.on("Observation", changed(pointed_elsewhere), page=2)
    night = hospital.fetch()
    assert night.ended.code == 0, night.ended.told
    assert sum(stranger.base_url.encode() in body for body in night.held.values()) == 15
    assert stranger.connections == 0


def test_29d_redirects_without_end(hospital: Hospital, stranger: FaultServer) -> None:
    """Redirects from the server to itself without end: incomplete after five."""

    def round_and_round(exchange: Exchange) -> None:
        says("302 Found", f"Location: {exchange.asked.request.target}")(exchange)

    is_refused(hospital, stranger, round_and_round, "redirected more than 5 times")


@pytest.mark.parametrize(
    "address",
    [
        "//{host}/x",
        "///{host}/x",
        "/\\{host}/x",
        "http://{own}@{host}/fhir",
        "http://{own}.evil.invalid/fhir",
        "http://{own}:@{host}/fhir",
        "http://{host}#{own}",
        "file:///etc/passwd",
        "ftp://{host}/x",
        "javascript:alert(1)",
        "http://[",
        "http://{own}\\@{host}/",
        "http://localhost:{port}/fhir",
    ],
)
def test_31_addresses_that_only_look_like_the_server(address: str, hospital: Hospital, stranger: FaultServer) -> None:
    """Next links `//evil/x`, `base@evil`, `base.evil` and the like: refused, nobody asked there."""
    port = hospital.front.origin.rpartition(":")[2]
    host = stranger.origin.removeprefix("http://")
    link = address.format(host=host, own=hospital.front.origin.removeprefix("http://"), port=port)
    is_refused(hospital, stranger, with_next(lambda _: link), "The server")


@pytest.fixture
def hospital_with_tls(
    one_patient: Sandbox, undisturbed: str, tmp_path: Path, waits: list[float]
) -> Iterator[tuple[Hospital, Path]]:
    """A hospital that speaks https, and the certificate of its authority."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Front(one_patient.base_url, tls=context) as front:
        yield Hospital(one_patient, front, tmp_path, undisturbed, waits), tmp_path / "ca.pem"


@pytest.mark.parametrize("redirect", [False, True])
def test_30_from_https_to_http(redirect: bool, hospital_with_tls: tuple[Hospital, Path]) -> None:
    """A next link or a redirect from `https` to `http` on the same host: refused, nothing is sent in the clear."""
    hospital, ca_file = hospital_with_tls
    hospital.is_whole(hospital.fetch(ca_file=ca_file))
    asked = len(hospital.front.asked)
    clear = hospital.front.base_url.replace("https://", "http://")
    trick = says("302 Found", f"Location: {clear}/Procedure") if redirect else with_next(lambda _: f"{clear}?page=2")
    hospital.front.on("Procedure", trick, for_ever=True)
    night = hospital.fetch(ca_file=ca_file)
    assert night.ended.code == 5, night.ended.told
    assert "is not the configured server" in night.ledger["Procedure"].reason
    assert hospital.front.connections == len(hospital.front.asked) > asked
