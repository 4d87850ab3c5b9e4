"""Numbers 38 to 45, and the secrets of 92: tokens, permissions, clocks, keys and certificates that are not right.

Whole commands against a server that gives nothing without a token; what is secret is never repeated.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from faultserver import FaultServer, answer
from joserfc.jwk import ECKey, RSAKey
from served_hospital import Night
from smartserver import CLIENT, SECRET, SmartServer, smart_server
from whole_runs import bundles, command

from fhir_adapter.ehr.auth.key import new_key

KEY = new_key("ES384")


@dataclass
class Site:
    """A client that is registered at the server, and one output folder."""

    server: SmartServer
    home: Path

    @property
    def key_file(self) -> Path:
        return self.home / "key.pem"

    @property
    def config(self) -> Path:
        return self.home / "site.toml"

    @property
    def asked(self) -> int:
        """How many requests anybody has seen."""
        return len(self.server.fhir_requests) + len(self.server.token_requests)

    def writes(self, *auth: str, mode: int = 0o600) -> None:
        """The settings, with these lines in [auth]."""
        lines = [f'server = "{self.server.fhir_url}"', f'client_id = "{CLIENT}"', *auth]
        self.config.write_text("\n".join([lines[0], "page_size = 5", "[auth]", *lines[1:]]), encoding="utf-8")
        self.config.chmod(mode)

    def fetches(self, *flags: object, out: str = "out") -> Night:
        return Night(command("fetch", "--config", self.config, "--out", self.home / out, *flags), self.home / out)


@pytest.fixture
def site(tmp_path: Path, waits: list[float]) -> Iterator[Site]:
    with smart_server(KEY) as server:
        server.load(*bundles("SYN-12", "shared"))
        site = Site(server, tmp_path)
        site.key_file.write_bytes(KEY.private_pem())
        site.key_file.chmod(0o600)
        site.writes('method = "smart"', f'key_file = "{site.key_file}"')
        yield site


def test_38_a_token_refused_in_the_middle_of_the_pages(site: Site) -> None:
    """A 401 in the middle of the pages: one new token, the page is asked for again, nothing is missing."""
    undisturbed = site.fetches(out="undisturbed")
    tokens, halfway = len(site.server.tokens), site.server.data_requests // 2
    site.server.data_requests, site.server.habits.refuses = 0, (halfway,)
    night = site.fetches()
    assert night.ended.code == 0, night.ended.told
    assert night.content == undisturbed.content
    assert len(site.server.tokens) == tokens + 2


def test_39_no_token_is_ever_accepted(site: Site) -> None:
    """401 always: one new token, then exit 3."""
    site.server.habits.refuses_all = 401
    ended = site.fetches().ended
    assert (ended.code, len(site.server.token_requests)) == (3, 2)
    assert "did not accept the credentials" in ended.err


def test_40_one_type_is_forbidden(site: Site) -> None:
    """403 on Observation: the missing scope is named, the stream is incomplete, exit 5; the others are fetched."""
    site.server.habits.forbidden_types = ("Observation",)
    night = site.fetches()
    assert night.ended.code == 5
    assert "system/Observation.rs" in night.ended.err
    assert not night.ledger["Observation"].complete
    assert night.ledger["Condition"].complete
    assert night.ledger["Condition"].stored > 0


@pytest.mark.parametrize(("lifetime", "each_request"), [(None, False), ("300", False), ("abc", False), (0, True)])
def test_41_a_token_of_unclear_life(lifetime: object, each_request: bool, site: Site) -> None:
    """A token response without `expires_in`, with "300", with junk or with 0: 300 s, 300 s, 300 s, a new token for each
    request; nothing loops.
    """
    site.server.habits.lifetime = lifetime
    night = site.fetches()
    assert night.ended.code == 0, night.ended.told
    authorised = [request for request in site.server.fhir_requests if request[2]]
    assert len(site.server.token_requests) == (len(authorised) if each_request else 1)


@pytest.mark.parametrize(("ahead_s", "way"), [(600, "behind"), (-600, "ahead of")])
def test_42_a_clock_that_is_wrong(ahead_s: float, way: str, site: Site) -> None:
    """A clock that is 10 minutes wrong: exit 3, says whose clock is how many seconds ahead or behind."""
    site.server.habits.clock_ahead_s = ahead_s
    ended = site.fetches().ended
    assert ended.code == 3
    assert any(f"clock is {seconds} s {way} the server's" in ended.err for seconds in range(595, 606))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_43_a_key_that_others_can_read(mode: int, site: Site) -> None:
    """A key file of mode 0644: exit 2 before any request, prints the chmod that closes it."""
    site.key_file.chmod(mode)
    ended = site.fetches().ended
    assert (ended.code, site.asked) == (2, 0)
    assert f"mode {mode:04o}" in ended.err
    assert f"chmod 600 {site.key_file}" in ended.err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (KEY.key.as_pem(private=False), "only the public half"),
        (ECKey.generate_key("P-256").as_pem(private=True), "curve P-256"),
        (b"", "is empty"),
        (KEY.key.as_pem(private=True, password="canary"), "encrypted"),
        (RSAKey.generate_key(2048).as_pem(private=True)[:300], "damaged"),
        (b'{"kty": "oct", "k": "Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5"}', "symmetric"),
        (b"canary-canary-canary", "neither PEM nor JWK"),
    ],
    ids=["public", "wrong curve", "empty", "encrypted", "cut", "symmetric", "junk"],
)
def test_44_a_key_that_cannot_sign(content: bytes, says: str, site: Site) -> None:
    """A key that is public only, on a wrong curve, empty, encrypted, cut, symmetric or none: exit 2 before any request,
    says which; no text of the key.
    """
    site.key_file.write_bytes(content)
    ended = site.fetches().ended
    assert (ended.code, site.asked) == (2, 0)
    assert says in ended.err
    words = [word for word in content.decode().split() if len(word) > 20]
    assert [word for word in words if word in ended.told] == []


AUTHORITY = trustme.CA()


def certified(name: str = "127.0.0.1", days: int = 1) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(name, not_after=datetime.now(UTC) + timedelta(days=days)).configure_cert(context)
    return context


def asking_for_ours() -> ssl.SSLContext:
    context = certified()
    AUTHORITY.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def nothing_here(received: bytes, connection: socket.socket) -> None:
    connection.sendall(answer(b"", status="404 Not Found"))


@pytest.mark.parametrize(
    ("context", "trusted", "says"),
    [
        (certified(), False, "its certificate comes from an unknown authority"),
        (certified("other.example"), True, "its certificate belongs to another"),
        (certified(days=-1), True, "its certificate has expired"),
        (asking_for_ours(), True, "it asks for a client certificate"),
    ],
    ids=["unknown CA", "wrong host name", "expired", "client certificate missing"],
)
def test_45_a_certificate_that_is_wrong_or_missing(
    context: ssl.SSLContext, trusted: bool, says: str, tmp_path: Path
) -> None:
    """An unknown CA, a wrong host name, an expired certificate, a client certificate that is missing: exit 4 before any
    request, names which.
    """
    config = tmp_path / "site.toml"
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    config.write_text(f'ca_file = "{tmp_path / "ca.pem"}"\n' if trusted else "", encoding="utf-8")
    with FaultServer(nothing_here, tls=context) as server:
        source = ("--server", server.base_url, "--config", config, "--out", tmp_path / "out")
        ended = command("fetch", *source)
    assert (ended.code, server.requests) == (4, [])
    assert says in ended.err


def test_92b_a_secret_in_settings_that_others_can_read(site: Site) -> None:
    """A secret in a TOML file that others can read: exit 2 before any request, prints the chmod; not repeated."""
    site.server.habits.methods = ("client_secret_basic",)
    lines = ('method = "client_credentials"', f'secret = "{SECRET}"')
    site.writes(*lines, mode=0o644)
    ended = site.fetches().ended
    assert (ended.code, site.asked) == (2, 0)
    assert f"chmod 600 {site.config}" in ended.err
    assert SECRET not in ended.told
    site.writes(*lines)
    assert site.fetches().ended.code == 0


@pytest.mark.parametrize(
    "argument",
    [
        ("--secret", SECRET),
        (f"--client-secret={SECRET}",),
        ("--token", SECRET),
        ("--auth.secret", SECRET),
        ("--server", f"https://night:{SECRET}@ehr.example/fhir"),
        ("--server", f"https://ehr.example/fhir?token={SECRET}"),
        ("--publish-to", f"https://night:{SECRET}@ehr.example/fhir"),
    ],
    ids=lambda argument: argument[0].partition("=")[0],
)
def test_92c_a_secret_among_the_arguments(argument: tuple[str, ...], site: Site) -> None:
    """A secret among the arguments or in an address: exit 2 before any request, not repeated."""
    verb = "run" if argument[0] == "--publish-to" else "fetch"
    ended = command(verb, "--config", site.config, "--out", site.home / "out", *argument)
    assert (ended.code, site.asked) == (2, 0)
    assert SECRET not in ended.told
    assert not (site.home / "out").exists()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("FHIR_ADAPTER__AUTH__METHOD", "canary", "auth.method"),
        ("FHIR_ADAPTER__AUTH__SECRT", "canary", "auth.secret"),
        ("FHIR_ADAPTER__AUTH__SCOPES", "canary", "FHIR_ADAPTER__"),
        ("FHIR_ADAPTER__AUTH", "canary", "FHIR_ADAPTER__"),
        ("FHIR_ADAPTER__AUTH__TOKEN", "canary\ncanary", "[auth]"),
    ],
)
def test_92d_bad_credentials_in_the_environment(
    name: str, value: str, says: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials in the environment under a wrong name or with a bad value: exit 2 before any request, names the
    setting, not the value.
    """
    site.writes('method = "bearer"')
    monkeypatch.setenv("FHIR_ADAPTER__AUTH__TOKEN", "token")
    monkeypatch.setenv(name, value)
    ended = site.fetches().ended
    assert (ended.code, site.asked) == (2, 0), ended.told
    assert says in ended.err
    assert "canary" not in ended.told
