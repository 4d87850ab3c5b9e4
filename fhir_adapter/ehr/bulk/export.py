"""One export from its order to its last page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from fhir_adapter.ehr.bulk.job import Memory
from fhir_adapter.ehr.bulk.order import ExportOrder
from fhir_adapter.ehr.outcome import Issue
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.progress import Progress

Clock = Callable[[], float]
Sleep = Callable[[float], None]
MAX_WAIT_S = 86_400.0


class Export:
    """A finished export whose files are all here, verified, and of one `transaction_time`.

    `announced` has the types that came: how many resources the server says there are (None: it does not say).
    `missing` are the types asked for of which nothing came. `problems` are errors that the server reported.
    """

    transaction_time: str
    announced: Mapping[str, int | None]
    missing: tuple[str, ...]
    problems: tuple[Issue, ...]

    def pages(self, type: str, confirm_empty: Callable[[str], bool] | None = None) -> Iterator[Page]:
        """The resources of one type that was asked for; the last page carries the cursor.

        A missing type is one empty page if `confirm_empty` says that the server has none, else incomplete. Raises
        `StreamIncomplete` after everything that could be had was handed on.
        """
        raise NotImplementedError

    def deletions(self) -> Iterator[Page]:
        """What was deleted since, and what the server remarked, as the stream `export`.

        Raises `StreamIncomplete` at the end if the server reported errors, or a deletion cannot be read.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """Everything was landed: tell the server, take the files away, forget the job."""
        raise NotImplementedError


def run_export(
    transport: Transport,
    order: ExportOrder,
    memory: Memory,
    folder: Path,
    progress: Progress,
    *,
    now: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
    max_wait_s: float = MAX_WAIT_S,
) -> Export:
    """Order an export, or go on with the one that was under way, and fetch its files into `folder`.

    Raises `NotReadyError` when it is still running after `max_wait_s` seconds (the next call goes on with it),
    `ServerRefused` when the server does not take the order or fails to carry it out, `AccessError`,
    `IncompleteError` when what it made cannot be trusted.
    """
    raise NotImplementedError
