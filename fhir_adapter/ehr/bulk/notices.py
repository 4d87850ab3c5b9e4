"""What an export says besides resources: what was deleted, and what the server remarks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fhir_adapter.ehr.bulk.deletions import read_deletions
from fhir_adapter.ehr.bulk.files import Arrived
from fhir_adapter.ehr.bulk.reading import incomplete, lines_of
from fhir_adapter.ehr.folder import PAGE_RESOURCES
from fhir_adapter.ehr.outcome import Issue, codes_of, read_issues
from fhir_adapter.ehr.page import Page
from fhir_adapter.fhir.deletion import Deletion
from fhir_adapter.fhir.quarantine import Quarantined, set_aside

STREAM = "export"
_UNREADABLE = Issue("error", "structure")
_LOST = Issue("error", "incomplete")


def read_remarks(files: Sequence[Arrived]) -> tuple[Issue, ...]:
    """What the server says about its export. A remark that cannot be read or had counts as an error."""
    issues: list[Issue] = []
    for file in files:
        if file.problem:
            issues.append(_LOST)
        for line in lines_of(file):
            issues.extend(read_issues(line.text) or (_UNREADABLE,))
    return tuple(issues)


class DeletionReader:
    """Reads the files that say what was deleted.

    A deletion stands as of the `transaction_time`: what the server creates anew under the same id is newer.
    """

    def __init__(self, files: Sequence[Arrived], base_url: str, transaction_time: str) -> None:
        self._files, self._base_url, self._at = files, base_url, transaction_time
        self._problems = {file.problem: None for file in files if file.problem}

    def pages(self, issues: tuple[Issue, ...]) -> Iterator[Page]:
        """At least one page, the first with `issues`; `StreamIncomplete` at the end if something is wrong."""
        number, received = 0, 0
        counted = all(file.listed.count is not None for file in self._files)
        for deleted, unread in self._portions():
            number, received = number + 1, received + len(deleted) + len(unread)
            remarks = issues if number == 1 else ()
            announced = received if counted else None
            yield Page(STREAM, number, (), tuple(unread), announced, remarks, deleted=tuple(deleted))
        fatal = tuple(issue for issue in issues if issue.is_fatal)
        if fatal:
            self._problems[f"the server reported errors ({', '.join(codes_of(fatal))})"] = None
        if self._problems:
            raise incomplete(STREAM, "; ".join(self._problems))

    def _portions(self) -> Iterator[tuple[list[Deletion], list[Quarantined]]]:
        deleted: list[Deletion] = []
        unread: list[Quarantined] = []
        for position, file in enumerate(self._files, start=1):
            for line in lines_of(file):
                targets = read_deletions(line.text, self._base_url)
                if targets is None:
                    self._problems["a deletion cannot be read"] = None
                    unread.append(set_aside(STREAM, line.text, "not-a-deletion", id=f"file-{position}-{line.number}"))
                deleted.extend(Deletion(type, id, at=self._at) for type, id in targets or ())
                if len(deleted) + len(unread) >= PAGE_RESOURCES:
                    yield deleted, unread
                    deleted, unread = [], []
        yield deleted, unread
