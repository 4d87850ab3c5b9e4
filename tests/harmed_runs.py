"""Runs to which an accident happens at every durable operation, one after the other, on two processors at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent
CRASHES = HERE / "crashes"
_PROCESSES = 2


@dataclass(frozen=True)
class Harm:
    """The kinds of operations at which it happened, and what was wrong afterwards."""

    kinds: Counter[str]
    problems: list[str]


def harmed(scenario: str, accident: Literal["killed", "full"], planted: str = "") -> Harm:
    """What `crashes/nursery.py` has seen. `planted` names a bug of `crashes/planted.py`."""
    begun = [_begin(scenario, accident, share, planted) for share in range(1, _PROCESSES + 1)]
    kinds: Counter[str] = Counter()
    problems: list[str] = []
    for process in begun:
        out, err = process.communicate(timeout=900)
        assert process.returncode == 0, err
        seen = json.loads(out)
        kinds.update(seen["kinds"])
        problems += seen["problems"]
    return Harm(kinds, problems)


def _begin(scenario: str, accident: str, share: int, planted: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CRASHES / "nursery.py"), scenario, accident, str(share), str(_PROCESSES)],
        env=environment(planted),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def environment(planted: str) -> dict[str, str]:
    """For a process in which a bug is planted, or none."""
    path = [str(CRASHES), str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "PLANTED": planted}
