"""Bugs, planted on purpose: whoever changes the tests learns here whether they still catch what they are for.

As a plugin of pytest it plants the bug that the environment variable PLANTED names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def _cursor_before_rows() -> None:
    """The cursor is committed first and what it stands for afterwards."""
    from fhir_adapter.store import Store, writing

    land = Store.land

    def landed(self: Store, run: int, stream: str, *given: Any, cursor: Any = None, **named: Any) -> None:
        if cursor:
            with self._connection.transaction() as database:
                writing.write_cursor(database, stream, *cursor)
        land(self, run, stream, *given, **named)

    Store.land = landed  # type: ignore[method-assign]


def _publish_without_rename() -> None:
    """The files of the current result are written over, one after the other."""
    from fhir_adapter.generation import Generation, Output
    from fhir_adapter.output_folder import OutputFolder

    beside = OutputFolder.renewal

    class Overwriting(Generation):
        @contextmanager
        def open(self, name: str) -> Iterator[Output]:
            (self.folder / name).unlink(missing_ok=True)
            with super().open(name) as file:
                yield file

    @contextmanager
    def renewal(self: OutputFolder, without: tuple[str, ...] = ()) -> Iterator[Generation]:
        if self._current.exists():
            yield Overwriting(self._current.resolve(), self.path)
            return
        with beside(self, without) as new:
            yield new

    OutputFolder.renewal = renewal  # type: ignore[method-assign]


def _unsafe_gunzip() -> None:
    """A compressed body that ends early is taken for a whole one."""
    from fhir_adapter.ehr.decompression import _Inflated

    _Inflated.finish = lambda self: None  # type: ignore[method-assign]


def _no_host_check() -> None:
    """Every address may be asked, wherever it leads."""
    from fhir_adapter.ehr.url_policy import UrlPolicy

    UrlPolicy.check = lambda self, url: url  # type: ignore[method-assign]


PLANTS: dict[str, Callable[[], None]] = {
    "cursor-before-rows": _cursor_before_rows,
    "publish-without-rename": _publish_without_rename,
    "unsafe-gunzip": _unsafe_gunzip,
    "no-host-check": _no_host_check,
}


def plant(name: str) -> None:
    """Plant this bug in this process; the empty name is none."""
    if name:
        PLANTS[name]()


def pytest_configure() -> None:
    plant(os.environ.get("PLANTED", ""))
