"""The drafts of ConceptMaps in the output folder: renewed from what is unknown now; what is filled in is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fhir_adapter.errors import DiskError, UsageError
from fhir_adapter.mapping.artefacts import as_artefact, read_json
from fhir_adapter.mapping.draft_map import draft_map, is_filled_in
from fhir_adapter.mapping.relevance import Appraised
from fhir_adapter.mapping.terminology import Terminology
from fhir_adapter.whole_file import write_whole


def renewed(folder: Path, appraised: Iterable[Appraised], terms: Terminology) -> dict[str, bytes]:
    """The ConceptMaps of the folder by file name, as they should be now.

    What somebody has filled in is kept; `UsageError` when a file there cannot be read as a ConceptMap.
    """
    by_table: dict[str, list[Appraised]] = {path.stem: [] for path in sorted(folder.glob("*.json"))}
    for one in appraised:
        if one.matters != "no" and one.gap.table in terms.maps:
            by_table.setdefault(one.gap.table, []).append(one)
    found: dict[str, bytes] = {}
    for table, gaps in by_table.items():
        before = _before(folder / f"{table}.json", terms)
        with as_artefact(folder / f"{table}.json"):
            if gaps or (before and is_filled_in(before)):
                draft = draft_map(terms[table], gaps, before)
                found[f"{table}.json"] = (json.dumps(draft, ensure_ascii=False, indent=2) + "\n").encode()
    return found


def _before(path: Path, terms: Terminology) -> dict[str, Any] | None:
    """The draft that is there, to be gone on with."""
    if not path.exists():
        return None
    resource = read_json(path)
    if resource.get("resourceType") != "ConceptMap" or path.stem not in terms.maps:
        raise UsageError(f"{path} is no ConceptMap of the study", "take it out of the folder of the drafts")
    return resource


def write_drafts(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replace the files of the folder one by one; drafts that nobody needs any more go away."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, content in files.items():
            write_whole(folder / name, content)
        for path in list(folder.glob("*.json")):
            if path.name not in files:
                path.unlink()
    except OSError:
        raise DiskError(f"the folder {folder} cannot be written", "make room, or change its permissions") from None
