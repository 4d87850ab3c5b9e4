"""Certificates, theirs and ours: always verified, and when one is wrong the message says which and why."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from faultserver import FaultServer, answer
from joserfc.jwk import RSAKey

from fhir_adapter.ehr.retry import Backoff
from fhir_adapter.ehr.tls import ClientCertificate
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import Unreachable, UsageError

BODY = b'{"resourceType": "Bundle"}'
AUTHORITY = trustme.CA()
BOTH_VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def answering(received: bytes, connection: socket.socket) -> None:
    connection.sendall(answer(BODY))


def tls_server(context: ssl.SSLContext, handler: Callable[[bytes, socket.socket], None] = answering) -> FaultServer:
    return FaultServer(handler, tls=context)


def certified(
    name: str = "127.0.0.1", authority: trustme.CA = AUTHORITY, not_after: datetime | None = None
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=not_after).configure_cert(context)
    return context


def asking_for_ours(authority: trustme.CA = AUTHORITY, version: ssl.TLSVersion = BOTH_VERSIONS[1]) -> ssl.SSLContext:
    context = certified()
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version
    return context


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


def ours(folder: Path, authority: trustme.CA = AUTHORITY) -> ClientCertificate:
    """Our certificate and its key, in two files."""
    issued = authority.issue_cert("night-client@hospital.example")
    certificate, key = folder / "client.pem", folder / "client-key.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    return ClientCertificate(certificate, key)


def reach(server: FaultServer, ca_file: Path | None = None, **options: Any) -> Transport:
    options = {"backoff": Backoff(0.001, 0.002), "max_tries": 3, "timeout_s": 5, **options}
    return Transport(server.base_url, ca_file=ca_file, **options)


def refused(server: FaultServer, ca_file: Path | None = None, **options: Any) -> str:
    """The sentence; whoever is refused must have been refused before anything was told them."""
    with server, reach(server, ca_file, **options) as transport, pytest.raises(Unreachable) as problem:
        transport.get("Patient")
    assert server.requests == []
    assert transport.base_url in problem.value.message
    return problem.value.message


# Theirs


def test_a_certificate_of_the_named_authority_is_accepted(ca_file: Path) -> None:
    with tls_server(certified()) as server, reach(server, ca_file) as transport:
        assert transport.get("x").body == BODY


def test_an_unknown_authority_is_named() -> None:
    assert "its certificate comes from an unknown authority" in refused(tls_server(certified()))


def test_naming_one_authority_means_no_other(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    said = refused(tls_server(certified()), tmp_path / "other.pem")
    assert "its certificate comes from an unknown authority" in said


@pytest.mark.parametrize("name", ["other.example", "127.0.0.2"])
def test_a_certificate_of_another_host_is_named(name: str, ca_file: Path) -> None:
    assert "its certificate belongs to another" in refused(tls_server(certified(name)), ca_file)


def test_an_expired_certificate_is_named(ca_file: Path) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert "its certificate has expired" in refused(tls_server(certified(not_after=yesterday)), ca_file)


def test_what_is_wrong_with_a_certificate_is_said_at_once_and_not_tried_again() -> None:
    server = tls_server(certified())
    refused(server)
    assert server.connections == 1


@pytest.mark.parametrize("content", ["", "not PEM"])
def test_an_authority_file_that_cannot_be_used_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(content, encoding="utf-8")
    for path in (tmp_path / "ca.pem", tmp_path / "nowhere.pem"):
        with pytest.raises(UsageError, match=path.name):
            Transport("https://ehr.example/fhir", ca_file=path)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_an_older_version_than_1_2_is_not_spoken(ca_file: Path) -> None:
    context = certified()
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    assert "no secure connection could be agreed on" in refused(tls_server(context), ca_file)


def test_a_server_that_speaks_plain_http_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answers_in_the_clear, args=(listener,), daemon=True).start()
        address = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with Transport(address, timeout_s=5) as transport, pytest.raises(Unreachable, match="does not speak TLS"):
            transport.get("x")


def answers_in_the_clear(listener: socket.socket) -> None:
    with listener.accept()[0] as connection:
        connection.recv(65_536)
        connection.sendall(answer(b"", status="400 Bad Request"))


def test_a_secure_connection_that_breaks_is_tried_again(ca_file: Path) -> None:
    """Only its beginning proves who is there; that it ends early says nothing about certificates."""
    left = [answer(BODY, length=len(BODY) + 9), b"", answer(BODY)]

    def breaking(received: bytes, connection: socket.socket) -> None:
        connection.sendall(left.pop(0))
        os.close(connection.detach())  # without the farewell of TLS

    with tls_server(certified(), breaking) as server, reach(server, ca_file) as transport:
        assert transport.get("x").retries == 2


# Ours


@pytest.mark.parametrize("version", BOTH_VERSIONS)
def test_our_certificate_is_shown_to_who_asks(version: ssl.TLSVersion, ca_file: Path, tmp_path: Path) -> None:
    server = tls_server(asking_for_ours(version=version))
    with server, reach(server, ca_file, client_certificate=ours(tmp_path)) as transport:
        assert transport.get("x").body == BODY


def test_the_key_may_be_in_the_file_of_the_certificate(ca_file: Path, tmp_path: Path) -> None:
    two = ours(tmp_path)
    one = tmp_path / "both.pem"
    one.write_bytes(two.certificate_file.read_bytes() + (tmp_path / "client-key.pem").read_bytes())
    one.chmod(0o600)
    server = tls_server(asking_for_ours())
    with server, reach(server, ca_file, client_certificate=ClientCertificate(one)) as transport:
        assert transport.get("x").body == BODY


@pytest.mark.parametrize("version", BOTH_VERSIONS)
def test_a_missing_certificate_of_ours_is_named(version: ssl.TLSVersion, ca_file: Path) -> None:
    server = tls_server(asking_for_ours(version=version))
    assert "it asks for a client certificate" in refused(server, ca_file)
    assert server.connections == 1


@pytest.mark.parametrize("version", BOTH_VERSIONS)
def test_a_certificate_of_ours_that_is_not_known_there_is_named(
    version: ssl.TLSVersion, ca_file: Path, tmp_path: Path
) -> None:
    unknown = ours(tmp_path, trustme.CA())
    said = refused(tls_server(asking_for_ours(version=version)), ca_file, client_certificate=unknown)
    assert "does not accept our client certificate" in said


def unusable(certificate: ClientCertificate) -> str:
    with pytest.raises(UsageError) as problem:
        Transport("https://ehr.example/fhir", client_certificate=certificate)
    return f"{problem.value.message} {problem.value.hint}"


def test_a_key_of_ours_that_others_can_read_is_refused(tmp_path: Path) -> None:
    mine = ours(tmp_path)
    (tmp_path / "client-key.pem").chmod(0o640)
    said = unusable(mine)
    assert "mode 0640" in said
    assert "chmod 600" in said


def test_a_key_that_does_not_belong_to_the_certificate_is_refused(tmp_path: Path) -> None:
    mine = ours(tmp_path)
    (tmp_path / "client-key.pem").write_bytes(RSAKey.generate_key(2048).as_pem(private=True))
    assert "cannot be used together" in unusable(mine)


def test_an_encrypted_key_is_refused_without_asking_for_its_password(tmp_path: Path) -> None:
    mine = ours(tmp_path)
    locked = RSAKey.generate_key(2048).as_pem(private=True, password="secret")
    (tmp_path / "client-key.pem").write_bytes(locked)
    assert "must not be encrypted" in unusable(mine)


def test_a_certificate_that_is_not_there_is_refused(tmp_path: Path) -> None:
    mine = ours(tmp_path)
    mine.certificate_file.unlink()
    assert "cannot be used together" in unusable(mine)
