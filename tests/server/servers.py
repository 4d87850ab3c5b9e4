"""Real FHIR servers for the live tests: built when they are needed, started on loopback, always stopped.

A server ends when its standard input does, and the other end of that is here: so it ends with us, however we end. By
hand, until Ctrl-C:

    python tests/server/servers.py hapi --port 8080
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

HERE = Path(__file__).parent
LOGS = HERE.parents[1] / "build" / "test-servers"
_START_SECONDS = 900  # HAPI needs one minute of two idle processors, and four of busy ones
_STOP_SECONDS = 10


class CannotRun(Exception):
    """A server cannot be built or started: what is missing, or where its log is."""


@dataclass(frozen=True)
class Kind:
    """How one kind of server is built and started. `{port}` in a command is the port it shall listen on.

    `sources` decide whether it must be built again, `built` is the folder that a build leaves.
    """

    name: str
    folder: Path
    needs: tuple[str, ...]
    build: tuple[str, ...]
    sources: tuple[str, ...]
    built: str
    start: tuple[str, ...]
    base: str


HAPI = Kind(
    name="hapi",
    folder=HERE / "hapi",
    needs=("java", "javac", "mvn"),
    build=("mvn", "-q", "-B", "package"),
    sources=("pom.xml", "src/main/java/fhiradapter/hapi/HapiServer.java"),
    built="target",
    # The first compiler alone and the simplest collector: it starts in half the time and never runs for long.
    start=(
        *("java", "-Xmx2g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        *("-cp", "target/hapi-server-1.jar:target/lib/*", "fhiradapter.hapi.HapiServer"),
        *("--server.port={port}", "--stop-with-stdin"),
    ),
    base="http://127.0.0.1:{port}/fhir",
)
MEDPLUM = Kind(
    name="medplum",
    folder=HERE / "medplum",
    needs=("node", "npm"),
    build=("npm", "ci", "--ignore-scripts", "--loglevel=error"),
    sources=("package.json", "package-lock.json"),
    built="node_modules",
    start=("node", "server.mjs", "{port}", "--stop-with-stdin"),
    base="http://127.0.0.1:{port}/fhir/R4",
)
KINDS = {kind.name: kind for kind in (HAPI, MEDPLUM)}
_NEEDED = {"java": 17, "javac": 17, "node": 20}


def require_tools(kinds: Iterable[Kind]) -> None:
    """`CannotRun` naming every program that is missing or too old."""
    wanted = [tool for kind in kinds for tool in kind.needs]
    problems = [problem for tool in dict.fromkeys(wanted) if (problem := _problem(tool))]
    if problems:
        raise CannotRun(f"the live tests need a JDK 17, Maven and Node 20 with npm: {'; '.join(problems)}")


def _problem(tool: str) -> str:
    if shutil.which(tool) is None:
        return f"{tool} is not there"
    if tool not in _NEEDED:
        return ""
    told = subprocess.run([tool, "--version"], capture_output=True, encoding="utf-8", check=False)
    version = re.search(r"(\d+)(\.\d+)*", told.stdout)
    if version and int(version.group(1)) >= _NEEDED[tool]:
        return ""
    return f"{tool} is {version.group() if version else 'of an unknown version'}, not {_NEEDED[tool]} or later"


def build(kind: Kind, logs: Path = LOGS) -> None:
    """Build a server unless what is there was built from the same sources."""
    stamp = kind.folder / kind.built / "built-from"
    digest = hashlib.sha256(b"".join((kind.folder / name).read_bytes() for name in kind.sources)).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    log = _log(logs, f"{kind.name}-build")
    with log.open("wb") as told:
        done = subprocess.run(kind.build, cwd=kind.folder, stdout=told, stderr=told, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise CannotRun(f"{kind.name} could not be built; see {log}")
    stamp.write_text(digest)


class Server:
    """One server while it runs. `with Server(HAPI) as server: server.wait_until_ready()`."""

    def __init__(self, kind: Kind, port: int = 0, logs: Path = LOGS) -> None:
        port = port or _free_port()
        self.kind = kind
        self.base_url = kind.base.format(port=port)
        self.log = _log(logs, f"{kind.name}-{port}")
        with self.log.open("wb") as told:
            self.process = subprocess.Popen(
                [word.format(port=port) for word in kind.start],
                cwd=kind.folder,
                stdin=subprocess.PIPE,
                stdout=told,
                stderr=told,
                start_new_session=True,  # Ctrl-C is for us; we stop it
            )

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait_until_ready(self) -> None:
        """Wait until it answers; `CannotRun` if it has ended, or takes longer than anybody would wait."""
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(f"{self.base_url}/metadata"):
            if self.process.poll() is not None:
                raise CannotRun(f"{self.kind.name} has ended with {self.process.returncode}; see {self.log}")
            if time.monotonic() > deadline:
                raise CannotRun(f"{self.kind.name} does not answer after {_START_SECONDS} s; see {self.log}")
            time.sleep(0.5)

    def stop(self) -> None:
        """End it, gently and then not."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _log(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=30):
            return True
    except (urllib.error.URLError, OSError):
        return False


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one server until it is interrupted."""
    parser = argparse.ArgumentParser(description="Run a real FHIR server on loopback until Ctrl-C.")
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--port", type=int, default=8080)
    given = parser.parse_args(arguments)
    kind = KINDS[given.kind]
    try:
        require_tools([kind])
        build(kind)
        with Server(kind, given.port) as server:
            server.wait_until_ready()
            print(server.base_url, flush=True)
            threading.Event().wait()
    except CannotRun as problem:
        raise SystemExit(str(problem)) from None
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
