"""Files from the network: whole or not at all, within bounds, with credentials for nobody else."""

from __future__ import annotations

import gzip
import hashlib
import os
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from faultserver import GZIP, FaultServer, Script, answer, bomb, chunked, drips, fault_server, resets, sends

from fhir_adapter.ehr.failures import Exhausted, TooBig
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import DiskError, ForeignUrl, NotReadyError, ServerRefused, UsageError

CONTENT = b'{"resourceType":"Patient","id":"a"}\n' * 1_000
SECRET = b"Basic " + b"dTpz"


@contextmanager
def site(*scripts: Script, **options: Any) -> Iterator[tuple[Transport, FaultServer]]:
    with fault_server(*scripts) as server:
        known = {"auth": httpx.BasicAuth("u", "s"), "sleep": lambda seconds: None, "timeout_s": 5.0, **options}
        with Transport(server.base_url, **known) as transport:
            yield transport, server


def redirects(target: str) -> Script:
    return sends(answer(b"", f"Location: {target}", status="302 Found"))


@pytest.mark.parametrize(
    "raw",
    [
        answer(CONTENT),
        chunked(CONTENT, size=700),
        answer(CONTENT, length=-1),
        answer(gzip.compress(CONTENT), GZIP),
        answer(gzip.compress(CONTENT)),
        answer(gzip.compress(gzip.compress(CONTENT)), GZIP),
        answer(gzip.compress(CONTENT[:7_200]) + gzip.compress(CONTENT[7_200:])),
    ],
    ids=["length", "chunks", "until closed", "gzip by http", "a gzip file", "both", "two members"],
)
def test_a_file_arrives_as_it_was_before_compression(raw: bytes, tmp_path: Path) -> None:
    with site(sends(raw)) as (transport, server):
        download = transport.download(f"{server.base_url}/f", tmp_path / "f", authorised=True)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert download.size == len(CONTENT)
    assert download.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert os.listdir(tmp_path) == ["f"]
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("raw", "proven"), [(answer(CONTENT), True), (answer(CONTENT, length=-1), False)])
def test_it_is_known_whether_the_transfer_proves_that_nothing_is_missing(
    raw: bytes, proven: bool, tmp_path: Path
) -> None:
    with site(sends(raw)) as (transport, server):
        assert transport.download(f"{server.base_url}/f", tmp_path / "f", authorised=True).proven is proven


def test_whatever_breaks_on_the_way_is_fetched_again_from_the_start(tmp_path: Path) -> None:
    zipped = gzip.compress(CONTENT)
    broken = [
        sends(answer(CONTENT[:9_000], length=len(CONTENT))),
        resets(answer(CONTENT[:9_000], length=len(CONTENT))),
        sends(chunked(CONTENT[:9_000], ended=False)),
        sends(answer(zipped[:-4], GZIP)),
        sends(answer(zipped[:-4])),
    ]
    with site(*broken, sends(answer(CONTENT))) as (transport, server):
        transport.download(f"{server.base_url}/f", tmp_path / "f", authorised=True)
        assert len(server.requests) == 6
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_file_that_never_comes_whole_leaves_nothing_and_spares_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"older")
    with site(sends(answer(CONTENT[:9_000], length=len(CONTENT)))) as (transport, server), pytest.raises(Exhausted):
        transport.download(f"{server.base_url}/f", tmp_path / "f", authorised=True)
    assert os.listdir(tmp_path) == ["f"]
    assert (tmp_path / "f").read_bytes() == b"older"


@pytest.mark.parametrize("head", [(GZIP,), ()], ids=["by http", "as a file"])
def test_a_bomb_is_stopped_before_it_fills_anything(head: tuple[str, ...], tmp_path: Path) -> None:
    with site(sends(answer(bomb(100), *head))) as (transport, server):
        tracemalloc.start()
        with pytest.raises(TooBig):
            transport.download(f"{server.base_url}/f", tmp_path / "f", authorised=True)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20 << 20
    assert os.listdir(tmp_path) == []


def test_a_big_file_takes_no_memory(tmp_path: Path) -> None:
    body = os.urandom(1 << 20) * 24
    raw = answer(body)
    with site(sends(raw)) as (transport, server):
        tracemalloc.start()
        transport.download(f"{server.base_url}/f", tmp_path / "f", authorised=True)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (tmp_path / "f").stat().st_size == len(body)
    assert peak < 6 << 20


def test_a_server_that_drips_is_left(tmp_path: Path) -> None:
    dripping = site(drips(answer(CONTENT), 0.01), download_deadline_s=0.4)
    with dripping as (transport, server), pytest.raises(NotReadyError):
        transport.download(f"{server.base_url}/f", tmp_path / "f", authorised=True)
    assert os.listdir(tmp_path) == []


