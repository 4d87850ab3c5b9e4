"""The end that somebody asks for from outside comes at once, but not amid what has to be done as a whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Shield:
    """What the main thread is doing: only there do signals arrive."""

    def __init__(self) -> None:
        self.depth = 0
        self.pending: BaseException | None = None


_shield = _Shield()


def end_with(end: BaseException) -> None:
    """For signal handlers: raise `end`, or let it be raised as soon as nothing must be left half done."""
    if not _shield.depth:
        raise end
    _shield.pending = end


@contextmanager
def undisturbed() -> Iterator[None]:
    """What is done in this block is done before anybody's wish to end it is heard."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _shield.depth += 1
    try:
        yield
    finally:
        _shield.depth -= 1
        if not _shield.depth and (end := _shield.pending):
            _shield.pending = None
            raise end
