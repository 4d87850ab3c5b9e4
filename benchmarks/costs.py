"""What a task costs, measured in a process of its own, in turn with what it is compared to.

A task is a script that prints `{"seconds": ..., "megabytes": ..., "found": ...}` as its last line: its CPU time after
the imports, the peak of its resident memory, and how much it found, so that nobody is compared with less work.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 900


@dataclass(frozen=True)
class Cost:
    """CPU seconds, peak of resident memory in MB, and what was found: a number that stands for the answer."""

    seconds: float
    megabytes: float
    found: float


class Failed(RuntimeError):
    """A task ended badly; the text is the last line that it said."""


def cost(command: Sequence[str | Path], files: Collection[Path] = ()) -> Cost:
    """Run a task once, with these files in memory."""
    _read(files)
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=TIMEOUT_S)
    if ended.returncode:
        raise Failed((ended.stderr.strip().splitlines() or ["no message"])[-1][:200])
    return Cost(**json.loads(ended.stdout.strip().splitlines()[-1]))


def _read(files: Collection[Path]) -> None:
    """The system may have put files out of memory. To get them from the disk costs more than most tasks, and would be
    the cost of whoever comes first.
    """
    buffer = bytearray(1 << 18)
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def alternate(
    tasks: Mapping[str, Sequence[str | Path]], rounds: int, files: Collection[Path] = ()
) -> dict[str, list[Cost]]:
    """A B C A B C ...: whatever else the machine does falls on all of them. All find these files in memory."""
    costs: dict[str, list[Cost]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, command in tasks.items():
            costs[name].append(cost(command, files))
    return costs


def ratio(costs: Mapping[str, Sequence[Cost]], baseline: str, ours: str) -> float:
    """How many times as much CPU the baseline takes, round by round, by median."""
    pairs = zip(costs[baseline], costs[ours], strict=True)
    return statistics.median(other.seconds / one.seconds for other, one in pairs)


def agree(costs: Mapping[str, Sequence[Cost]], names: Sequence[str]) -> None:
    """What is not the same work is no comparison."""
    found = {round(one.found, 6) for name in names for one in costs[name]}
    if len(found) > 1:
        raise SystemExit(f"{', '.join(names)} found different things: {sorted(found)}")


def tell(task: Callable[[], float], clock: Callable[[], float] = time.process_time) -> None:
    """For the script of a task: do it and print what it cost."""
    began = clock()
    found = task()
    seconds = clock() - began
    print(json.dumps({"seconds": seconds, "megabytes": _peak(), "found": found}))


def _peak() -> float:
    """Of this program alone: what `getrusage` tells begins with that of whoever started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
