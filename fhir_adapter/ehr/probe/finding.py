"""What a probe has found."""

from __future__ import annotations

from typing import Literal

import msgspec

Verdict = Literal["OK", "WARN", "FAIL"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at: what was seen, what that means for the study, and what to do.

    `exit_code` is what a run would end with, 0 unless the verdict is FAIL.
    """

    subject: str
    verdict: Verdict
    seen: str
    means: str = ""
    todo: str = ""
    exit_code: int = 0


def ok(subject: str, seen: str) -> Finding:
    return Finding(subject, "OK", seen)


def warn(subject: str, seen: str, means: str, todo: str = "") -> Finding:
    return Finding(subject, "WARN", seen, means, todo)


def fail(subject: str, seen: str, means: str, todo: str, exit_code: int = 5) -> Finding:
    return Finding(subject, "FAIL", seen, means, todo, exit_code)
