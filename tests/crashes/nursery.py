"""Lets an accident happen to a run at every durable operation, and looks at what the next run makes of it.

`nursery.py SCENARIO ACCIDENT SHARE SHARES` does every SHARES-th operation, beginning with SHARE, and prints what it has
seen as JSON. The accident is to be `killed`, or that the disk is `full`. Children are forked from a process that has
everything loaded and computed, so that they only do what can be torn.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from durable import NEEDS_SPACE, counted, full, killed
from picture import Picture, left, picture, published, torn
from planted import plant
from remembered import remember_what_is_computed
from remote import RemoteServer, Resource
from whole_runs import bundles, by_type, resources, write_ndjson

from fhir_adapter import notebook  # noqa: F401  (loads everything)
from fhir_adapter.errors import DiskError, exit_code_of
from fhir_adapter.pipeline import run
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings

_OF_EACH_TYPE = {"Patient": 1, "Observation": 3, "MedicationAdministration": 2}
_PUBLISHED = ("Measure", "MeasureReport", "Provenance")
_FIRST_NIGHT, _SECOND_NIGHT = "2026-06-01T02:00:00Z", "2026-06-02T02:00:00Z"
_MEMORY = "/dev/shm"  # a process that is killed loses nothing that the system has taken, so no disk is needed


def small_cohort() -> list[Resource]:
    """A few resources about one person."""
    found = by_type(resources(bundles("SYN-12")))
    return [one for type, count in _OF_EACH_TYPE.items() for one in found[type][:count]]


def changed(before: list[Resource]) -> tuple[list[Resource], Resource]:
    """What is new on the second night, and the one that is gone."""
    observations = [one for one in before if one["resourceType"] == "Observation"]
    new = [{**observations[0], "status": "amended"}, {**observations[1], "id": "new-one"}]
    return new, observations[2]


class FromFolder:
    """Nights on a folder of NDJSON files."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "records"
        self.settings = {"folder": self._folder, "publish": False}

    def __enter__(self) -> FromFolder:
        self._cohort = small_cohort()
        self._write(self._cohort)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder)

    def change(self) -> None:
        new, gone = changed(self._cohort)
        kept = {(one["resourceType"], one["id"]): one for one in (*self._cohort, *new)}
        kept.pop((gone["resourceType"], gone["id"]))
        self._write(list(kept.values()))

    def _write(self, found: list[Resource]) -> None:
        for type, some in by_type(found).items():
            write_ndjson(self._folder / f"{type}.ndjson", some)

    def save(self) -> None:
        """Nothing of what a run does changes the folder."""

    restore = save

    def documents(self) -> list[Any]:
        return []


class FromServer:
    """Nights on a server, to which the results are sent."""

    def __init__(self, _home: Path) -> None:
        self._server = RemoteServer([*_OF_EACH_TYPE, *_PUBLISHED])

    def __enter__(self) -> FromServer:
        self._server.__enter__()
        self.settings = {"server": self._server.base_url}
        self._cohort = small_cohort()
        self._server.put(self._cohort)
        return self

    def __exit__(self, *error: object) -> None:
        self._server.__exit__(*error)

    def change(self) -> None:
        self._server.let_it_be_today()
        new, gone = changed(self._cohort)
        self._server.put(new)
        self._server.delete(gone["resourceType"], gone["id"])

    def save(self) -> None:
        self._server.save("before")

    def restore(self) -> None:
        self._server.restore("before")

    def documents(self) -> list[Any]:
        return self._server.documents()


