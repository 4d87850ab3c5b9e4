"""Work on a Spark cluster, by its DataFrames alone, which every kind of cluster and Spark Connect have.

Tasks go out in waves, a DataFrame each, mapped to outcomes. What a wave brings back is held here until it is read, so
waves are cut by how big answers have been. What is lost with a worker is computed by another. Workers need this package
in the same version, and the files that tasks name at the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from contextlib import contextmanager
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Any, TypeVar

import pyarrow

import fhir_adapter
from fhir_adapter.engine.parcel import answer_in, carried_out, looked_ahead, packed
from fhir_adapter.engine.spark_session import Session, check_possible
from fhir_adapter.errors import Unreachable, UsageError, WorkerLost

T = TypeVar("T")
R = TypeVar("R")

_FIRST_WAVE = 32  # tasks, while nobody knows how big an answer is
_WAVE = 256
_BYTES = 32 << 20  # of the tasks of a wave, and about of its answers: Spark's driver holds them several times over
# Parts of a wave for each core: each costs Spark a quarter of a second, and some take longer than others.
_SHARES = 3
_CORES_UNKNOWN = 32  # Spark Connect does not tell how many there are
_READY_IN_S = 300.0  # a cluster that is shared, or has to start machines first, takes its time

_OUTCOMES = "number long, outcome binary"


class Spark:
    """The cluster of `master`, asked when there is work for two, for the time of a `with` block.

    An empty `master` means what the environment says: the session that is already there, or Spark's own settings.
    """

    def __init__(self, master: str = "") -> None:
        self._master = master
        self._thread = ThreadPoolExecutor(1, "spark")
        self._session: Session | None = None

    def __enter__(self) -> Spark:
        check_possible(self._master)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            self._session.end()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def expect(self, *functions: Callable[..., object]) -> None:
        """A cluster is there already, or is asked for when there is work for it."""

    def map(self, work: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """As `Engine.map` says. A task that is alone is done here."""
        alone, tasks = looked_ahead(tasks)
        if alone:
            yield from map(work, tasks)
            return
        spark, parcel = self._started(), packed(work)
        packets, limit = map(packed, tasks), _FIRST_WAVE
        wave = list(_wave(packets, limit))
        while wave:
            coming = self._thread.submit(_outcomes, spark, parcel, wave)
            wave = list(_wave(packets, limit))  # gathered while the cluster works
            with _blamed_on_cluster():
                outcomes = coming.result()
            limit = max(1, min(_WAVE, _BYTES * len(outcomes) // sum(map(len, outcomes))))
            yield from map(answer_in, outcomes)

    def _started(self) -> Any:
        """The session, once a worker has answered."""
        if self._session is None:
            self._session = Session(self._master)
            with _blamed_on_cluster():
                self._soon(self._thread.submit(self._session.start))
                ready = self._soon(self._thread.submit(_versions, self._session.spark))
            if ready != [fhir_adapter.__version__]:
                raise UsageError("the workers of the Spark cluster have another version of this software", _INSTALL)
        return self._session.spark

    def _soon(self, future: Future[R]) -> R:
        try:
            return future.result(_READY_IN_S)
        except TooLate:
            raise Unreachable(
                f"no worker of the Spark cluster took up work within {_READY_IN_S:.0f} s",
                "look at the page of the master: are there workers, and are they free?",
            ) from None


_INSTALL = (
    f"install fhir-adapter {fhir_adapter.__version__} on every worker, for the same version of Python; PYSPARK_PYTHON "
    "names the interpreter there"
)


def _versions(spark: Any) -> list[str]:
    """The version of this software where the work is done."""
    from pyspark.errors import PythonException

    try:
        return [answer_in(one) for one in _outcomes(spark, packed(_version), [packed(None)])]
    except PythonException:
        raise UsageError("the workers of the Spark cluster cannot run this software", _INSTALL) from None


def _version(_: None) -> str:
    return fhir_adapter.__version__


def _wave(packets: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """Tasks that go out together: so many, or as many as fit."""
    size = 0
    for packet in islice(packets, limit):
        yield packet
        if (size := size + len(packet)) >= _BYTES:
            return


def _outcomes(spark: Any, work: bytes, tasks: list[bytes]) -> list[bytes]:
    """In the order of the tasks."""
    spark.conf.set("spark.sql.leafNodeDefaultParallelism", min(len(tasks), _SHARES * _cores(spark)))
    sent = pyarrow.table({"number": range(len(tasks)), "task": pyarrow.array(tasks, pyarrow.binary())})
    came = spark.createDataFrame(sent).mapInArrow(partial(_carried_out, work), _OUTCOMES).toArrow()
    outcomes = dict(zip(came["number"].to_pylist(), came["outcome"].to_pylist(), strict=True))
    return [outcomes[number] for number in range(len(tasks))]


def _cores(spark: Any) -> int:
    try:
        return int(spark.sparkContext.defaultParallelism)
    except AttributeError:
        return _CORES_UNKNOWN


def _carried_out(work: bytes, batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """What runs on the workers."""
    for batch in batches:
        for number, task in zip(batch["number"], batch["task"], strict=True):
            outcome = carried_out(work, task.as_py())
            columns = [pyarrow.array([number.as_py()]), pyarrow.array([outcome], pyarrow.binary())]
            yield pyarrow.RecordBatch.from_arrays(columns, ["number", "outcome"])


@contextmanager
def _blamed_on_cluster() -> Iterator[None]:
    """What Spark raises tells of its insides, and may quote what it worked on."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as problem:
        raise WorkerLost(
            f"the Spark cluster did not finish its work ({type(problem).__name__})",
            "its own logs say why; run again, or with another `engine`",
        ) from None
