"""The way to a Spark cluster: from a look at whether there can be one to the end of all that was started for it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

from fhir_adapter.errors import Unreachable, UsageError

_CONNECT = "sc://"
_STANDALONE = "spark://"
_ANSWERS_IN_S = 10.0  # whoever listens takes a connection long before
_ENDS_IN_S = 20.0

# What is particular to us. Everything else is Spark's own: its files under SPARK_CONF_DIR.
_CONFIG = {
    "spark.ui.enabled": "false",  # it would show what runs to whoever asks this machine
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.execution.arrow.localRelationThreshold": "1g",  # tasks of a wave stay as they were cut
}
_DRIVER_MEMORY = "2g"  # where neither the environment nor Spark's own files say otherwise
_AT_HOME = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


def check_possible(master: str) -> None:
    """Is Spark installed here, and does its master listen? `UsageError` or `Unreachable` say what is missing."""
    if find_spec("pyspark") is None:
        raise UsageError("the engine `spark` needs PySpark, which is not installed", "pip install .[spark]")
    if not master.startswith(_CONNECT) and not _java():
        raise UsageError(
            "the engine `spark` needs Java, and none is found", "install a JDK (17 or newer), or set JAVA_HOME"
        )
    hosts = _hosts(master)
    if hosts and not any(map(_listens, hosts)):
        raise Unreachable(
            f"no Spark master listens at {master}", "start it, or correct `spark_master`; is a firewall between?"
        )


def _java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=f"{home}/bin" if home else None)


def _hosts(master: str) -> list[tuple[str, int]]:
    """Where the masters of a standalone cluster listen; empty for any other kind."""
    if not master.startswith(_STANDALONE):
        return []
    parts = (one.rpartition(":") for one in master.removeprefix(_STANDALONE).split(","))
    return [(host.strip("[]"), int(port)) for host, _, port in parts]


def _listens(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, _ANSWERS_IN_S):
            return True
    except OSError:
        return False


class Session:
    """A session of ours, or the one that is already there where a notebook or a platform has made it."""

    def __init__(self, master: str) -> None:
        from pyspark.sql import SparkSession

        self._master = master
        self._gateway: Any = None
        self.spark: Any = SparkSession.getActiveSession()
        self._is_ours = self.spark is None

    def start(self) -> None:
        """In a thread of its own: in the main one Spark would take Ctrl-C for itself."""
        if self._is_ours:
            self.spark = self._started()

    def _started(self) -> Any:
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.appName("fhir-adapter")
        if self._master.startswith(_CONNECT):
            return builder.remote(self._master).getOrCreate()
        config = self._config()
        for key, value in config.items():
            builder = builder.config(key, value)
        with _said(PYSPARK_PYTHON=sys.executable, SPARK_DRIVER_MEMORY=_DRIVER_MEMORY):
            self._launch(config)
            return builder.getOrCreate()

    def _config(self) -> dict[str, str]:
        config = {**_CONFIG, **(_AT_HOME if self._master.startswith("local") else {})}
        if path := os.environ.get("PYTHONPATH"):
            config["spark.executorEnv.PYTHONPATH"] = path
        if self._master:
            config["spark.master"] = self._master
        return config

    def _launch(self, config: dict[str, str]) -> None:
        """Start the Java process. What it says is not of the form in which this software tells things."""
        from pyspark import SparkConf, SparkContext
        from pyspark.errors import PySparkRuntimeError
        from pyspark.java_gateway import launch_gateway

        try:
            self._gateway = launch_gateway(
                SparkConf(loadDefaults=False).setAll(list(config.items())), {"stderr": subprocess.DEVNULL}
            )
        except PySparkRuntimeError:
            raise UsageError(
                "Spark's Java process could not be started", "Java 17 or newer is needed: see what `java -version` says"
            ) from None
        SparkContext._ensure_initialized(gateway=self._gateway)

    def end(self) -> None:
        """Stop what was started for us, the Java process too, also amid its start."""
        from py4j.protocol import Py4JError

        if self._is_ours and self.spark:
            with suppress(Py4JError, OSError):  # when the Java process is gone
                self.spark.stop()
        if self._gateway:
            _end_gateway(self._gateway)


@contextmanager
def _said(**variables: str) -> Iterator[None]:
    """These variables of the environment, where they are not set, for as long as they are looked at."""
    missing = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]


def _end_gateway(gateway: Any) -> None:
    """Spark would keep its Java process for as long as this one lives."""
    from pyspark import SparkContext

    SparkContext._gateway = SparkContext._jvm = None
    gateway.shutdown()
    gateway.proc.stdin.close()  # at its end the process ends itself
    try:
        gateway.proc.wait(_ENDS_IN_S)
    except subprocess.TimeoutExpired:
        gateway.proc.kill()
        gateway.proc.wait()
