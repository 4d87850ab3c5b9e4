"""How things stand in an output folder: the last run, the last good one of each stream, what is set aside.

Everything is read without the lock and without writing, so it can be asked while a run is at work.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec

from fhir_adapter.errors import UsageError
from fhir_adapter.fhir.resource_types import kind_of
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.store import Run, Store, StreamLedger
from fhir_adapter.unattended.record import Ending, NextRun, read_ending, read_next_run

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
# Clocks of two machines differ a little; a run that lies further ahead was made with a wrong clock.
_CLOCKS_DIFFER = timedelta(minutes=5)


class SetAside(msgspec.Struct, frozen=True):
    """How many things of a stream and type were quarantined for one reason."""

    stream: str
    type: str
    reason: str
    count: int


class StreamStatus(msgspec.Struct, frozen=True):
    """The account of a stream in the last fetch, and when the last one began that had all of it (None: never)."""

    ledger: StreamLedger
    last_good_at: str | None


class Status(msgspec.Struct, frozen=True):
    """How things stand.

    `last` is the newest fetch, with its `streams`; `going` while it is at work. `last_good` is the newest one that
    missed nothing. `last_ended` is the newest one that has ended, and `incomplete` its streams that did not reconcile.
    """

    source: str
    last: Run
    going: bool
    last_ended: Run | None
    last_good: Run | None
    streams: tuple[StreamStatus, ...]
    incomplete: tuple[StreamLedger, ...]
    set_aside: tuple[SetAside, ...]
    ending: Ending | None
    next_run: NextRun | None


class Health(msgspec.Struct, frozen=True):
    """Whether the data are as fresh and whole as asked, and a sentence about it."""

    good: bool
    sentence: str


def read_status(out: OutputFolder) -> Status:
    """`UsageError` when nothing was fetched into this folder yet."""
    nothing = UsageError("nothing was fetched into this output folder yet", "Run `fhir-adapter fetch` first.")
    if not out.store.exists():
        raise nothing
    with Store.watch(out.store) as store:
        runs = store.runs()
        if not runs:
            raise nothing
        ended = [run for run in runs if run.finished]
        good = [run for run in ended if run.complete]
        last_ledger = store.ledger(ended[-1].run) if ended else []
        return Status(
            source=store.source,
            last=runs[-1],
            going=not runs[-1].finished and out.is_locked(),
            last_ended=ended[-1] if ended else None,
            last_good=good[-1] if good else None,
            streams=tuple(StreamStatus(one, _begun(store.last_good(one.stream))) for one in store.ledger(runs[-1].run)),
            incomplete=tuple(one for one in last_ledger if not (one.complete and one.balances)),
            set_aside=_set_aside(store),
            ending=read_ending(out),
            next_run=read_next_run(out),
        )


def _begun(run: Run | None) -> str | None:
    return run.started_at if run else None


def _set_aside(store: Store) -> tuple[SetAside, ...]:
    """The counts of the quarantine; a file that is named after something else than a type is not named here."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for stream, type, reason, count in store.quarantine_counts():
        named = kind_of(stream) != "file" or stream.startswith("file ")
        counts[stream if named else "a file", type, reason] += count
    return tuple(SetAside(*key, count) for key, count in sorted(counts.items()))


def health(status: Status, now: datetime, max_age: timedelta) -> Health:
    """Fresh: the last fetch that has ended missed nothing, and the last success began at most `max_age` ago.

    A success is a run to its end; where no ending is remembered, a complete fetch.
    """
    if status.last_ended and not status.last_ended.complete:
        return Health(False, f"incomplete: {', '.join(one.stream for one in status.incomplete) or 'the last fetch'}")
    began = _last_success(status)
    if began is None:
        return Health(False, "no run has ended well yet")
    age = now - began
    if age < -_CLOCKS_DIFFER:
        return Health(False, "the last good run lies in the future: a clock was wrong")
    if age > max_age:
        return Health(False, f"stale: the last good run began {told(age)} ago, more than {told(max_age)}")
    return Health(True, f"fresh: the last good run began {told(age)} ago")


def _last_success(status: Status) -> datetime | None:
    if status.ending:
        began = status.ending.last_success.started_at if status.ending.last_success else None
    else:
        began = _begun(status.last_good)
    return moment(began) if began else None


def moment(instant: str) -> datetime:
    """An instant of ours as a moment."""
    return datetime.fromisoformat(instant).astimezone(UTC)


def parse_age(text: str) -> timedelta:
    """`90m`, `26h`, `2d`, `1d12h`; `UsageError` for anything else."""
    parts = re.findall(r"([0-9]{1,6})([smhd])", text)
    if not parts or "".join(map("".join, parts)) != text:
        raise UsageError(f"`{text}` is not an age", "for example 90m, 26h or 2d")
    return sum((timedelta(seconds=int(number) * _UNITS[unit]) for number, unit in parts), timedelta())


def told(age: timedelta) -> str:
    """A length of time in the two largest units that matter: `2 d 3 h`, `5 min`."""
    minutes = int(abs(age).total_seconds() // 60)
    days, hours = divmod(minutes // 60, 24)
    parts = ((days, "d"), (hours, "h"), (minutes % 60, "min"))
    named = [f"{number} {unit}" for number, unit in parts if number][:2]
    return " ".join(named) or "less than a minute"
