"""A standalone cluster of this machine, started with PySpark's own scripts, and its processes one by one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

_PATIENCE_S = 180  # Java takes half a minute to start on a machine that is very busy
_MARK = "FHIR_ADAPTER_TEST_CLUSTER"


def wait_until(there: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not there():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {_PATIENCE_S} s")
        time.sleep(0.05)


def marked() -> tuple[Callable[[], list[int]], dict[str, str]]:
    """A variable for the environment of a process, and what tells all processes that come of it."""
    sign = f"{_MARK}={uuid.uuid4().hex}"
    name, _, value = sign.partition("=")

    def bearers() -> list[int]:
        every = (path for path in Path("/proc").iterdir() if path.name.isdigit())
        return [int(path.name) for path in every if sign.encode() in _environment(path)]

    return bearers, {name: value}


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:  # of somebody else, or gone meanwhile
        return b""


class Cluster:
    """A master and two workers on loopback, one core each. Every process that comes of them bears their mark."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.processes, self._mark = marked()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.master = f"spark://127.0.0.1:{self._port}"
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Cluster:
        self._start("master.Master", "--port", str(self._port))
        wait_until(self._listens, "a master")
        for _ in range(2):
            self.add_worker()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._started):
            process.terminate()
        for process in self._started:
            process.wait(_PATIENCE_S)
        wait_until(lambda: not self.processes(), "the end of the cluster")

    def add_worker(self) -> None:
        before = self._log().count("Registering worker")
        self._start("worker.Worker", "--cores", "1", "--memory", "1g", "--work-dir", str(self._folder), self.master)
        wait_until(lambda: self._log().count("Registering worker") > before, "a worker")

    def kill_worker_of(self, process: int) -> None:
        """End the worker that this process works for, and its executor, as a machine that loses its power."""
        line = [process]
        workers = {one.pid for one in self._started[1:]}
        while line[-1] not in workers:
            line.append(_parent(line[-1]))
        os.kill(line[-1], signal.SIGKILL)
        os.kill(line[-2], signal.SIGKILL)

    def _start(self, role: str, *arguments: str) -> None:
        found = find_spec("pyspark")
        assert found is not None
        assert found.origin is not None
        script = Path(found.origin).parent / "bin" / "spark-class"
        command = [script, f"org.apache.spark.deploy.{role}", "--host", "127.0.0.1", "--webui-port", "0", *arguments]
        environment = {**os.environ, **self._mark, "SPARK_LOCAL_IP": "127.0.0.1"}
        with (self._folder / "log").open("ab") as log:
            self._started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def _log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
