"""A run is killed at every durable operation, one after the other; each time the next run has to make it good.

Nothing is left to chance: the operations are counted, and the n-th one of every n is the last. What a reader finds
after the accident is the old result or the new one, and after the next run store, results and server are those of a
run that nobody disturbed. The nursery (`nursery.py`) does the work, on two processors at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
_PROCESSES = 2


def kills(scenario: str, every: int = 1, planted: str = "") -> dict[str, Any]:
    """What the nursery saw: the kinds of operations at which it killed, and what was wrong afterwards."""
    shares = every * _PROCESSES
    begun = [_begin(scenario, 1 + number * every, shares, planted) for number in range(_PROCESSES)]
    seen = []
    for process in begun:
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        seen.append(json.loads(out))
    return {
        "kinds": Counter(kind for share in seen for kind in share["kinds"]),
        "problems": [problem for share in seen for problem in share["problems"]],
    }


def _begin(scenario: str, share: int, shares: int, planted: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)]), "PLANTED": planted}
    return subprocess.Popen(
        [sys.executable, str(HERE / "nursery.py"), scenario, str(share), str(shares)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


@pytest.mark.parametrize(
    ("scenario", "kinds"),
    [
        ("server-1", {"CREATE", "BEGIN", "INSERT", "COMMIT", "write", "fsync", "rename", "symlink", "replace", "send"}),
        ("server-2", {"BEGIN", "INSERT", "UPDATE", "COMMIT", "write", "fsync", "rename", "replace"}),
        ("folder-2", {"BEGIN", "INSERT", "UPDATE", "COMMIT", "write", "fsync", "rename", "replace"}),
    ],
    ids=["the first night on a server", "the second night on a server", "the second night on a folder"],
)
def test_a_run_killed_anywhere_ends_like_an_undisturbed_one_when_it_is_run_again(
    scenario: str, kinds: set[str]
) -> None:
    seen = kills(scenario)

    assert seen["problems"] == []
    assert seen["kinds"].keys() >= kinds
    assert seen["kinds"].total() > 100


# Do these tests catch what they are for?


@pytest.mark.parametrize(
    ("planted", "scenario", "every"),
    [("cursor-before-rows", "server-2", 1), ("publish-without-rename", "folder-2", 4)],
)
def test_a_planted_bug_is_caught(planted: str, scenario: str, every: int) -> None:
    assert kills(scenario, every, planted)["problems"]
