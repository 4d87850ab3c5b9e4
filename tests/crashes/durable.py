"""Counts everything that a process does to be found again later, and lets an accident happen at the n-th of it.

Counted: every statement that changes the database, every file that is made, written (once whole, once in half),
flushed, renamed, linked or removed, and every request that changes something on a server (once before it is sent, once
when its answer is lost).
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import httpx

_CHANGING = frozenset({"BEGIN", "INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "DROP", "ALTER", "COMMIT"})
_CALLS = ("mkdir", "rmdir", "unlink", "remove", "rename", "replace", "link", "symlink", "fsync", "fdatasync", "chmod")

Accident = Callable[[str], None]


class Counter:
    """The operations so far; at number `at` (none: 0) the accident happens before the operation does."""

    def __init__(self, at: int, accident: Accident, kinds: frozenset[str] | None = None) -> None:
        self.at, self.accident, self.kinds = at, accident, kinds
        self.done: list[str] = []

    def step(self, kind: str) -> None:
        if self.kinds is not None and kind not in self.kinds:
            return
        self.done.append(kind)
        if len(self.done) == self.at:
            self.accident(kind)


def killed(_kind: str) -> None:
    """The end of the process: nothing is tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


def full(kind: str) -> None:
    """No space is left, as the database or the system says it."""
    if kind not in _CHANGING:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    problem = sqlite3.OperationalError("database or disk is full")
    problem.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise problem


NEEDS_SPACE = frozenset({"open", "write", "fsync", "symlink", "INSERT", "UPDATE", "REPLACE", "COMMIT"})


@contextmanager
def counted(at: int, accident: Accident, kinds: frozenset[str] | None = None) -> Iterator[Counter]:
    """Within the block everything durable is counted."""
    counter = Counter(at, accident, kinds)
    patches = [patch.object(os, name, _before(counter, name, getattr(os, name))) for name in _CALLS]
    patches += [
        patch.object(os, "open", _opening(counter, os.open)),
        patch.object(os, "fdopen", _torn(counter, os.fdopen)),
        patch.object(sqlite3, "connect", partial(sqlite3.connect, factory=partial(_Counting, counter))),
        patch.object(httpx.HTTPTransport, "handle_request", _sending(counter, httpx.HTTPTransport.handle_request)),
    ]
    for each in patches:
        each.start()
    try:
        yield counter
    finally:
        for each in patches:
            each.stop()


def _before(counter: Counter, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        counter.step(name)
        return original(*arguments, **named)

    return call


def _opening(counter: Counter, original: Callable[..., int]) -> Callable[..., int]:
    def call(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        if flags & (os.O_CREAT | os.O_TRUNC):
            counter.step("open")
        return original(path, flags, *arguments, **named)

    return call


def _torn(counter: Counter, original: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        file = original(*arguments, **named)
        return _Torn(file, counter) if isinstance(file, io.BufferedWriter) else file

    return call


class _Torn:
    """A file whose writes may stop in the middle."""

    def __init__(self, file: io.BufferedWriter, counter: Counter) -> None:
        self._file, self._counter = file, counter

    def write(self, content: bytes) -> int:
        self._counter.step("write")
        self._file.write(content[: len(content) // 2])
        self._file.flush()
        self._counter.step("write")
        self._file.write(content[len(content) // 2 :])
        self._file.flush()
        return len(content)

    def __enter__(self) -> _Torn:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Counting(sqlite3.Connection):
    """A connection that counts the statements that change something."""

    def __init__(self, counter: Counter, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._counter = counter

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        self._count(statement)
        return super().execute(statement, *values)

    def executemany(self, statement: str, *values: Any) -> sqlite3.Cursor:
        self._count(statement)
        return super().executemany(statement, *values)

    def _count(self, statement: str) -> None:
        word = statement.split(maxsplit=1)[0].upper()
        if word in _CHANGING:
            self._counter.step(word)


def _sending(counter: Counter, original: Callable[..., httpx.Response]) -> Callable[..., httpx.Response]:
    def call(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        if request.method in ("GET", "HEAD"):
            return original(transport, request)
        counter.step("send")
        response = original(transport, request)
        counter.step("send")
        return response

    return call
