"""A hospital with a server that misbehaves, and what a fetch from it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from front import Front
from whole_runs import Ended, command, files

from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.sandbox import Sandbox
from fhir_adapter.store import Store, StreamLedger

PAGE_SIZE = 15  # so that 120 Observations have 8 pages


@dataclass(frozen=True)
class Night:
    """One command, and what it has left."""

    ended: Ended
    out: Path

    @property
    def ledger(self) -> dict[str, StreamLedger]:
        """The accounts of the last fetch by their stream."""
        with Store.reopen(OutputFolder(self.out).store) as store:
            return {one.stream: one for one in store.ledger(store.last_run() or 0)}

    @property
    def quarantine(self) -> list[Quarantined]:
        with Store.reopen(OutputFolder(self.out).store) as store:
            return list(store.quarantine())

    @property
    def reasons(self) -> list[str]:
        """Why things were set aside, without the element paths."""
        return [one.reason.split(" ")[0] for one in self.quarantine]

    @property
    def held(self) -> dict[str, bytes]:
        """The current resources as they were received, by `Type/id`."""
        with Store.reopen(OutputFolder(self.out).store) as store:
            return {one.reference: one.body for one in store.current()}

    @property
    def content(self) -> str:
        with Store.reopen(OutputFolder(self.out).store) as store:
            return store.content_hash()


@dataclass
class Hospital:
    """A server behind a front, and one output folder. `whole` is the content that an undisturbed fetch leaves."""

    sandbox: Sandbox
    front: Front
    home: Path
    whole: str
    waits: list[float] = field(default_factory=list)

    @property
    def out(self) -> Path:
        return self.home / "out"

    def asks(self, verb: str, *flags: object, **settings: Any) -> Night:
        """One command against the front. `settings` are keys of the TOML file."""
        config = self.home / "site.toml"
        lines = [f"{key} = {_toml(value)}\n" for key, value in {"page_size": PAGE_SIZE, **settings}.items()]
        config.write_text("".join(lines), encoding="utf-8")
        source = ("--server", self.front.base_url, "--out", self.out, "--config", config)
        return Night(command(verb, *source, *flags), self.out)

    def fetch(self, **settings: Any) -> Night:
        return self.asks("fetch", **settings)

    # What must be true

    def is_whole(self, night: Night) -> None:
        """Exit 0, every stream complete, and the very content of an undisturbed fetch."""
        assert night.ended.code == 0, night.ended.told
        assert [one.stream for one in night.ledger.values() if not (one.complete and one.balances)] == []
        assert night.content == self.whole

    def is_incomplete(self, night: Night, stream: str, says: str) -> None:
        """Exit 5, this stream alone is incomplete and says why, nothing is published, and the next night heals it."""
        assert night.ended.code == 5, night.ended.told
        assert [one.stream for one in night.ledger.values() if not one.complete] == [stream]
        assert all(one.balances for one in night.ledger.values())
        assert says in night.ledger[stream].reason
        assert "Traceback" not in night.ended.told
        self.heals(night)

    def heals(self, night: Night) -> None:
        """Nothing can be built from what there is; once the server behaves, the next fetch leaves everything."""
        assert files(night.out) == {}
        assert "INCOMPLETE" in command("status", "--out", night.out).told
        assert command("build", "--out", night.out).code == 5
        self.front.heal()
        self.is_whole(self.fetch())


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else f'"{value}"'


@contextmanager
def hospital_with(sandbox: Sandbox, home: Path, whole: str, waits: list[float]) -> Iterator[Hospital]:
    """A front of this server, whose log is stamped by the waits so far."""
    with Front(sandbox.base_url, lambda: sum(waits)) as front:
        yield Hospital(sandbox, front, home, whole, waits)


def content_of(sandbox: Sandbox, out: Path) -> str:
    """The content that an undisturbed fetch from this server leaves."""
    night = Night(command("fetch", "--server", sandbox.base_url, "--out", out), out)
    assert night.ended.code == 0, night.ended.told
    return night.content
