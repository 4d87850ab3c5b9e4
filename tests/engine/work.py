"""Work that the tests give to engines."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from fhir_adapter.errors import ServerRefused, UsageError

HEAVY = ("pandas", "lifelines", "matplotlib", "httpx", "scipy", "numpy", "pytest", "typer")


def double(number: int) -> int:
    return 2 * number


def times(factor: int, number: int) -> int:
    return factor * number


def slowly(number: int) -> int:
    """The first ones take longest, so the last ones are done first."""
    time.sleep(0.05 if number < 2 else 0)
    return number


def where(_: int) -> int:
    return os.getpid()


def imported(_: int) -> list[str]:
    return [name for name in HEAVY if name in sys.modules]


def refuse(number: int) -> int:
    if number == 3:
        raise UsageError("three is too many", "take two")
    return number


def refuse_with_status(number: int) -> int:
    raise ServerRefused("refused", "ask", status=422, issues=("invalid",), types=("Patient",))


class Unpackable(Exception):
    def __init__(self, *, about: str) -> None:
        super().__init__(f"about {about}")


def fail_unpackably(number: int) -> int:
    raise Unpackable(about="Jane Doe")


def die(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def begin_and_stay(folder: Path, number: int) -> int:
    """Write down who we are, then take longer than any test."""
    (folder / f"{number}.pid").write_text(str(os.getpid()))
    time.sleep(600)
    return number
