"""A FHIR server that costs next to nothing: pages made beforehand, sent as they are after a pause.

    python benchmarks/pages_server.py FOLDER --page-size 200 --pause 0.04

What a real server costs is its pause: the fastest one seen gives about 5,000 resources a second. Everything beyond
that pause is the client's own cost, which is what the benchmark wants to see. It runs as a process of its own, so that
its memory and its share of the interpreter are not the client's; the first line it prints is its base URL.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

from hospital import TYPES

DATE = "Mon, 02 Jun 2025 10:00:00 GMT"
OLD = b'"versionId":"1","lastUpdated":"2025-06-01T08:00:00.000Z"'
NEW = b'"versionId":"2","lastUpdated":"2025-06-02T09:59:00.000Z"'
PARAMETERS = ("_id", "_lastUpdated", "patient", "subject", "code")


@dataclass(frozen=True)
class Served:
    """What a server has seen since it was asked last: requests, and the highest number of them at once."""

    requests: int
    in_flight: int


@dataclass(frozen=True)
class Running:
    """A server in its own process."""

    base_url: str

    def served(self) -> Served:
        with urlopen(f"{self.base_url}/served") as answer:
            return Served(**json.load(answer))


@contextmanager
def pages_server(folder: Path, page_size: int, pause_s: float, changed: int = 0) -> Iterator[Running]:
    """The server, for the time of a `with` block; see `--help` for the arguments."""
    options = {"--page-size": page_size, "--pause": pause_s, "--changed": changed}
    arguments = [sys.executable, __file__, str(folder), *(str(word) for option in options.items() for word in option)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Running(process.stdout.readline().strip() if process.stdout else "")
        finally:
            process.terminate()


class _PagesServer:
    """Serves the NDJSON files of `folder`."""

    def __init__(self, folder: Path, page_size: int, pause_s: float, changed: int) -> None:
        self.pause_s, self.page_size = pause_s, page_size
        self.in_flight = self.requests = 0
        self._now, self._lock = 0, threading.Lock()
        self._lines = {path.stem: path.read_bytes().splitlines() for path in folder.glob("*.ndjson")}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/fhir"
        self._pages = {type: list(self._made(type, lines)) for type, lines in self._lines.items()}
        # What was changed since yesterday: that many Observations, whatever the size of the hospital.
        news = [line.replace(OLD, NEW) for line in self._lines["Observation"] if OLD in line][:changed]
        self._news = {type: list(self._made(type, news if type == "Observation" else [])) for type in self._lines}
        self._statement = json.dumps(_statement()).encode()

    def _made(self, type: str, lines: list[bytes]) -> Iterator[bytes]:
        for start in range(0, max(1, len(lines)), self.page_size):
            links = [{"relation": "self", "url": f"{self.base_url}/{type}"}]
            if start + self.page_size < len(lines):
                links.append({"relation": "next", "url": f"{self.base_url}/{type}?page={start // self.page_size + 1}"})
            head = {"resourceType": "Bundle", "type": "searchset", "total": len(lines), "link": links}
            entries = (
                b'{"resource":' + line + b',"search":{"mode":"match"}}'
                for line in lines[start : start + self.page_size]
            )
            yield json.dumps(head).encode()[:-1] + b',"entry":[' + b",".join(entries) + b"]}"

    def answer(self, target: str) -> bytes:
        parts = urlsplit(target)
        type = parts.path.rpartition("/")[2]
        if type == "metadata":
            return self._statement
        if type == "served":
            seen = {"requests": self.requests, "in_flight": self.in_flight}
            self.requests = self.in_flight = 0
            return json.dumps(seen).encode()
        asked = parse_qs(parts.query)
        pages = (self._news if "_lastUpdated" in asked else self._pages).get(type) or [
            b'{"resourceType":"Bundle","type":"searchset","total":0}'
        ]
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

    def run(self) -> None:
        print(self.base_url, flush=True)
        self._server.serve_forever()


def _statement() -> dict[str, object]:
    offered = [
        {
            "type": type,
            "interaction": [{"code": "search-type"}, {"code": "read"}],
            "searchParam": [{"name": name, "type": "token"} for name in PARAMETERS],
        }
        for type in TYPES
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


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--page-size", type=int, default=200)
    asked.add_argument("--pause", type=float, default=0.0, help="seconds before every answer")
    asked.add_argument("--changed", type=int, default=0, help="Observations that changed since yesterday")
    given = asked.parse_args()
    _PagesServer(given.folder, given.page_size, given.pause, given.changed).run()


if __name__ == "__main__":
    main()
