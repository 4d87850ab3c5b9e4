"""What every test stands on: answers that do not depend on chance, and no network beyond this machine."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci",
    derandomize=True,
    max_examples=100,
    deadline=None,  # the machine may be busy; a slow example is not a wrong one
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci")


class NetworkForbidden(BaseException):
    """A test tried to leave this machine: not an `Exception`, so no code under test can swallow it."""


def _is_local(host: object) -> bool:
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refuse(host: object) -> None:
    if not _is_local(host):
        raise NetworkForbidden(f"a test tried to reach {host!r}; only loopback is allowed")


@pytest.fixture(scope="session", autouse=True)
def only_loopback(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every connection and every name look-up is refused unless it stays on this machine.

    A name under `.invalid` answers as it does everywhere: it does not exist. Whoever names a server with
    `--fhir-base-url` (tests/server) wants it reached.
    """
    if request.config.getoption("--fhir-base-url", default=None):
        yield
        return
    connect, connect_ex, sendto = socket.socket.connect, socket.socket.connect_ex, socket.socket.sendto
    getaddrinfo = socket.getaddrinfo

    def guarded(original: Any) -> Any:
        def call(self: socket.socket, *arguments: Any) -> Any:
            address = arguments[-1]
            if self.family in (socket.AF_INET, socket.AF_INET6):
                _refuse(address[0])
            return original(self, *arguments)

        return call

    def looked_up(host: object, *arguments: Any, **named: Any) -> Any:
        if isinstance(host, str) and host.rstrip(".").endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        _refuse(host)
        return getaddrinfo(host, *arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(connect))
        patch.setattr(socket.socket, "connect_ex", guarded(connect_ex))
        patch.setattr(socket.socket, "sendto", guarded(sendto))
        patch.setattr(socket, "getaddrinfo", looked_up)
        yield
