"""The guard in conftest.py: tests reach this machine and nothing else."""

from __future__ import annotations

import socket

import pytest


def reach(host: str) -> None:
    socket.create_connection((host, 9), timeout=0.01).close()


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.org"])
def test_an_address_outside_this_machine_is_refused(host: str) -> None:
    with pytest.raises(BaseException, match="only loopback is allowed"):
        reach(host)


def test_a_datagram_to_the_outside_is_refused() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        pytest.raises(BaseException, match="only loopback is allowed"),
    ):
        sender.sendto(b"", ("192.0.2.1", 9))


def test_a_name_that_cannot_exist_is_not_found() -> None:
    with pytest.raises(socket.gaierror):
        reach("server.invalid")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_server_on_this_machine_is_reached(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection((host, server.getsockname()[1]), timeout=1).close()
