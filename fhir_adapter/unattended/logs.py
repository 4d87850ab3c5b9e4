"""Structured logs on standard error: events with counts, kinds and seconds; never anything about a person.

An event is a log record with an `event` and `facts`. As text it is a line, as JSON one object a line. What other
libraries log may quote anything, so only the library and the level of it are shown.
"""

from __future__ import annotations

import json
import logging
import secrets
import sys
from datetime import UTC, datetime
from typing import Literal, TextIO

Format = Literal["text", "json"]
Fact = str | int | float | bool | None | dict[str, dict[str, int | bool]]

_OURS = "fhir_adapter"
_log = logging.getLogger(__name__)


def tell(event: str, level: int = logging.INFO, **facts: Fact) -> None:
    """Log an event: its name, and facts without anything about a person."""
    _log.log(level, event, extra={"event": event, "facts": facts})


def start_logs(format: Format, level: int) -> None:
    """Let everything that is logged from now on go to standard error, in this format and from this level on."""
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _ToStandardError)]:
        root.removeHandler(handler)
    root.addHandler(_ToStandardError(_Json() if format == "json" else _Text()))
    root.setLevel(logging.WARNING)
    logging.getLogger(_OURS).setLevel(level)
    logging.captureWarnings(True)


def in_json() -> bool:
    """Whether standard error is for machines."""
    handlers = logging.getLogger().handlers
    return any(isinstance(one, _ToStandardError) and isinstance(one.formatter, _Json) for one in handlers)


class _ToStandardError(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at the moment: bars on a terminal put themselves in its place."""

    def __init__(self, formatter: logging.Formatter) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(formatter)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr

    def handleError(self, record: logging.LogRecord) -> None:
        """The usual complaint would quote the arguments."""


class _Text(logging.Formatter):
    """`event key=value ...`; a message of ours as it is."""

    def format(self, record: logging.LogRecord) -> str:
        facts = _facts(record)
        told = facts.pop("text", None) or facts.pop("event")
        named = " ".join(f"{name}={value}" for name, value in facts.items() if name != "event")
        return f"{record.levelname.lower()}: {told} {named}".rstrip()


class _Json(logging.Formatter):
    """One object a line; `run` is the same in all lines of one process."""

    def __init__(self) -> None:
        super().__init__()
        self._run = secrets.token_hex(6)

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json.dumps({"at": at, "level": record.levelname.lower(), "run": self._run, **_facts(record)})


def _facts(record: logging.LogRecord) -> dict[str, Fact]:
    """What may be said about a log record."""
    if not (record.name == _OURS or record.name.startswith(f"{_OURS}.")):
        return {"event": "library", "library": record.name.partition(".")[0], "text": "a message, withheld"}
    event = getattr(record, "event", "message")
    facts: dict[str, Fact] = getattr(record, "facts", None) or {"text": record.getMessage()}
    return {"event": event, **facts}
