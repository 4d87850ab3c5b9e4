"""A cluster of a master and two workers."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import work
from cluster import Cluster
from losing import Loss, after_the_loss

from fhir_adapter.engine import opened


def test_tasks_are_done_by_both_workers_and_not_here(cluster: Cluster) -> None:
    with opened("spark", 0, cluster.master) as engine:
        assert list(engine.map(work.slowly, range(40))) == list(range(40))
        assert set(engine.map(work.where, range(20))) <= set(cluster.processes())


def test_what_a_lost_worker_had_to_do_is_done_by_the_other(cluster: Cluster, tmp_path: Path) -> None:
    loss = Loss(cluster, tmp_path)
    with opened("spark", 0, cluster.master) as engine:
        waiting = partial(after_the_loss, tmp_path, os.getpid(), work.double)
        assert list(engine.map(waiting, range(30))) == list(range(0, 60, 2))
    assert loss.has_happened()
    cluster.add_worker()
