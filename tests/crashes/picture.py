"""What a run has left, to be compared: nothing that tells how many tries it took."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from whole_runs import files

from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.store import Store

Picture = dict[str, Any]
_PARTS = ("cohort", "analysis", "publish")
_CHANGING = ("lock",)  # says who was there last


def picture(out: Path) -> Picture:
    """The store and the published files after a run that went well."""
    with Store.watch(OutputFolder(out).store) as store:
        database = store._connection._database
        ledger = store.ledger(store.last_run() or 0)
        found: Picture = {
            "shown": list(store.current()),
            "quarantine": [(one.type, one.id, one.reason, one.sha256) for one in store.quarantine()],
            "hash": store.content_hash(),
            "changed_at": store.changed_at(),
            "versions": database.execute(
                "SELECT type, id, version, content, person FROM version ORDER BY 1, 2, 3, 4"
            ).fetchall(),
            "deleted": database.execute("SELECT type, id, version, at FROM tombstone ORDER BY 1, 2, 3, 4").fetchall(),
            "cursors": database.execute("SELECT stream, person FROM cursor ORDER BY 1, 2").fetchall(),
            "whole": store.last_run() == store.last_complete_run(),
            "balances": all(one.complete and one.balances for one in ledger),
        }
    return {**found, **published(out)}


def published(out: Path) -> Picture:
    """The files of the parts that follow from the records alone, and what `run.json` says about them."""
    about = json.loads(files(out, "run.json").get("run.json", b"{}"))
    kept = ("study", "parameters", "content_sha256", "changed_at", "people", "source", "asked")
    return {**files(out, *_PARTS), "run.json": {key: about.get(key) for key in kept}}


def left(out: Path, before: Path) -> str:
    """A hash of everything that is on the disk; of the database, of what is committed. Of a cursor it only matters
    whether it is the one of the night before: the other says what time it is.
    """
    whole = hashlib.sha256()
    for path in sorted(out.rglob("*")):
        if path.is_symlink():
            whole.update(f"{path} -> {path.readlink()}\n".encode())
        elif path.is_file() and not path.name.startswith((*_CHANGING, OutputFolder(out).store.name)):
            whole.update(f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    store = OutputFolder(out).store
    if store.exists():
        tables = _tables(store)
        cursors = set(tables.pop("cursor", []))
        old = set(_tables(OutputFolder(before).store)["cursor"]) if before.exists() else set()
        advanced = sorted(cursor[:2] for cursor in cursors - old)
        whole.update(repr((sorted(tables.items()), sorted(cursors & old), advanced)).encode())
    return whole.hexdigest()


def _tables(store: Path) -> dict[str, list[Any]]:
    with contextlib.closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: sorted(database.execute(f"SELECT * FROM {name}")) for name in names}


def torn(out: Path) -> str:
    """What is wrong with the files that a reader finds at this moment; empty when they are one whole result or none."""
    seen = files(out)
    if "run.json" not in seen:
        # The names of the very first result appear one after the other, but what they lead to is whole.
        about = (out / ".current" / "run.json").read_bytes() if seen else b"{}"
    else:
        about = seen.pop("run.json")
    promised = json.loads(about).get("files", {})
    if "run.json" in files(out) and set(promised) != set(seen):
        return f"{len(set(promised) ^ set(seen))} files are missing or left over"
    wrong = [name for name, content in seen.items() if hashlib.sha256(content).hexdigest() != promised.get(name)]
    return f"{len(wrong)} files are not those of run.json, such as {wrong[0]}" if wrong else ""
