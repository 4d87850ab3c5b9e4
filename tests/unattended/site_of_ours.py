"""A site in a test: a folder of records, settings in a file, commands, and what they have left."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from whole_runs import Ended, bundles, command, resources, write_ndjson


class Site:
    """A folder with the records of one person, `site.toml` and the output folder."""

    def __init__(self, home: Path) -> None:
        self.home, self.out, self.settings = home, home / "out", home / "site.toml"
        write_ndjson(home / "records" / "Patient.ndjson", resources(bundles("SYN-12")))
        self.set("")

    def set(self, more: str) -> None:
        """Write the settings: where the records are, and more."""
        self.settings.write_text(f'folder = "{self.home}/records"\nout = "{self.out}"\n{more}', encoding="utf-8")

    def run(self, verb: str, *arguments: object) -> Ended:
        return command(verb, "--config", self.settings, *arguments)

    def damage(self) -> None:
        """Add a file that ends in the middle: the next fetch is incomplete."""
        (self.home / "records" / "Observation.json").write_text('{"resourceType": "Observ', encoding="utf-8")

    def mend(self) -> None:
        (self.home / "records" / "Observation.json").unlink()

    def remembered(self) -> Any:
        """How the last run has ended, as it is remembered."""
        return json.loads((self.out / "store" / "last-run.json").read_bytes())


def program(home: Path, body: str) -> list[str]:
    """A program of the site, as the words of a hook."""
    path = home / "hook.py"
    path.write_text(f"import json, os, sys, time\n{body}\n", encoding="utf-8")
    return [sys.executable, str(path)]


def as_toml(words: list[str]) -> str:
    return json.dumps(words)
