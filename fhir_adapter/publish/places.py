"""Where files are written: a folder of the results, or memory for whoever looks at them at once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Output(Protocol):
    """An open file."""

    def write(self, content: bytes, /) -> object: ...


class Place(Protocol):
    """Where a file is opened by its name, to be written from its beginning to its end."""

    def open(self, name: str) -> AbstractContextManager[Output]: ...


class InMemory:
    """Files by name, for a cohort that fits."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    @contextmanager
    def open(self, name: str) -> Iterator[Output]:
        """A new file; it is among `files` when it is closed."""
        file = io.BytesIO()
        yield file
        self.files[name] = file.getvalue()
