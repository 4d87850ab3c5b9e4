"""`unmapped`: which codes and texts of the records nobody understands yet. No text of a record gets to the screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from fhir_adapter.cli.app import app
from fhir_adapter.cli.options import Config, Out, SetParameter, Study, settings_from
from fhir_adapter.cli.screen import plain, say

if TYPE_CHECKING:
    from fhir_adapter.mapping.relevance import Appraised
    from fhir_adapter.pipeline.unmapped import Listed

_SHOWN = 20
# What a hospital's lists have as codes. Anything else in the place of a code may be somebody's words.
_CODE = re.compile(r"(?=.*[0-9#])[A-Za-z0-9._:/#%+-]{1,24}")


@app.command()
def unmapped(config: Config = None, study: Study = None, set: SetParameter = None, out: Out = None) -> None:
    """List the codes and texts that the study does not know, and draft the ConceptMaps that would teach it.

    Everything is written to the folder `unmapped` of the output folder; here stand counts and codes only.
    """
    from fhir_adapter.pipeline.unmapped import list_unmapped

    listed = list_unmapped(settings_from(config, False, {"study": study, "set": set, "out": out}), say)
    for line in _told(listed):
        typer.echo(plain(line))


def _told(listed: Listed) -> Iterator[str]:
    from fhir_adapter.pipeline.unmapped import CODES, LIST

    matter = [one for one in listed.appraised if one.matters != "no"]
    yield f"{listed.people} people, {listed.included} in the cohort, {len(listed.undecided)} with something to decide"
    if listed.passed_over:
        yield f"{listed.passed_over} Patients of the folder were not read: no known code says they had the treatments"
        yield 'of the study. Their own codes are not in this list; fetch with folder_people = "everybody"'
    if listed.appraised:
        yield from _by_table(listed)
    else:
        yield "the study knows every code and text that was read about them"
    if matter:
        yield f"could have mattered ({LIST} has their texts):"
    for line, one in enumerate(matter[:_SHOWN], start=2):
        yield f"  {one.matters:8}{one.gap.table:16}{_named(one, line):34}{_counted(one)}"
    if len(matter) > _SHOWN:
        yield f"  and {len(matter) - _SHOWN} more"
    for path in (listed.folder / LIST, listed.folder / CODES, *listed.drafts):
        yield f"  {path}"
    if listed.drafts:
        yield f'fill in the drafts, and name their folder in the settings: conceptmaps = "{listed.folder}"'


def _by_table(listed: Listed) -> Iterator[str]:
    columns = ("codes", "texts", "records", "patients", "could matter")
    yield "  ".join([f"{'table':16}", *(f"{name:>12}" for name in columns)])
    for table in sorted({one.gap.table for one in listed.appraised}):
        found = [one for one in listed.appraised if one.gap.table == table]
        counts = (
            sum(1 for one in found if one.gap.code),
            sum(1 for one in found if not one.gap.code),
            sum(one.gap.records for one in found),
            len(frozenset().union(*(one.gap.people for one in found))),
            sum(1 for one in found if one.matters != "no"),
        )
        yield "  ".join([f"{table:16}", *(f"{count:>12}" for count in counts)])


def _named(one: Appraised, line: int) -> str:
    """The code, else the line of the list where the words stand."""
    shown = one.gap.code if _CODE.fullmatch(one.gap.code) else "a code" if one.gap.code else "a text"
    return shown if shown == one.gap.code else f"{shown} (line {line})"


def _counted(one: Appraised) -> str:
    perhaps = f"; perhaps {', '.join(one.candidates)}" if one.candidates else ""
    return f"records: {one.gap.records}, patients: {len(one.gap.people)}{perhaps}"
