"""What an OperationOutcome says, reduced to words of the standard: texts may quote patient data and are not
kept.
"""

from __future__ import annotations

import re

import msgspec

from fhir_adapter.ehr.json_text import UNREADABLE
from fhir_adapter.fhir.resource_types import R4_TYPES

_SEVERITIES = frozenset({"fatal", "error", "warning", "information", "success"})
_CODES = frozenset(
    """
    invalid structure required value invariant security login unknown expired forbidden suppressed
    processing not-supported duplicate multiple-matches not-found deleted too-long code-invalid
    extension too-costly business-rule conflict transient lock-error no-store exception timeout
    incomplete throttled informational
    """.split()  # noqa: SIM905
)
_SHIFTED = "pages have shifted"
_TYPE_NAMES = re.compile(rf"\b(?:{'|'.join(R4_TYPES)})\b")


class Issue(msgspec.Struct, frozen=True):
    """One issue: its severity and its code, both from FHIR's own lists (`other` for anything else).

    `pages_shifted` is what some servers say when rows moved between two pages while we were reading them. `types` are
    the resource types that its text names.
    """

    severity: str
    code: str
    pages_shifted: bool = False
    types: tuple[str, ...] = ()

    @property
    def is_fatal(self) -> bool:
        return self.severity in ("fatal", "error")

    @property
    def is_missing(self) -> bool:
        """Does the source say that it did not give all? A warning of incomplete results is one of that."""
        return self.is_fatal or (self.severity == "warning" and self.code == "incomplete")


class _Text(msgspec.Struct):
    text: str = ""


class _Issue(msgspec.Struct):
    severity: str = ""
    code: str = ""
    diagnostics: str = ""
    details: _Text | None = None


class _Outcome(msgspec.Struct):
    resourceType: str = ""
    issue: list[_Issue] = []


_decoder = msgspec.json.Decoder(_Outcome)


def read_issues(body: bytes) -> tuple[Issue, ...]:
    """The issues of an OperationOutcome; empty when `body` is anything else."""
    try:
        outcome = _decoder.decode(body)
    except UNREADABLE:
        return ()
    if outcome.resourceType != "OperationOutcome":
        return ()
    return tuple(_issue(raw) for raw in outcome.issue)


def _issue(raw: _Issue) -> Issue:
    words = f"{raw.diagnostics} {raw.details.text if raw.details else ''}"
    return Issue(
        raw.severity if raw.severity in _SEVERITIES else "error",
        raw.code if raw.code in _CODES else "other",
        _SHIFTED in words.lower(),
        tuple(dict.fromkeys(_TYPE_NAMES.findall(words))),
    )


def codes_of(issues: tuple[Issue, ...]) -> tuple[str, ...]:
    """The codes without repetition, in order."""
    return tuple(dict.fromkeys(issue.code for issue in issues))
