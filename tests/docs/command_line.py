"""The command as it is: its verbs and flags, and the targets of the Makefile."""

from __future__ import annotations

import re

import typer
from pages import ROOT

from fhir_adapter.cli import app

VERBS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
FLAGS = {flag for verb in VERBS.values() for option in verb.params for flag in (*option.opts, *option.secondary_opts)}
TARGETS = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def parse(words: list[str]) -> None:
    """Parse a command as the program would, without running it; raises for an unknown verb, flag or value."""
    verb, *arguments = words
    VERBS[verb].make_context(verb, arguments)


def is_ours(word: str) -> bool:
    return word in ("fhir-adapter", ".venv/bin/fhir-adapter")
