"""Everything that can go wrong, as one tree.

    FhirAdapterError                 a sentence for the user, a hint, an exit code; never patient data
    ├── UsageError            2      the command, the settings or the study folder must be changed
    │   ├── StudyError        2        a file under mappings/ is wrong: names file, key, nearest valid name
    │   ├── StoreError        2        the landing store belongs to another source, is newer, or is damaged
    │   └── NotFhir           2        the address answers, but not as an R4 FHIR server
    ├── AccessError           3      authentication or authorisation was refused
    ├── NotReadyError         4      the server cannot serve now; what was fetched is saved
    │   ├── Unreachable       4        no connection, no name, no answer in time
    │   └── WorkerLost        4        a process or a machine that did a part of the work is gone
    ├── ServerRefused         4      the server understood the request and refused it
    ├── IncompleteError       5      data are missing, so nothing was published
    │   ├── StreamIncomplete  5        one stream did not reconcile
    │   ├── ForeignUrl        5        the server pointed somewhere its URL policy forbids
    │   └── DeliveryError     5        what was written back could not be confirmed
    ├── LockedError           6      another run is working in the same output folder
    └── DiskError             7      no space, or the output folder cannot be written

A mistake of the user ends with the sentence and the hint; anything outside this tree is a bug and ends with a
traceback and exit code 1.
"""

from __future__ import annotations

from typing import ClassVar


class FhirAdapterError(Exception):
    """Base of the tree: `message` says what happened and why it matters, `hint` what to do about it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Errors travel between processes, also those that need more than a sentence and a hint."""
        return _made_again, (type(self), self.args), self.__dict__


def _made_again(kind: type[FhirAdapterError], arguments: tuple[object, ...]) -> FhirAdapterError:
    return kind.__new__(kind, *arguments)


class UsageError(FhirAdapterError):
    """The command line, the settings or an input folder has to be changed."""

    exit_code = 2


class StudyError(UsageError):
    """A file of the study folder cannot be used."""


class StoreError(UsageError):
    """The landing store cannot be opened for this source."""


class NotFhir(UsageError):
    """Something answers at the address, but it is not a FHIR R4 server."""


class AccessError(FhirAdapterError):
    """The server refused the credentials, or the credentials do not cover what was asked."""

    exit_code = 3


class NotReadyError(FhirAdapterError):
    """The server cannot answer now; running the same command later continues."""

    exit_code = 4


class Unreachable(NotReadyError):
    """No connection could be made, or no answer came in time."""


class WorkerLost(NotReadyError):
    """A process or a machine that did a part of the work came to an end before it had answered."""


class ServerRefused(FhirAdapterError):
    """The server refused one request.

    `status` is the HTTP status; `issues` are the OperationOutcome issue codes, `types` the resource types it names.
    """

    exit_code = 4

    def __init__(
        self, message: str, hint: str = "", *, status: int, issues: tuple[str, ...] = (), types: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.issues = issues
        self.types = types


class IncompleteError(FhirAdapterError):
    """Data are missing or do not add up; nothing is published, the last good outputs stay."""

    exit_code = 5


class StreamIncomplete(IncompleteError):
    """One stream of resources ended before everything announced was received."""


class ForeignUrl(IncompleteError):
    """The server pointed to an address outside the configured origin."""


class DeliveryError(IncompleteError):
    """What was written to the server could not be confirmed by reading it back."""


class LockedError(FhirAdapterError):
    """Another run holds the lock of this output folder."""

    exit_code = 6


class DiskError(FhirAdapterError):
    """The output folder is full or cannot be written."""

    exit_code = 7


def exit_code_of(problem: BaseException) -> int:
    """The documented exit code with which a command ends that this has stopped; 1 for a bug."""
    if isinstance(problem, FhirAdapterError):
        return problem.exit_code
    if isinstance(problem, KeyboardInterrupt):
        return 130
    if isinstance(problem, SystemExit):
        return problem.code if isinstance(problem.code, int) else int(problem.code is not None)
    return 1
