"""`$export` for the system, for all patients and for a Group, as a job that really takes its time.

What goes out is what was there when the export was ordered. With `_since` that is what has changed since and, apart,
what was deleted since.
"""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fhir_adapter.fhir.canonical import Json
from fhir_adapter.sandbox.exchange import Call, Reply
from fhir_adapter.sandbox.export_order import Selection, read_order
from fhir_adapter.sandbox.outcome import Refused
from fhir_adapter.sandbox.repository import Repository, Version, written
from fhir_adapter.sandbox.search import encode

JOBS = "$export-jobs"


@dataclass(frozen=True, slots=True)
class Exporting:
    """How exports are carried out.

    `polls` is how often an export says that it is not ready yet, `file_resources` how many resources go into one file.
    With `gzipped` the files are gzip themselves, whatever the client accepts.
    """

    polls: int = 1
    file_resources: int = 1_000
    gzipped: bool = False


@dataclass(slots=True)
class _Job:
    """One export: its manifest, the lines of its files by name, how often it still says that it works."""

    manifest: dict[str, Json]
    files: dict[str, Sequence[Json]]
    polls_left: int


class Exports:
    """The exports that are under way or wait to be fetched."""

    def __init__(self, repository: Repository, base: str, types: Sequence[str], exporting: Exporting) -> None:
        self._repository, self._base, self._types, self._exporting = repository, base, types, exporting
        self._jobs: dict[str, _Job] = {}

    def start(self, call: Call) -> Reply:
        """Take an order at `$export`, `Patient/$export` or `Group/ID/$export`."""
        if call.method not in ("GET", "POST"):
            raise Refused(405, "not-supported", "an export is ordered by GET or POST")
        if "respond-async" not in call.headers.get("prefer", ""):
            raise Refused(400, "required", "an export needs the header Prefer: respond-async")
        id = uuid.uuid4().hex
        status = f"{self._base}/{JOBS}/{id}"
        self._jobs[id] = self._prepare(call, status)
        return Reply(202, None, {"Content-Location": status})

    def answer(self, call: Call) -> Reply:
        """Tell how an export gets on, hand out one of its files, or take it back."""
        id, *file = call.path[1:] or ("",)
        job = self._jobs.get(id)
        if job is None or (file and file[0] not in job.files):
            raise Refused(404, "not-found", "there is no such export")
        match call.method, file:
            case "DELETE", []:
                del self._jobs[id]
                return Reply(202)
            case "GET", [name]:
                return self._file(job.files[name])
            case "GET", [] if job.polls_left > 0:
                job.polls_left -= 1
                share = 1 - job.polls_left / self._exporting.polls
                return Reply(202, None, {"Retry-After": "1", "X-Progress": f"{share:.0%}"})
            case "GET", []:
                return Reply(200, job.manifest)
        raise Refused(405, "not-supported", "this is not offered for an export")

    def _file(self, lines: Iterable[Json]) -> Reply:
        content = b"".join(encode(line) + b"\n" for line in lines)
        if self._exporting.gzipped:
            return Reply(200, content=gzip.compress(content, mtime=0), media_type="application/gzip")
        return Reply(200, content=content, media_type="application/fhir+ndjson")

    def _prepare(self, call: Call, status: str) -> _Job:
        order = read_order(call, self._types)
        selection = Selection(order, call.path, self._repository, self._base)
        deletions = [_deletion(version) for version in selection.deleted()]
        files = self._cut("deleted", deletions)
        deleted: list[Json] = [{"type": "Bundle", **_listed(status, *file)} for file in files.items()]
        output: list[Json] = []
        for type in order.types:
            lines = self._cut(type, [version.resource for version in selection.current(type)])
            output += [{"type": type, **_listed(status, *file)} for file in lines.items()]
            files |= lines
        manifest: dict[str, Json] = {
            "transactionTime": written(self._repository.now()),
            "request": f"{self._base}/{'/'.join(call.path)}",
            "requiresAccessToken": True,
            "output": output,
            "deleted": deleted,
            "error": [],
        }
        return _Job(manifest, files, self._exporting.polls)

    def _cut(self, name: str, lines: Sequence[Json]) -> dict[str, Sequence[Json]]:
        """The lines in files of the size that is wanted."""
        size = self._exporting.file_resources
        starts = range(0, len(lines), size)
        return {f"{name}.{number}.ndjson": lines[start : start + size] for number, start in enumerate(starts, start=1)}


def _listed(status: str, name: str, lines: Sequence[Json]) -> dict[str, Json]:
    return {"url": f"{status}/{name}", "count": len(lines)}


def _deletion(version: Version) -> Json:
    request: Json = {"method": "DELETE", "url": version.reference}
    return {"resourceType": "Bundle", "type": "transaction", "entry": [{"request": request}]}
