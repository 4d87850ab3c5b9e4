"""Work in several processes of this machine.

They are started afresh and not forked from here, so they hold nothing of this process and import only what the work
needs. Each hangs on a leash: the reading end of a pipe whose other end is here alone. When that is closed, by us or
because this process is gone, they end at once, whatever they are doing.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TypeVar

from fhir_adapter.engine.parcel import answer_in, carried_out, looked_ahead, packed
from fhir_adapter.errors import WorkerLost

T = TypeVar("T")
R = TypeVar("R")

_UNDER_WAY = 3  # tasks for each worker: one at work, and others for when somebody else's takes long


class Processes:
    """`workers` processes (0: one per core), started when there is work for two, for the time of a `with` block."""

    def __init__(self, workers: int = 0) -> None:
        self._workers = workers or _cores()
        self._pool: ProcessPoolExecutor | None = None
        self._leash: Connection | None = None
        self._getting_ready: threading.Thread | None = None

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._getting_ready:
            self._getting_ready.join()
        if self._leash:
            self._leash.close()
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def expect(self, *functions: Callable[..., object]) -> None:
        """The processes are started while this one does something else."""
        if self._pool is None and self._getting_ready is None:
            self._getting_ready = threading.Thread(target=self._get_ready, args=(functions,), daemon=True)
            self._getting_ready.start()

    def _get_ready(self, functions: Collection[object]) -> None:
        with contextlib.suppress(OSError, BrokenProcessPool):  # it is told when work is asked for
            pool = self._start(functions)
            for _ in range(self._workers):
                pool.submit(os.getpid)

    def map(self, work: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """As `Engine.map` says. A task that is alone is done here."""
        alone, tasks = looked_ahead(tasks)
        if alone:
            yield from map(work, tasks)
            return
        pool, parcel = self._started(work), packed(work)
        under_way: deque[Future[bytes]] = deque()
        try:
            for task in tasks:
                under_way.append(pool.submit(carried_out, parcel, packed(task)))
                if len(under_way) == self._workers * _UNDER_WAY:
                    yield answer_in(under_way.popleft().result())
            while under_way:
                yield answer_in(under_way.popleft().result())
        except BrokenProcessPool:
            raise WorkerLost(
                "a process that worked for this run came to an end from outside, so the run cannot go on",
                "most often there was not enough memory: run again with fewer `workers`",
            ) from None
        finally:
            for one in under_way:
                one.cancel()

    def _started(self, work: Callable[[T], R]) -> ProcessPoolExecutor:
        if self._getting_ready:
            self._getting_ready.join()
        return self._start((work.func, *work.args) if isinstance(work, partial) else (work,))

    def _start(self, named: Collection[object]) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context(_how())
            if context.get_start_method() == "forkserver":
                modules = [one.__module__ for one in named if hasattr(one, "__module__")]
                context.set_forkserver_preload(modules)  # imported once, and not by every process
            on_leash, self._leash = context.Pipe(duplex=False)
            self._pool = ProcessPoolExecutor(self._workers, context, initializer=_hang_on, initargs=(on_leash,))
        return self._pool


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _how() -> str:
    """How processes are started: where it can be done, from a small one that forks."""
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def _hang_on(leash: Connection) -> None:
    """Ctrl-C at a terminal comes to all of us; it is for the process that gave the work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(leash,), daemon=True).start()


def _end_with(leash: Connection) -> None:
    leash.poll(None)  # nothing is ever sent: this returns when the other end is gone
    os._exit(1)