def test_a_download_may_take_longer_than_a_request(tmp_path: Path) -> None:
    with site(drips(answer(CONTENT[:36]), 0.005), deadline_s=0.1) as (transport, server):
        transport.download(f"{server.base_url}/f", tmp_path / "f", authorised=True)
    assert (tmp_path / "f").read_bytes() == CONTENT[:36]


def test_credentials_go_along_only_where_the_manifest_wants_them(tmp_path: Path) -> None:
    with site(sends(answer(CONTENT))) as (transport, server):
        transport.download(f"{server.base_url}/f", tmp_path / "f", authorised=True)
        transport.download(f"{server.base_url}/f", tmp_path / "f", authorised=False)
        assert [SECRET in request for request in server.requests] == [True, False]


@pytest.mark.parametrize("authorised", [True, False])
def test_another_host_gets_a_request_only_if_it_is_listed_and_never_credentials(
    authorised: bool, tmp_path: Path
) -> None:
    with fault_server(sends(answer(CONTENT))) as other:
        with site(sends(b"")) as (transport, _), pytest.raises(ForeignUrl) as refused:
            transport.download(f"{other.origin}/f", tmp_path / "f", authorised=authorised)
        assert other.connections == 0
        assert f"add {other.origin} to `download_hosts`" in refused.value.hint
        with site(sends(b""), download_hosts=[other.origin]) as (transport, _):
            transport.download(f"{other.origin}/f?signature=1", tmp_path / "f", authorised=authorised)
        assert b"GET /f?signature=1 " in other.requests[0]
        assert b"authorization" not in other.requests[0].lower()


def test_a_redirect_to_a_listed_host_loses_the_credentials_and_one_elsewhere_is_refused(tmp_path: Path) -> None:
    with fault_server(sends(answer(CONTENT))) as other:
        with site(redirects(f"{other.origin}/f")) as (transport, server), pytest.raises(ForeignUrl):
            transport.download(f"{server.base_url}/f", tmp_path / "f", authorised=True)
        assert other.connections == 0
        with site(redirects(f"{other.origin}/f"), download_hosts=[other.origin]) as (transport, server):
            transport.download(f"{server.base_url}/f", tmp_path / "f", authorised=True)
            assert SECRET in server.requests[0]
        assert b"authorization" not in other.requests[0].lower()
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_listed_host_that_leads_to_the_next_one_is_refused(tmp_path: Path) -> None:
    with fault_server(sends(answer(CONTENT))) as third, fault_server(redirects(f"{third.origin}/f")) as listed:
        with site(sends(b""), download_hosts=[listed.origin]) as (transport, _), pytest.raises(ForeignUrl):
            transport.download(f"{listed.origin}/f", tmp_path / "f", authorised=True)
        assert third.connections == 0


def test_endless_redirects_end(tmp_path: Path) -> None:
    with site(redirects("/fhir/f")) as (transport, server):
        with pytest.raises(ForeignUrl, match="redirected more than 5 times"):
            transport.download(f"{server.base_url}/f", tmp_path / "f", authorised=True)
        assert len(server.requests) == 6


def test_a_listed_host_is_no_place_for_searches() -> None:
    with fault_server(sends(answer(b"{}"))) as other:
        with site(sends(b""), download_hosts=[other.origin]) as (transport, _), pytest.raises(ForeignUrl):
            transport.get(f"{other.origin}/Patient")
        assert other.connections == 0


@pytest.mark.parametrize("host", ["http://files.example", "https://u@files.example", "https://files.example/?a=b", ""])
def test_a_host_that_cannot_be_meant_is_refused_at_once(host: str) -> None:
    with pytest.raises(UsageError):
        Transport("https://ehr.example/fhir", download_hosts=[host])


def test_a_refusal_keeps_its_status(tmp_path: Path) -> None:
    with site(sends(answer(b"", status="410 Gone"))) as (transport, server), pytest.raises(ServerRefused) as refused:
        transport.download(f"{server.base_url}/f", tmp_path / "f", authorised=True)
    assert refused.value.status == 410


def test_a_place_that_cannot_be_written_is_said_to_be_one(tmp_path: Path) -> None:
    with site(sends(answer(CONTENT))) as (transport, server), pytest.raises(DiskError) as full:
        transport.download(f"{server.base_url}/f", tmp_path / "missing" / "f", authorised=True)
    assert full.value.exit_code == 7


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    with site(sends(answer(b""))) as (transport, server):
        assert transport.download(f"{server.base_url}/f", tmp_path / "f", authorised=True).size == 0
    assert (tmp_path / "f").read_bytes() == b""
