"""The server itself: a socket on loopback and a thread that answers on it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from types import TracebackType

import uvicorn

from fhir_adapter.errors import UsageError
from fhir_adapter.fhir.resource_types import R4_TYPES
from fhir_adapter.sandbox.export import Exporting
from fhir_adapter.sandbox.repository import Clock
from fhir_adapter.sandbox.search import Paging
from fhir_adapter.sandbox.service import Service
from fhir_adapter.sandbox.web import BASE_PATH, web_application

_START_SECONDS = 20.0


class Sandbox:
    """A small FHIR R4 server in memory, on 127.0.0.1, for the time of a `with` block.

    `port` 0 takes any free one. `types` are the resource types it holds, `clock` gives `meta.lastUpdated`.
    For `overlap` and `shuffle_seed` see `Paging`, for `exporting` see `Exporting`.
    """

    def __init__(
        self,
        *,
        page_size: int = 50,
        max_page_size: int = 500,
        overlap: int = 0,
        shuffle_seed: int | None = None,
        types: Sequence[str] = R4_TYPES,
        port: int = 0,
        clock: Clock | None = None,
        exporting: Exporting | None = None,
    ) -> None:
        self._socket = _bind(port)
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}{BASE_PATH}"
        paging = Paging(page_size, max_page_size, overlap, shuffle_seed)
        self.service = Service(self.base_url, paging, types, clock, exporting)
        config = uvicorn.Config(
            web_application(self.service),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)

    def __enter__(self) -> Sandbox:
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        if not self._server.started:
            self.stop()
            raise RuntimeError("the sandbox server did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def clear(self) -> None:
        """Forget everything that was ever stored."""
        self.service.clear()

    def wait(self) -> None:
        """Serve until the server is stopped or the process is interrupted."""
        while self._thread.is_alive():
            self._thread.join(timeout=0.5)

    def stop(self) -> None:
        """Stop answering; requests under way are finished."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


def _bind(port: int) -> socket.socket:
    """A socket on loopback, bound before anything else is done, so that the address is known and ours."""
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it every answer takes 40 ms.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except (OSError, OverflowError):
        bound.close()
        raise UsageError(f"Port {port} on 127.0.0.1 cannot be used.", "Choose another port, or 0.") from None
    return bound
