"""A small file, replaced as a whole: whoever reads it finds the old or the new one."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path


def write_whole(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file, or make it; `OSError` leaves what was there as it was, and nothing beside it.

    Nobody else can read it while it is written, whatever `mode` it ends with.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")  # two threads may write at once
    beside.unlink(missing_ok=True)
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
