"""Chromium and what drives it: found, or got by the ordinary means, or named as missing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_DRIVER = ("package.json", "package-lock.json")
_MOST_SECONDS = 1800  # two minutes when nobody else is working


WAYS: Mapping[str, Mapping[str, Any]] = {
    "wide": {"width": 1400},
    "tablet": {"width": 820},
    "narrow": {"width": 360},
    "dark": {"width": 1200, "dark": True},
    "dark and narrow": {"width": 360, "dark": True},
    "paper": {"width": 800, "paper": True},
}


class CannotLook(Exception):
    """There is no browser, or nothing to drive it with; the message says what to do."""


@dataclass(frozen=True)
class Look:
    """A page in a window of a size, on a light or a dark screen, or on paper. `shot` keeps a picture."""

    file: str
    width: int = 1200
    dark: bool = False
    paper: bool = False
    shot: str = ""


@dataclass(frozen=True)
class Seen:
    """What the browser made of it; `serious` are the findings of axe that keep somebody from reading the page."""

    wider: int
    background: str
    ink: str
    figures: Sequence[dict[str, Any]]
    text: str
    scripts: int
    pages: int
    complaints: Sequence[str]
    asked: int
    violations: Sequence[dict[str, Any]]

    @property
    def serious(self) -> list[dict[str, Any]]:
        return [one for one in self.violations if one["impact"] in ("serious", "critical")]


def look_at(looks: Sequence[Look], browser: str) -> list[Seen]:
    """Every look, one after the other in one browser."""
    done = subprocess.run(
        ["node", "look.mjs", browser],
        cwd=HERE,
        input=json.dumps([asdict(one) for one in looks]),
        capture_output=True,
        encoding="utf-8",
        timeout=_MOST_SECONDS,
        check=False,
    )
    if done.returncode:
        raise CannotLook(f"the browser could not look: {done.stderr}")
    return [Seen(**one) for one in json.loads(done.stdout)]


def find_browser() -> str:
    """The path of Chromium. Where it is missing and we may, it is installed from the distribution's packages."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", "chromium"]):
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
        found = shutil.which("chromium")
    if found is None:
        raise CannotLook("Chromium is not there: install it (Debian: apt-get install chromium)")
    return found


def get_driver() -> None:
    """The packages that drive the browser, as the lock names them; nothing is done when they are there."""
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if missing:
        raise CannotLook(f"{' and '.join(missing)} not there: install Node 20 with npm")
    stamp = HERE / "node_modules" / "built-from"
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in _DRIVER)).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(
        command, cwd=HERE, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        raise CannotLook(f"the driver of the browser could not be installed: {done.stderr}")
    stamp.write_text(digest)
