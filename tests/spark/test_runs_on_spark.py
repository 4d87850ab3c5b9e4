"""Whole commands on Spark leave the same output folder, byte for byte, as without."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cluster import Cluster
from losing import Loss, after_the_loss
from whole_runs import STUDY12, by_type, files, resources, succeed, write_ndjson

from fhir_adapter.cli import stages
from fhir_adapter.ehr import parts
from fhir_adapter.engine import spark
from fhir_adapter.pipeline import charts

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "spark.md"
COMMANDS = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("fhir-adapter run ")]


@pytest.fixture(autouse=True)
def work_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve people are work for a cluster if it is cut finely enough. The clock stands still."""
    monkeypatch.setattr(parts, "PART_BYTES", 25_000)
    monkeypatch.setattr(charts, "_PEOPLE", 2)
    monkeypatch.setattr(stages, "now", lambda: "2026-01-01T00:00:00Z")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tasks each wave to the cluster had."""
    waves: list[int] = []
    original = spark._outcomes

    def counted(session: Any, work: bytes, tasks: list[bytes]) -> list[bytes]:
        waves.append(len(tasks))
        return original(session, work, tasks)

    monkeypatch.setattr(spark, "_outcomes", counted)
    return waves


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    for type, some in by_type(resources(sorted(STUDY12.glob("*.json")))).items():
        write_ndjson(folder / f"{type}.ndjson", some)
    return folder


@pytest.fixture(scope="module")
def alone(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run without any engine leaves."""
    out = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "now", lambda: "2026-01-01T00:00:00Z")
        succeed("run", "--folder", folder, "--no-publish", "--out", out)
    return files(out)


def ours(line: str, folder: Path, master: str = "") -> list[str]:
    """A command of the page, about our folder and on our cluster."""
    words = shlex.split(line)[1:]
    words[words.index("--folder") + 1] = str(folder)
    if "--spark-master" in words:
        words[words.index("--spark-master") + 1] = master
    return words


def test_the_page_has_a_command_for_each_engine() -> None:
    assert ["--engine processes" in line for line in COMMANDS] == [True, False]
    assert ["--engine spark" in line for line in COMMANDS] == [False, True]


def test_processes_leave_the_same_folder(
    folder: Path, alone: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    succeed(*ours(COMMANDS[0], folder))
    assert files(tmp_path / "out") == alone


def test_spark_in_one_process_leaves_the_same_folder(
    folder: Path, alone: dict[str, bytes], tmp_path: Path, sent: list[int]
) -> None:
    succeed("run", "--folder", folder, "--out", tmp_path, "--engine", "spark", "--spark-master", "local[2]")
    assert files(tmp_path) == alone
    assert sum(sent) > 20


def test_a_cluster_that_loses_a_worker_leaves_the_same_folder(
    cluster: Cluster,
    folder: Path,
    alone: dict[str, bytes],
    tmp_path: Path,
    sent: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "signs").mkdir()
    loss = Loss(cluster, tmp_path / "signs")
    monkeypatch.setattr(spark.Spark, "map", _waiting_for(loss, spark.Spark.map))
    monkeypatch.chdir(tmp_path)
    succeed(*ours(COMMANDS[1], folder, cluster.master))
    assert loss.has_happened()
    assert files(tmp_path / "out") == alone
    assert sum(sent) > 20
    cluster.add_worker()


def _waiting_for(loss: Loss, original: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def map(self: spark.Spark, work: Callable[[Any], Any], tasks: Any) -> Iterator[Any]:
        return original(self, partial(after_the_loss, loss.folder, os.getpid(), work), tasks)

    return map
