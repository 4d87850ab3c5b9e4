"""What was known at some moment: now, or after an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from fhir_adapter.errors import IncompleteError, UsageError
from fhir_adapter.store import Run, Store, View


@dataclass(frozen=True)
class Known:
    """The resources as they were known after a run; `as_of` is how that moment was asked for, empty for now."""

    view: View
    run: Run
    as_of: str = ""

    @property
    def told(self) -> dict[str, object] | None:
        """What run.json says about it; nothing about now."""
        return {"run": self.run.run, "started_at": self.run.started_at} if self.as_of else None


def known(store: Store, as_of: str = "") -> Known:
    """What is known now (empty text), was known after the run with this number, or after the last complete run that
    began on a day (YYYY-MM-DD) or before it.

    `IncompleteError` when nothing was fetched by then or that fetch is incomplete, `UsageError` for any other text.
    """
    chosen = _chosen(store.runs(), as_of)
    if chosen is None or not chosen.complete:
        what = "nothing was fetched yet" if chosen is None else "the last fetch is incomplete"
        if as_of:
            what = f"nothing was fetched as of {as_of}" if chosen is None else f"the fetch of run {as_of} is incomplete"
        raise IncompleteError(f"{what}, so nothing can be built", "run `fhir-adapter fetch` until it is complete")
    return Known(store.as_of(chosen.run) if as_of else store, chosen, as_of)


def _chosen(runs: Sequence[Run], as_of: str) -> Run | None:
    if not as_of:
        return runs[-1] if runs else None
    if as_of.isascii() and as_of.isdigit():
        return next((one for one in runs if one.run == int(as_of)), None)
    day = _day(as_of)
    return next((one for one in reversed(runs) if one.complete and one.started_at[:10] <= day), None)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UsageError(
            "--as-of needs the number of a run or a day", "for example --as-of 12, or --as-of 2026-03-31"
        ) from None
