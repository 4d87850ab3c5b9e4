"""Work that waits for the loss of a machine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cluster import Cluster, wait_until

T = TypeVar("T")
R = TypeVar("R")


def after_the_loss(folder: Path, giver: int, work: Callable[[T], R], task: T) -> R:
    """Do this work once one of those who are at work is lost. The process that gives it to them does not wait."""
    if os.getpid() == giver:
        return work(task)
    (folder / f"{os.getpid()}.at-work").touch()
    while not (folder / "lost").exists():
        time.sleep(0.02)
    return work(task)


class Loss:
    """One worker of the cluster is lost as soon as both are at work; then everybody else goes on."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster, self.folder = cluster, folder
        self._thread = threading.Thread(target=self._happen)
        self._thread.start()

    def _happen(self) -> None:
        wait_until(lambda: len(list(self.folder.glob("*.at-work"))) == 2, "two at work")
        process = next(int(path.stem) for path in self.folder.glob("*.at-work"))
        self._cluster.kill_worker_of(process)
        (self.folder / "lost").touch()

    def has_happened(self) -> bool:
        self._thread.join()
        return (self.folder / "lost").exists()
