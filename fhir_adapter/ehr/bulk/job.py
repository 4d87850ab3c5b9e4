"""The one export under way, remembered so that a run that was killed goes on with it."""

from __future__ import annotations

from typing import Protocol

import msgspec

_NAME = "export"


class Memory(Protocol):
    """Small facts that outlive the process."""

    def remember(self, name: str, value: str) -> None: ...

    def recall(self, name: str) -> str | None: ...

    def forget(self, name: str) -> None: ...


class Job(msgspec.Struct, frozen=True):
    """An export that a server works on: where it tells its status, and the fingerprint of what was ordered.

    `refused_types` are those that the server said it does not export.
    """

    url: str
    fingerprint: str
    refused_types: tuple[str, ...] = ()


_decoder = msgspec.json.Decoder(Job)


def remember_job(memory: Memory, job: Job) -> None:
    memory.remember(_NAME, msgspec.json.encode(job).decode())


def recall_job(memory: Memory) -> Job | None:
    """The job that was under way when the last run ended, if there was one."""
    text = memory.recall(_NAME)
    try:
        return _decoder.decode(text) if text else None
    except msgspec.DecodeError:
        return None


def forget_job(memory: Memory) -> None:
    memory.forget(_NAME)
