"""Runs the command as a user would, and reads the folder tree it leaves."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fhir_adapter import cli
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.sandbox import Sandbox

ROOT = Path(__file__).parents[1]
STUDY12 = ROOT / "fixtures" / "study12"
COMMAND = Path(sys.executable).with_name("fhir-adapter")
PARTS = ("cohort", "analysis", "report", "publish", "run.json")
FHIR_JSON = {"Content-Type": "application/fhir+json"}

Resource = dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class Ran:
    """A command that was run, and the output folder it has left."""

    ended: Ended
    out: Path


@dataclass(frozen=True)
class Served(Ran):
    """A run against a server that is still there."""

    sandbox: Sandbox


def run_process(*arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Ended:
    """The installed command in a process of its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FHIR_ADAPTER__")}
    ended = subprocess.run(
        [str(COMMAND), *map(str, arguments)],
        cwd=cwd,
        env={**environment, **(env or {})},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        umask=0o022,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def command(*arguments: object) -> Ended:
    """The same command in this process: same entry point, same exit codes, without the cost of starting Python."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    mask, handlers = os.umask(0o077), {end: signal.getsignal(end) for end in (signal.SIGTERM, signal.SIGINT)}
    try:
        with (
            patch.object(sys, "argv", ["fhir-adapter", *map(str, arguments)]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        os.umask(mask)
        for end, handler in handlers.items():
            signal.signal(end, handler)
    return Ended(code, out.getvalue(), err.getvalue())


def succeed(*arguments: object) -> Ended:
    """A command that has to succeed."""
    ended = command(*arguments)
    assert ended.code == 0, ended.told
    return ended


# What a command leaves


def files(out: Path, *parts: str) -> dict[str, bytes]:
    """The published files of an output folder by name; all parts, or those named."""
    found: dict[str, bytes] = {}
    for part in parts or PARTS:
        root = out / part
        within = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
        found.update({path.relative_to(out).as_posix(): path.read_bytes() for path in within})
    return found


def answers(out: Path) -> dict[str, bytes]:
    """The files that must be the same by every way in."""
    found = files(out, "cohort", "analysis")
    assert len(found) >= 12, "the cohort and its analysis have not been written"
    return found


def tree(folder: Path) -> dict[str, str]:
    """Everything below a folder: what each thing is, its mode and its content. A database's side files come and go."""
    return {
        path.relative_to(folder).as_posix(): _about(path)
        for path in sorted(folder.rglob("*"))
        if not path.name.endswith(("-wal", "-shm", ".lock"))
    }


def _about(path: Path) -> str:
    if path.is_symlink():
        return f"-> {os.readlink(path)}"
    mode = oct(stat.S_IMODE(path.stat().st_mode))
    return f"{mode} folder" if path.is_dir() else f"{mode} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def estimates(out: Path) -> dict[str, Any]:
    """The statistics of a run by their id."""
    return {one["id"]: one for one in json.loads((out / "analysis" / "estimates.json").read_bytes())}


class Analysed:
    """The estimates of the reference study under some parameters."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def __call__(self, **parameters: object) -> dict[str, Any]:
        given = [part for name, value in parameters.items() for part in ("--set", f"{name}={value}")]
        succeed("analyze", "--out", self.out, *given)
        return estimates(self.out)


def people(out: Path) -> list[str]:
    """The ids of the people in the cohort."""
    lines = (out / "cohort" / "subjects.csv").read_text(encoding="utf-8").splitlines()
    return [line.split(",")[0] for line in lines[1:]]


# Where the records come from


def bundles(*stories: str) -> list[Path]:
    """The Bundles of the reference study, or of the people named (with what they share)."""
    names = [f"{story}.json" for story in stories]
    return [path for path in sorted(STUDY12.glob("*.json")) if not names or path.name in names]


def resources(paths: Iterable[Path]) -> list[Resource]:
    """Every resource of some Bundles, in order."""
    return [entry["resource"] for path in paths for entry in json.loads(path.read_bytes())["entry"]]


def resource(name: str) -> Resource:
    """One resource of the reference study by `Type/id`."""
    type, _, id = name.partition("/")
    return next(one for one in resources(bundles()) if (one["resourceType"], one["id"]) == (type, id))


def write_ndjson(path: Path, found: Sequence[Resource]) -> None:
    """Resources as NDJSON; gzipped when the name ends so."""
    content = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def by_type(found: Iterable[Resource]) -> dict[str, list[Resource]]:
    """Resources by their type."""
    sorted_out: dict[str, list[Resource]] = {}
    for one in found:
        sorted_out.setdefault(one["resourceType"], []).append(one)
    return sorted_out


@contextlib.contextmanager
def server_with(paths: Iterable[Path], **character: Any) -> Iterator[Sandbox]:
    """A FHIR server that holds these Bundles; `character` is what `Sandbox` takes."""
    with Sandbox(**character) as sandbox, Transport(sandbox.base_url) as transport:
        for path in paths:
            transport.post("", path.read_bytes(), FHIR_JSON)
        yield sandbox


def put(base_url: str, changed: Resource) -> None:
    """Write one resource to a server."""
    with Transport(base_url) as transport:
        transport.put(f"{changed['resourceType']}/{changed['id']}", json.dumps(changed).encode(), FHIR_JSON)


def versions(sandbox: Sandbox, type: str) -> dict[str, int]:
    """The version of every resource of a type on a server."""
    return {one.id: one.number for one in sandbox.service.repository.find(type, ())}
