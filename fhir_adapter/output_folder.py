"""The output folder: readers see the last whole result or the new one, never something in between.

    out/
      cohort  analysis  report  publish  run.json      links into .current
      .current -> .generations/000007                  one atomic swap publishes everything at once
      .generations/000006  000007                      the last good result stays beside the current one
      store/  lock  lock.holder                        the landing store; one run at a time, and which

Everything is written beside, flushed to the disk, and then `.current` is replaced. Folders are 0700, files 0600.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from fhir_adapter.errors import DiskError, LockedError, UsageError
from fhir_adapter.generation import Generation, disk, flush_folder
from fhir_adapter.instant import written

PARTS = ("cohort", "analysis", "report", "publish", "run.json")
_KEPT = 2
_SPARE_BYTES = 16 * 1024 * 1024  # less does not even hold the first pages and the results of a small study
_LOCK_SECONDS = 0.5  # whoever only looks whether a run is at work holds the lock for a moment

Files = Mapping[str, bytes]


class OutputFolder:
    """One output folder; every method that writes raises `DiskError` when it cannot."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._current = path / ".current"
        self._generations = path / ".generations"
        self._holder = path / "lock.holder"

    @property
    def store(self) -> Path:
        return self.path / "store" / "landing.sqlite"

    @property
    def export(self) -> Path:
        """Where the files of a bulk export are until they are landed."""
        return self.path / "store" / "export"

    @property
    def journal(self) -> Path:
        return self.path / "store" / "delivery.journal"

    def check(self) -> None:
        """Whether the folder can be used, before anything is asked of anybody; nothing is made yet."""
        if _is_url(self.path) or (self.path.exists() and not self.path.is_dir()):
            raise UsageError(f"the output {self.path} is not a folder", "name another one with --out")
        if not os.access(self._nearest(), os.W_OK | os.X_OK):
            raise DiskError(
                f"the output folder {self.path} cannot be written", "choose another --out, or its permissions"
            )
        room = shutil.disk_usage(self._nearest())
        if room.free < _SPARE_BYTES <= room.total:  # some file systems do not tell
            message = f"hardly any space is left for the output folder {self.path}, so nothing was begun"
            raise DiskError(message, "make room or choose another --out; the last good result is untouched")

    def prepare(self) -> None:
        """Make the folder and check that it can be written."""
        self.check()
        with disk(self.path):
            for folder in (self.path, self._generations, self.store.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self._generations / ".probe"
            probe.unlink(missing_ok=True)
            _write(probe, b"")
            probe.unlink()

    def is_locked(self) -> bool:
        """Is a run working here at this moment? Nothing is made or changed."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def free_bytes(self) -> int:
        """Room on the disk that the folder is or will be on."""
        return shutil.disk_usage(self._nearest()).free

    def _nearest(self) -> Path:
        """The folder itself, or the nearest one above it that exists."""
        return next(place for place in (self.path, *self.path.absolute().parents) if place.exists())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one run; `LockedError` when another run holds it."""
        from filelock import FileLock, Timeout

        self.prepare()
        lock = FileLock(self.path / "lock", timeout=_LOCK_SECONDS, mode=0o600)
        try:
            with disk(self.path):
                lock.acquire()
        except Timeout:
            message = f"another run is working in {self.path}{self._told_holder()}"
            raise LockedError(message, "wait for it to end, or use another --out") from None
        try:
            with disk(self.path):
                self._tell_holder()
            yield
        finally:
            lock.release()

    def _tell_holder(self) -> None:
        """Who holds the lock, for whoever meets it. A dead process leaves its number here, but no lock."""
        self._holder.unlink(missing_ok=True)
        _write(self._holder, str(os.getpid()).encode())

    def _told_holder(self) -> str:
        try:
            process, since = int(self._holder.read_bytes()), self._holder.stat().st_mtime
        except (OSError, ValueError):
            return ""
        moment = written(datetime.fromtimestamp(since, UTC))
        return f" (process {process}, since {moment})"

    def read(self, name: str) -> bytes | None:
        """One file of the current result, or None."""
        try:
            return (self._current / name).read_bytes()
        except OSError:
            return None

    def generations(self) -> list[Path]:
        """The results that are still here, each a folder as it was published; the current ones last."""
        if not self._current.exists():
            return []
        current = os.readlink(self._current)  # a run that was killed may have left a later one, unpublished
        found = (path for path in self._generations.iterdir() if path.name.isdecimal())
        return sorted(path for path in found if path.name <= Path(current).name)

    @contextmanager
    def renewal(self, without: Collection[str] = ()) -> Iterator[Generation]:
        """Results to be written beside the current ones, and published together when the block has ended well.

        Parts that nothing was written of stay as they are, but for those named `without`: they no longer hold, because
        what they were made from has changed. A block that fails changes nothing.
        """
        with disk(self.path):
            number = self._next_number()
            beside = self._generations / f"{number:06d}.part"
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(mode=0o700)
        generation = Generation(beside, self.path)
        try:
            yield generation
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)  # it holds patient data, and is of no use to anybody
            raise
        with disk(self.path):
            self._publish(generation, number, without)

    def replace(self, parts: Mapping[str, Files | bytes], without: Collection[str] = ()) -> None:
        """Publish new parts (`cohort`: its files, `run.json`: its bytes) together, as `renewal` does."""
        with self.renewal(without) as new:
            for part, content in parts.items():
                if isinstance(content, bytes):
                    new.write(part, content)
                    continue
                for name in sorted(content):
                    new.write(f"{part}/{name}", content[name])

    def _publish(self, new: Generation, number: int, without: Collection[str]) -> None:
        for name in PARTS:
            if name not in without and not (new.folder / name).exists():
                _carry_over(self._current / name, new.folder / name)
        new.flush()
        generation = self._generations / f"{number:06d}"
        os.rename(new.folder, generation)
        flush_folder(self._generations)
        _point(self._current, Path(".generations") / generation.name)
        for name in PARTS:
            if (generation / name).exists():
                _point(self.path / name, Path(".current") / name)
            else:
                (self.path / name).unlink(missing_ok=True)
        self._forget_old(number)

    def _next_number(self) -> int:
        numbers = [int(path.name) for path in self._generations.iterdir() if path.name.isdecimal()]
        return max(numbers, default=0) + 1

    def _forget_old(self, number: int) -> None:
        for path in sorted(self._generations.iterdir()):
            stem = path.name.removesuffix(".part")
            if stem.isdecimal() and int(stem) <= number - _KEPT:
                shutil.rmtree(path, ignore_errors=True)


def _is_url(path: Path) -> bool:
    """A path has lost one of the slashes by now. One letter and a colon are a drive."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(path)) is not None


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _carry_over(old: Path, new: Path) -> None:
    """The part of the current result, as hard links: files are never changed in place."""
    if old.is_dir():
        shutil.copytree(old, new, copy_function=os.link)
    elif old.exists():
        os.link(old.resolve(), new)


def _point(link: Path, target: Path) -> None:
    if link.is_symlink() and os.readlink(link) == str(target):
        return
    beside = link.with_name(link.name + ".new")
    beside.unlink(missing_ok=True)
    os.symlink(target, beside)
    os.replace(beside, link)
    flush_folder(link.parent)
