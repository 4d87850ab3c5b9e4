"""Environments of their own for the libraries that we are measured against; ours never sees them.

They are kept in `build/bench-env`, so that only the first run takes the time to install them.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HOME = Path(__file__).parents[1] / "build" / "bench-env"
BASELINES = ("orjson", "duckdb", "httpx")


@dataclass(frozen=True)
class Environment:
    """`python` runs in it; empty, with the `reason`, if the library could not be installed."""

    python: str
    reason: str = ""


@cache
def environment(name: str, *packages: str) -> Environment:
    """The environment `name` with some packages."""
    folder = HOME / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    python, ready = folder / "bin" / "python", folder / "ready"
    wanted = "\n".join(packages)
    if ready.exists() and ready.read_text(encoding="utf-8") == wanted:
        return Environment(str(python))
    venv.create(folder, with_pip=True, clear=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", *packages]
    ended = subprocess.run(install, capture_output=True, text=True)
    if ended.returncode:
        return Environment("", (ended.stderr.strip().splitlines() or ["pip failed"])[-1][:160])
    ready.write_text(wanted, encoding="utf-8")
    return Environment(str(python))


def baselines() -> str:
    """The Python with the decoders that every subject is measured against."""
    found = environment("baselines", *BASELINES)
    if not found.python:
        raise SystemExit(f"the baselines cannot be installed: {found.reason}")
    return found.python
