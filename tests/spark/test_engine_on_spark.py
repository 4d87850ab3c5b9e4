"""Spark in one process: what every engine owes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import marked, wait_until
from contract import *  # noqa: F403

from fhir_adapter.engine import Engine, opened

STORY = """
import sys
from functools import partial
from pathlib import Path
import work
from fhir_adapter.engine import opened

with opened("spark", 0, "local[2]") as engine:
    list(engine.map(partial(work.begin_and_stay, Path(sys.argv[1])), range(8)))
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with opened("spark", 0, "local[2]") as one:
        yield one


def test_many_tasks_come_back_in_their_order_over_several_waves(engine: Engine) -> None:
    assert list(engine.map(abs, range(-300, 0))) == list(range(300, 0, -1))


def test_an_interrupted_run_leaves_nothing_of_spark_behind(tmp_path: Path) -> None:
    mark, environment = marked()
    command = [sys.executable, "-c", STORY, str(tmp_path)]
    run = subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.PIPE)
    wait_until(lambda: any(tmp_path.glob("*.pid")), "work on Spark")
    run.send_signal(signal.SIGINT)
    _, told = run.communicate()
    wait_until(lambda: not mark(), "the end of everybody")
    assert told.rstrip().endswith(b"KeyboardInterrupt")
