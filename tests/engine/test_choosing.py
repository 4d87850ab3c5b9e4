"""Whoever asks for an engine that cannot be had is told why before any work is done."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from fhir_adapter.engine import opened
from fhir_adapter.errors import Unreachable, UsageError
from fhir_adapter.settings import read_settings


@pytest.fixture
def with_spark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As if PySpark and Java were installed: only the look for them is of interest."""
    (tmp_path / "pyspark.py").touch()
    (tmp_path / "bin").mkdir()
    java = tmp_path / "bin" / "java"
    java.touch(mode=0o755)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))


def test_small_work_is_done_here_unless_somebody_says_otherwise() -> None:
    settings = read_settings(None, {}, need_source=False)
    assert (settings.engine, settings.workers, settings.spark_master) == ("serial", 0, "")


def test_an_unknown_engine_is_named_with_its_flag_and_those_there_are() -> None:
    with pytest.raises(UsageError, match="'serial', 'processes' or 'spark'") as told:
        read_settings(None, {"engine": "dask"}, need_source=False)
    assert "--engine" in told.value.hint


@pytest.mark.parametrize(
    "master",
    ["", "local", "local[2]", "local[*]", "spark://a:7077", "spark://a:1,b:2", "yarn", "k8s://h", "sc://h:15002"],
)
def test_a_master_is_written_as_spark_has_it(master: str) -> None:
    assert read_settings(None, {"spark_master": master}, need_source=False).spark_master == master


@pytest.mark.parametrize("master", ["local[0]", "localhost:7077", "spark://a", "spark://", "http://a:7077", "local[2"])
def test_a_master_that_cannot_be_one_is_refused(master: str) -> None:
    with pytest.raises(UsageError, match="spark_master"):
        read_settings(None, {"spark_master": master}, need_source=False)


def test_spark_without_pyspark_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(UsageError, match="not installed") as told, opened("spark"):
        pass
    assert told.value.hint == "pip install .[spark]"


def test_spark_without_java_says_what_is_needed(
    with_spark: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(UsageError, match="needs Java") as told, opened("spark"):
        pass
    assert "JAVA_HOME" in told.value.hint


def test_a_master_that_does_not_listen_is_told_within_seconds(with_spark: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with (
        pytest.raises(Unreachable, match="no Spark master listens") as told,
        opened("spark", 0, f"spark://127.0.0.1:{port}"),
    ):
        pass
    assert told.value.exit_code == 4


def test_one_of_several_masters_is_enough(with_spark: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free, socket.create_server(("127.0.0.1", 0)) as listening:
        gone, there = free.getsockname()[1], listening.getsockname()[1]
        free.close()
        with opened("spark", 0, f"spark://127.0.0.1:{gone},127.0.0.1:{there}") as engine:
            assert list(engine.map(abs, [-1])) == [1]
