"""The pages of one type, from files that are here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fhir_adapter.ehr.bulk.files import Arrived
from fhir_adapter.ehr.bundle import file_resource, is_outcome
from fhir_adapter.ehr.folder import MAX_RESOURCE_BYTES, PAGE_RESOURCES
from fhir_adapter.ehr.ndjson import Line, read_lines
from fhir_adapter.ehr.outcome import Issue, codes_of, read_issues
from fhir_adapter.ehr.page import Page
from fhir_adapter.errors import StreamIncomplete
from fhir_adapter.fhir.quarantine import Quarantined, set_aside
from fhir_adapter.fhir.record import Record

_NOTHING_PUBLISHED = "Nothing is published from incomplete data; the next run orders a new export."
WRONG_TYPE = "wrong-type-in-file"


class TypeReader:
    """Reads the files of one type, notes what is wrong with them, and says so at the end."""

    def __init__(self, type: str, files: Iterable[Arrived], announced: int | None, cursor: tuple[str, str]) -> None:
        self._type, self._files, self._announced, self._cursor = type, tuple(files), announced, cursor
        self._problems: dict[str, None] = {}
        self._wrong = self._unread = 0

    def pages(self) -> Iterator[Page]:
        """At least one page. The cursor stands on the last one, and only if nothing is missing.

        Of a line that cannot be read nobody knows what it was: it will have to be asked for again.
        """
        number, held = 0, _Portion(self._type)
        for portion in self._portions():
            if number:
                yield held.page(number, self._announced)
            number, held = number + 1, portion
        self._conclude()
        number = max(number, 1)
        yield held.page(number, self._announced, None if self._problems or self._unread else self._cursor)
        if self._problems:
            raise incomplete(self._type, "; ".join(self._problems))

    def _portions(self) -> Iterator[_Portion]:
        portion = _Portion(self._type)
        for position, file in enumerate(self._files, start=1):
            if file.problem:
                self._problems[file.problem] = None
            for line in lines_of(file):
                self._place(portion, line, f"file-{position}-line-{line.number}")
                if len(portion) >= PAGE_RESOURCES:
                    yield portion
                    portion = _Portion(self._type)
        if len(portion) or portion.issues:
            yield portion

    def _place(self, portion: _Portion, line: Line, place: str) -> None:
        if line.too_long:
            self._unread += 1
            portion.quarantined.append(Quarantined(self._type, "", place, "too-long", line.sha256, line.text))
            return
        if is_outcome(line.text):
            issues = read_issues(line.text)
            portion.issues.extend(issues)
            self._note_errors(issues)
            return
        filed = file_resource(self._type, line.text, place)
        if isinstance(filed, Quarantined):
            self._unread += 1
            portion.quarantined.append(filed)
        elif filed.type == self._type:
            portion.records.append(filed)
        else:
            self._wrong += 1
            portion.quarantined.append(set_aside(self._type, filed.body, WRONG_TYPE, type=filed.type, id=filed.id))

    def _note_errors(self, issues: Iterable[Issue]) -> None:
        fatal = tuple(issue for issue in issues if issue.is_fatal)
        if fatal:
            self._problems[f"the server reported an error among its resources ({', '.join(codes_of(fatal))})"] = None

    def _conclude(self) -> None:
        if self._wrong:
            self._problems[f"{self._wrong} resources of another type came in its files"] = None


class _Portion:
    """What goes on one page."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self.records: list[Record] = []
        self.quarantined: list[Quarantined] = []
        self.issues: list[Issue] = []

    def __len__(self) -> int:
        return len(self.records) + len(self.quarantined)

    def page(self, number: int, announced: int | None, cursor: tuple[str, str] | None = None) -> Page:
        return Page(
            self._stream,
            number,
            tuple(self.records),
            tuple(self.quarantined),
            announced,
            tuple(self.issues),
            cursor=cursor,
        )


def lines_of(file: Arrived) -> Iterator[Line]:
    """The lines of a file; none if it cannot be had."""
    if file.path.is_file():
        with file.path.open("rb") as opened:
            yield from read_lines(opened, MAX_RESOURCE_BYTES)


def incomplete(stream: str, reason: str) -> StreamIncomplete:
    """The exception for a stream, with `reason` as the end of its sentence."""
    return StreamIncomplete(f"{stream} is incomplete: {reason}.", _NOTHING_PUBLISHED)
