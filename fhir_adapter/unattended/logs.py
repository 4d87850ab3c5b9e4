"""Structured logs on standard error: events with counts, kinds and seconds; never anything about a person.

An event is a log record with an `event` and `facts`. As text it is a line, as JSON one object a line. What other
libraries log may quote anything, so only their name and the level are shown.
"""

from __future__ import annotations

import json
import logging
import secrets
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from fhir_adapter.instant import written

Format = Literal["text", "json"]

_OURS = "fhir_adapter"
_log = logging.getLogger(__name__)


def tell(event: str, text: str = "", level: int = logging.INFO, **facts: object) -> None:
    """Log an event: its name, a sentence for people, and facts; nothing of it about a person."""
    _log.log(level, text or event, extra={"event": event, "facts": facts})


def start_logs(format: Format, level: int) -> None:
    """Let everything that is logged from now on go to standard error, in this format and from this level on."""
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _ToStandardError)]:
        root.removeHandler(handler)
    handler = _ToStandardError(_Json() if format == "json" else _Text())
    handler.setLevel(level)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger(_OURS).setLevel(logging.DEBUG)  # what is not shown is counted all the same
    logging.captureWarnings(True)


def in_json() -> bool:
    """Whether standard error is for machines."""
    handlers = logging.getLogger().handlers
    return any(isinstance(one, _ToStandardError) and isinstance(one.formatter, _Json) for one in handlers)


class Retries(logging.Handler):
    """Counts the waits before something was asked again, while it is used in a `with` block."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += getattr(record, "event", "") == "retry"

    def __enter__(self) -> Retries:
        logging.getLogger(_OURS).addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger(_OURS).removeHandler(self)


class _ToStandardError(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at the moment: bars on a terminal put themselves in its place."""

    def __init__(self, formatter: logging.Formatter) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(formatter)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # a property: whatever standard error is by then
        return sys.stderr

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing: the usual complaint quotes the arguments."""


class _Text(logging.Formatter):
    """A sentence, or the name of the event with its facts."""

    def format(self, record: logging.LogRecord) -> str:
        told = _told(record)
        event, text = told.pop("event"), told.pop("text", "")
        facts = " ".join(f"{name}={value}" for name, value in told.items())
        return f"{record.levelname.lower()}: {text or f'{event} {facts}'}".rstrip()


class _Json(logging.Formatter):
    """One object a line; `run` is the same in all lines of one process."""

    def __init__(self) -> None:
        super().__init__()
        self._run = secrets.token_hex(6)

    def format(self, record: logging.LogRecord) -> str:
        at = written(datetime.fromtimestamp(record.created, UTC), "milliseconds")
        return json.dumps({"at": at, "level": record.levelname.lower(), "run": self._run, **_told(record)})


def _told(record: logging.LogRecord) -> dict[str, Any]:
    """What may be said about a log record: its event, the text if there is one, its facts."""
    library = record.name.partition(".")[0]
    if library != _OURS:
        text = f"a message of the library {library}, withheld because it may quote records"
        return {"event": "library", "text": text, "library": library}
    facts: Mapping[str, object] = getattr(record, "facts", {})
    event, text = getattr(record, "event", "message"), record.getMessage()
    return {"event": event, **({} if text == event else {"text": text}), **facts}
