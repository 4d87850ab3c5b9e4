"""However a run ends, nobody is left who works for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

STORY = """
import sys
from functools import partial
from pathlib import Path
import work
from fhir_adapter.engine import opened

if __name__ == "__main__":
    with opened("processes", 2) as engine:
        list(engine.map(partial(work.begin_and_stay, Path(sys.argv[1])), range(8)))
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose two workers are both at work."""
    script = tmp_path / "story.py"
    script.write_text(STORY)
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen([sys.executable, script, tmp_path], env={**os.environ, "PYTHONPATH": path}, stderr=-1)
    try:
        _wait(lambda: len(_workers(tmp_path)) == 2)
        yield process
    finally:
        process.kill()
        process.communicate()


def _wait(until: Callable[[], bool]) -> None:
    """As long as it takes; a minute is for machines that are very busy."""
    for _ in range(1200):
        if until():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def _workers(folder: Path) -> set[int]:
    return {int(text) for path in folder.glob("*.pid") if (text := path.read_text())}


def _is_there(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_workers_end_with_the_run(run: subprocess.Popen[bytes], tmp_path: Path, how: signal.Signals) -> None:
    workers = _workers(tmp_path)
    assert all(map(_is_there, workers))
    run.send_signal(how)
    run.communicate(timeout=30)
    _wait(lambda: not any(map(_is_there, workers)))


def test_at_a_terminal_only_the_run_itself_tells_of_the_interruption(
    run: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    for process in (*_workers(tmp_path), run.pid):  # a terminal sends it to everybody
        os.kill(process, signal.SIGINT)
    _, told = run.communicate(timeout=30)
    assert told.count(b"KeyboardInterrupt") == 1
    assert b"Process-" not in told
