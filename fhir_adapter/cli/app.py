"""The application, and how it ends: a sentence, a hint, a documented exit code."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import traceback
from types import FrameType
from typing import Annotated, NoReturn

import typer

from fhir_adapter import __version__
from fhir_adapter.errors import FhirAdapterError, exit_code_of
from fhir_adapter.interruption import end_with
from fhir_adapter.unattended.logs import in_json, start_logs, tell

EXIT_CODES = (
    "Exit codes: 0 ok, 1 bug, 2 usage or configuration, 3 authentication or authorisation, 4 server not ready (what "
    "was fetched is saved), 5 incomplete data (nothing published), 6 another run holds the output folder, 7 disk, "
    "130/143 signals."
)

app = typer.Typer(
    name="fhir-adapter",
    help="From a hospital's FHIR R4 server to a study cohort, its survival analysis and MeasureReports.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> NoReturn:
    """Run a command; every error ends in a sentence, a hint and a documented exit code."""
    os.umask(0o077)
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell ignores it for jobs in the background
        signal.signal(signal.SIGINT, _interrupt)
    start_logs("text", logging.WARNING)
    _write_what_a_terminal_can_show()
    try:
        app(standalone_mode=True)
    except FhirAdapterError as problem:
        hint = f"\n  {problem.hint}" if problem.hint else ""
        _last_words("failed", f"fhir-adapter: {problem.message}{hint}", problem)
        sys.exit(problem.exit_code)
    except KeyboardInterrupt as interrupted:
        _last_words("interrupted", "interrupted", interrupted)
        sys.exit(130)
    except Terminated as terminated:
        _last_words("terminated", "terminated", terminated)
        raise
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as bug:  # the message of an unexpected exception may hold a patient's data, so it stays unsaid
        where = "".join(traceback.format_tb(bug.__traceback__))
        _last_words(
            "bug", f"{where}{type(bug).__name__}: this is a bug in fhir-adapter; the lines above say where", bug
        )
        sys.exit(1)
    sys.exit(0)


class Terminated(SystemExit):
    """SIGTERM came."""


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    end_with(Terminated(143))  # nothing is said here: the signal may have come in the middle of saying something


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    end_with(KeyboardInterrupt())


def _last_words(event: str, text: str, problem: BaseException) -> None:
    """Say on standard error why the command ends, in the form in which everything else is said there."""
    if in_json():
        tell(event, text, logging.ERROR, kind=type(problem).__name__, exit_code=exit_code_of(problem))
    else:
        print(text, file=sys.stderr)


def _write_what_a_terminal_can_show() -> None:
    """A letter that the encoding of the terminal lacks is written as its number; nothing ends because of it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"fhir-adapter {__version__}")
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """From a hospital's FHIR R4 server to a study cohort, its survival analysis and MeasureReports."""
