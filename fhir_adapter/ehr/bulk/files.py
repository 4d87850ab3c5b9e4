"""One file of an export: fetched, and looked over before anything in it is believed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from fhir_adapter.ehr.arriving import Download
from fhir_adapter.ehr.bulk.deletions import read_deletions
from fhir_adapter.ehr.bulk.manifest import Listed
from fhir_adapter.ehr.bundle import is_outcome
from fhir_adapter.ehr.folder import MAX_RESOURCE_BYTES
from fhir_adapter.ehr.json_text import is_json, looks_like_markup
from fhir_adapter.ehr.ndjson import read_lines
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import AccessError, ServerRefused

_TRIES = 3
_SNIFFED = 1_024
_CUT = "one of its files ends in the middle of a line"


class LinkExpired(Exception):
    """A link does not work, or not any more; the status of the export may have a fresh one. `reason` is a phrase."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Arrived(msgspec.Struct, frozen=True):
    """A file that is here, with the number of its `lines`, and how many of them are remarks of the server.

    `problem` is a phrase if the file cannot be had or is not what the manifest says; then `path` may not exist.
    """

    listed: Listed
    path: Path
    lines: int = 0
    remarks: int = 0
    problem: str = ""

    @property
    def announced(self) -> int | None:
        """How many resources the manifest says it holds. Some servers count their remarks as well."""
        count = self.listed.count
        return count - self.remarks if count is not None and count == self.lines else count


def fetch_file(transport: Transport, listed: Listed, target: Path, *, authorised: bool) -> tuple[Arrived, Download]:
    """Fetch a file and look it over; again, if it does not look whole. `LinkExpired` when it is not given.

    Raises `Exhausted`, `TooBig` and `ForeignUrl` when it cannot be had whatever is tried.
    """
    failures = 0
    while True:
        download = _download(transport, listed, target, authorised=authorised)
        arrived = look_over(listed, target, download, transport.base_url)
        failures += 1
        as_the_server_has_it = download.proven and arrived.problem != _CUT
        if not arrived.problem or as_the_server_has_it or failures == _TRIES:
            return arrived, download
        transport.pause(failures)


def _download(transport: Transport, listed: Listed, target: Path, *, authorised: bool) -> Download:
    try:
        return transport.download(listed.url, target, authorised=authorised)
    except ServerRefused as refused:
        raise LinkExpired(f"the server refused one of its files (HTTP {refused.status})") from None
    except AccessError:
        raise LinkExpired("the server did not let us have one of its files") from None


def look_over(listed: Listed, path: Path, download: Download, base_url: str = "") -> Arrived:
    """Count what a file holds, and compare with what is known of it."""
    lines = remarks = deletions = 0
    ended, last = True, b""
    with path.open("rb") as opened:
        if looks_like_markup(opened.read(_SNIFFED)):
            raise LinkExpired("an HTML page came instead of one of its files, as from a login or maintenance page")
        opened.seek(0)
        for line in read_lines(opened, MAX_RESOURCE_BYTES):
            lines += 1
            ended, last = line.ended or line.too_long, line.text
            remarks += listed.kind == "output" and is_outcome(line.text)
            deletions += len(read_deletions(line.text, base_url) or ()) if listed.kind == "deleted" else 0
    counts = {lines, lines - remarks, deletions or lines}
    problem = _problem(listed, counts, whole_line=ended or is_json(last), proven=download.proven, ended=ended)
    return Arrived(listed, path, lines, remarks, problem)


def _problem(listed: Listed, counts: set[int], *, whole_line: bool, proven: bool, ended: bool) -> str:
    if not whole_line:
        return _CUT
    if listed.count is not None and listed.count not in counts:
        return f"the manifest says that one of its files holds {listed.count}, and {max(counts)} came"
    if listed.count is None and not proven and not ended:
        return "nothing shows that one of its files came whole"
    return ""
