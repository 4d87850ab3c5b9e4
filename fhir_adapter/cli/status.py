"""`status`: how things stand, for people, for programs, and as a health check."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fhir_adapter.cli.app import app
from fhir_adapter.cli.options import Config, Out, settings_from
from fhir_adapter.cli.screen import plain, print_ledger

if TYPE_CHECKING:
    from fhir_adapter.store import Run, StreamLedger
    from fhir_adapter.unattended.status import Status

_STALE = 5


@app.command()
def status(
    config: Config = None,
    out: Out = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as data.")] = False,
    max_age: Annotated[
        str | None,
        typer.Option(
            metavar="AGE",
            help="Only say whether the last good run is at most this old, such as 90m, 26h or 2d: a health check. "
            "Exit code 0 fresh, 5 stale or incomplete, 2 nothing fetched.",
        ),
    ] = None,
) -> None:
    """Show how the last run went, stream by stream, what was set aside, and when the next run is due.

    It may be asked at any time, also while a run is at work.
    """
    settings = settings_from(config, False, {"out": out})
    from fhir_adapter.output_folder import OutputFolder
    from fhir_adapter.unattended.status import health, parse_age, read_status

    limit = parse_age(max_age) if max_age else None
    found, now = read_status(OutputFolder(settings.out)), datetime.now(UTC)
    verdict = health(found, now, limit) if limit else None
    if as_json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode({"status": found, "health": verdict}), indent=1).decode())
    elif verdict:
        print(plain(verdict.sentence))
    else:
        _print(found, now)
    if verdict and not verdict.good:
        raise typer.Exit(_STALE)


def _print(found: Status, now: datetime) -> None:
    for line in _about_runs(found, now):
        print(plain(line))
    print_ledger([stream.ledger for stream in found.streams])
    for line in (*_about_streams(found, now), *_about_quarantine(found)):
        print(plain(line))


def _about_runs(found: Status, now: datetime) -> Iterator[str]:
    yield f"source       {found.source}"
    yield f"last run     {_told_run(found.last, now, found.going)}"
    yield f"last good    {_told_run(found.last_good, now) if found.last_good else 'none yet'}"
    if found.ending:
        ending = found.ending
        failed = f" ({ending.problem})" if ending.problem else ""
        yield f"last ended   `{ending.command}` with exit code {ending.exit_code}{failed} after {ending.seconds:.0f} s"
    yield f"next run     {_told_next(found, now)}"


def _told_run(run: Run, now: datetime, going: bool = False) -> str:
    if run.finished:
        state = "complete" if run.complete else "incomplete"
    else:
        state = "still going" if going else "was interrupted; run it again, what was fetched is kept"
    return f"{run.run}, began {_told_moment(run.started_at, now)}: {state}"


def _told_next(found: Status, now: datetime) -> str:
    if found.next_run is None:
        return "not known here: `fhir-adapter schedule` is not running"
    return f"{_told_moment(found.next_run.due_at, now)}, by `{found.next_run.cron}` in UTC"


def _told_moment(instant: str, now: datetime) -> str:
    from fhir_adapter.unattended.status import moment, told

    at = moment(instant)
    distance = f"{told(now - at)} ago" if at <= now else f"in {told(at - now)}"
    return f"{at:%Y-%m-%d %H:%M} UTC, {distance}"


def _about_streams(found: Status, now: datetime) -> Iterator[str]:
    for stream in found.streams:
        if stream.last_good_at != found.last.started_at:
            last = _told_moment(stream.last_good_at, now) if stream.last_good_at else "never"
            yield f"last good {stream.ledger.stream}: {last}"
    for ledger in found.incomplete:
        yield f"incomplete: {ledger.stream}, {_told_counts(ledger)}; run it again, what was fetched is kept"


def _told_counts(ledger: StreamLedger) -> str:
    missing = "" if ledger.announced is None else f" of {ledger.announced} announced"
    return f"{ledger.received}{missing} received"


def _about_quarantine(found: Status) -> Iterator[str]:
    yield f"quarantined: {sum(one.count for one in found.set_aside)}"
    for one in found.set_aside:
        kind = f", {one.type}" if one.type not in ("", one.stream) else ""
        yield f"  {one.count:>7}  {one.stream}{kind}: {one.reason}"
