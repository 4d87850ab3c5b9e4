"""Where work is done: in this process, in processes of this machine, or on a cluster. The answers are the same.

An engine is only a `map`. What a task is and what its answer means is known to whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Literal, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")

EngineName = Literal["serial", "processes", "spark"]


class Engine(Protocol):
    """Who does the work."""

    def expect(self, *functions: Callable[..., object]) -> None:
        """Work made of these will be asked for soon: whoever does it can get ready meanwhile."""
        ...

    def map(self, work: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """The answers in the order of the tasks.

        `work` is a function of a module, or a `partial` of one, whose arguments then travel once and not with every
        task. Everything is pickled, and travels between our own processes only. At most a bounded number of tasks is
        taken ahead of the answers. What `work` raises is raised here, where its answer would stand; `WorkerLost` where
        whoever did the work came to an end.
        """
        ...


class Serial:
    """One task after the other, in this process."""

    def expect(self, *functions: Callable[..., object]) -> None:
        """Nothing is to be got ready."""

    def map(self, work: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        return map(work, tasks)


@contextmanager
def opened(name: EngineName = "serial", workers: int = 0, spark_master: str = "") -> Iterator[Engine]:
    """The engine of this name. `workers` is the number of processes, 0 for one per core; `spark_master` is where the
    cluster is. Nothing that was started is left afterwards.
    """
    if name == "serial":
        yield Serial()
    elif name == "processes":
        from fhir_adapter.engine.processes import Processes

        with Processes(workers) as processes:
            yield processes
    else:
        from fhir_adapter.engine.spark import Spark

        with Spark(spark_master) as spark:
            yield spark
