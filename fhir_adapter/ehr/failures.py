"""Refinements of the public error tree that only this folder has to tell apart.

Outside of `ehr/` each of them is what it inherits from: the exit code and the way to go on are the parent's.
"""

from __future__ import annotations

from fhir_adapter.errors import AccessError, IncompleteError, NotReadyError, StreamIncomplete


class Forbidden(AccessError):
    """403: who we are is accepted, what we asked for is not. A narrower question may still be answered."""


class Exhausted(NotReadyError):
    """The server was reached every time and never gave a usable answer: more waiting is not promising.

    `status` and `issues` (codes) are those of the last HTTP error, 0 and none if it was no HTTP error.
    """

    def __init__(self, message: str, hint: str = "", *, status: int = 0, issues: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.status = status
        self.issues = issues


class Busy(NotReadyError):
    """The server asks to wait longer than one request may take: `seconds` from now."""

    def __init__(self, message: str, hint: str, seconds: float) -> None:
        super().__init__(message, hint)
        self.seconds = seconds


class Unconfirmed(NotReadyError):
    """A write whose answer was lost or useless. It may have happened: look before sending again."""


class TooBig(IncompleteError):
    """An answer beyond the configured limits of size or compression; asking again would not help."""


class Unserved(StreamIncomplete):
    """The search of a whole type was answered with 404: by FHIR's rules the server does not support the type."""


class Broken(Exception):
    """The body of one answer cannot be trusted as received; a repetition may be whole. Never leaves `ehr/`.

    `reason` is a short phrase of ours, without content.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Oversized(Exception):
    """The body of one answer passed a limit. Never leaves `ehr/`. `reason` is a short phrase of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