class Nursery:
    """One night, over and over again."""

    def __init__(self, home: Path, source: FromFolder | FromServer, night: int, accident: str) -> None:
        self._home, self._source, self._accident = home, source, _ACCIDENTS[accident]
        self._before, self._night = home / "before", _FIRST_NIGHT
        self._recovered: set[tuple[str, str]] = set()
        if night == 2:
            self._run(self._before)
            source.change()
            self._night = _SECOND_NIGHT
        source.save()
        self._old = published(self._before) if night == 2 else {}
        self._expected = self._undisturbed()

    def _undisturbed(self) -> tuple[Picture, list[Any]]:
        # Here and not in a child, so that every child knows already what is computed.
        out = self._copy("undisturbed")
        self._run(out)
        return picture(out), self._source.documents()

    def harm_each(self, share: int, shares: int) -> dict[str, Any]:
        """Every operation of this share up to the first that is not made good: their kinds, and what was wrong."""
        gc.freeze()  # what is loaded is shared with the children, and stays so
        gc.disable()
        at, kinds, problems = share, [], []
        while not problems and (kind := self.harm(at, problems)):
            kinds.append(kind)
            at += shares
        return {"kinds": kinds, "recovered": len(self._recovered), "problems": problems}

    def harm(self, at: int, problems: list[str]) -> str:
        """Let it happen at this operation and run again; the kind of operation, empty when the run ended before."""
        out = self._copy("harmed")
        self._source.restore()
        kind, found = self._harmed_run(out, at)
        if kind:
            found = found or self._after_the_accident(out) or self._after_the_next_run(out)
        problems += [f"at operation {at} ({kind}): {found}"] if found else []
        shutil.rmtree(out, ignore_errors=True)
        return kind

    def _harmed_run(self, out: Path, at: int) -> tuple[str, str]:
        """At which kind of operation it happened, and what is wrong with how the run ended."""
        note = self._home / "kind"
        note.unlink(missing_ok=True)

        def accident(kind: str) -> None:
            note.write_text(kind, encoding="utf-8")
            self._accident.happen(kind)

        with counted(at, accident, self._accident.kinds):
            ended = self._run_in_a_child(out)
        kind = note.read_text(encoding="utf-8") if note.exists() else ""
        expected = self._accident.ends if kind else 0
        return kind, "" if ended == expected else f"the run ended with {ended} instead of {expected}"

    def _after_the_accident(self, out: Path) -> str:
        if found := torn(out):
            return found
        seen, new = published(out), {key: self._expected[0][key] for key in published(out)}
        partly = not self._old and all(seen[key] in (new[key], {}) for key in seen if key != "run.json")
        return "" if seen in (self._old, new) or partly else "a reader sees neither the old result nor the new one"

    def _after_the_next_run(self, out: Path) -> str:
        state = left(out, self._before), json.dumps(self._source.documents())
        if state in self._recovered:
            return ""  # an earlier accident left just this, so the same follows
        self._recovered.add(state)
        if self._run_in_a_child(out):
            return "the next run failed"
        expected, served = self._expected
        found = picture(out)
        wrong = [str(key) for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]
        if wrong:
            return f"after the next run these are not as they should be: {', '.join(sorted(wrong)[:5])}"
        return "" if self._source.documents() == served else "the server holds something else"

    def _run(self, out: Path) -> None:
        # One request at a time, so that the n-th operation is always the same one; and nothing is asked for twice only
        # to be safe, so that a cursor that is ahead of its rows cannot hide.
        settings = Settings(out=out, concurrency=1, page_size=2, overlap_s=0, horizon_s=0, **self._source.settings)
        run(settings, self._night, Progress())

    def _run_in_a_child(self, out: Path) -> int:
        """Its exit code, or -9 if it was killed."""
        child = os.fork()
        if child == 0:
            code = 0
            try:
                self._run(out)
            except BaseException as problem:
                code = exit_code_of(problem)
                if code == 1:
                    traceback.print_exc()
            os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def _copy(self, name: str) -> Path:
        out = self._home / name
        if self._before.exists():
            shutil.copytree(self._before, out, symlinks=True)
        return out


@dataclass(frozen=True)
class Accident:
    """What happens, at which kinds of operations (None: all), and how the run ends then."""

    happen: Callable[[str], None]
    kinds: frozenset[str] | None
    ends: int


_ACCIDENTS = {
    "killed": Accident(killed, None, -signal.SIGKILL),
    "full": Accident(full, NEEDS_SPACE, DiskError.exit_code),
}
_SOURCES = {"folder": FromFolder, "server": FromServer}


def main(scenario: str, accident: str, share: int, shares: int) -> None:
    kind, night = scenario.split("-")
    os.environ["MPLBACKEND"] = "Agg"
    plant(os.environ.get("PLANTED", ""))
    remember_what_is_computed()
    with tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as home:
        source = _SOURCES[kind](Path(home))
        with source:
            seen = Nursery(Path(home), source, int(night), accident).harm_each(share, shares)
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
