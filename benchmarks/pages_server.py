"""A FHIR server that costs next to nothing: pages made beforehand, sent as they are after a pause.

What a real server costs is its `pause`: the fastest one seen gives about 5,000 resources a second. Everything beyond that
pause is the client's own cost, which is what the benchmark wants to see.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

DATE = "Sun, 01 Jun 2025 08:00:00 GMT"
SEARCHED = ("Patient", "Condition", "MedicationAdministration", "Medication", "Procedure", "Observation", "AdverseEvent", "Encounter")
PARAMETERS = ("_id", "_lastUpdated", "patient", "subject", "code")


class PagesServer:
    """Serves the NDJSON files of `folder`. `in_flight` is the highest number of requests ever answered at once."""

    def __init__(self, folder: Path, page_size: int, pause_s: float) -> None:
        self.pause_s, self.page_size = pause_s, page_size
        self.in_flight = self.requests = 0
        self._now, self._lock = 0, threading.Lock()
        self._lines = {path.stem: path.read_bytes().splitlines() for path in folder.glob("*.ndjson")}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/fhir"
        self._pages = {type: list(self._made(type, lines)) for type, lines in self._lines.items()}
        self._statement = json.dumps(_statement()).encode()

    def _made(self, type: str, lines: list[bytes]) -> Iterator[bytes]:
        for start in range(0, max(1, len(lines)), self.page_size):
            links = [{"relation": "self", "url": f"{self.base_url}/{type}"}]
            if start + self.page_size < len(lines):
                links.append({"relation": "next", "url": f"{self.base_url}/{type}?page={start // self.page_size + 1}"})
            head = {"resourceType": "Bundle", "type": "searchset", "total": len(lines), "link": links}
            entries = (b'{"resource":' + line + b',"search":{"mode":"match"}}' for line in lines[start : start + self.page_size])
            yield json.dumps(head).encode()[:-1] + b',"entry":[' + b",".join(entries) + b"]}"

    def answer(self, target: str) -> bytes:
        parts = urlsplit(target)
        type = parts.path.rpartition("/")[2]
        if type == "metadata":
            return self._statement
        asked = parse_qs(parts.query)
        pages = self._pages.get(type) or [b'{"resourceType":"Bundle","type":"searchset","total":0}']
        with self._lock:
            self._now += 1
            self.requests += 1
            self.in_flight = max(self.in_flight, self._now)
        time.sleep(self.pause_s)
        with self._lock:
            self._now -= 1
        return pages[int(asked.get("page", ["0"])[0])]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_GET(self) -> None:
                body = server.answer(self.path)
                self.send_response_only(200)
                self.send_header("Content-Type", "application/fhir+json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Date", DATE)
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def log_message(self, *_: object) -> None:
                """Silent."""

        return Handler

    @contextmanager
    def running(self) -> Iterator[PagesServer]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()


def _statement() -> dict[str, object]:
    offered = [
        {
            "type": type,
            "interaction": [{"code": "search-type"}, {"code": "read"}],
            "searchParam": [{"name": name, "type": "token"} for name in PARAMETERS],
        }
        for type in SEARCHED
    ]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2025-06-01",
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{"mode": "server", "resource": offered}],
    }
