"""The engine `spark` on real Spark: in one process, and on a cluster of this machine. Needs PySpark and a JDK.

What Java is told makes it start in half the time; nothing here runs for long.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WORK = HERE.parent / "engine"
BENCHMARKS = HERE.parents[1] / "benchmarks"
sys.path += [str(WORK), str(BENCHMARKS)]

from cluster import Cluster  # noqa: E402  (after the path)


def pytest_sessionstart(session: pytest.Session) -> None:
    if find_spec("pyspark") is None:
        pytest.exit("these tests need PySpark: `make test-spark` installs it", returncode=2)


@pytest.fixture(scope="session", autouse=True)
def quick_java() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(WORK), str(HERE), os.environ.get("PYTHONPATH", "")]))
        yield


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A master and two workers with a core each. Whatever they have started is gone afterwards."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster
    assert cluster.processes() == []
