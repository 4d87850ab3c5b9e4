"""Adverse events that the site keeps beside its FHIR server: a CSV file, one row an event or the statement of none.

Columns: docs/reference/settings.md, `adverse_events`.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from fhir_adapter.cohort.events import AdverseEvent, Source
from fhir_adapter.errors import UsageError
from fhir_adapter.fhir.r4 import CodeableConcept, Coding
from fhir_adapter.mapping.artefacts import nearest
from fhir_adapter.mapping.grades import UNKNOWN_GRADE, WORST_OF_SEVERAL, Graded, read_grade
from fhir_adapter.mapping.reading import Reader

_MEDDRA = "http://terminology.hl7.org/CodeSystem/mdr"
COLUMNS = ("person", "term", "grade", "date", "scale", "source")
_NEEDED = ("person", "term")
_ANOTHER = "other"  # the vocabulary's word for an event that it has no term for
_HASH = 12  # as much of the hash as tells one state of the file from the next


@dataclass(frozen=True)
class SideCar:
    """The events by Patient id; `sha256` is that of the file, empty without one."""

    events: Mapping[str, tuple[AdverseEvent, ...]] = field(default_factory=dict)
    sha256: str = ""

    def about(self, patient_ids: tuple[str, ...]) -> tuple[AdverseEvent, ...]:
        return tuple(event for one in patient_ids for event in self.events.get(one, ()))

    def strangers(self, people: frozenset[str]) -> Iterator[AdverseEvent]:
        """The events of people who are not among the data."""
        for person in sorted(set(self.events) - people):
            yield from self.events[person]


def read_side_car(path: Path | None, reader: Reader) -> SideCar:
    """Read and check the whole file. A row that cannot be understood is a `UsageError` that names its line only."""
    if path is None:
        return SideCar()
    try:
        content = path.read_bytes()
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        _check_columns(path, tuple(rows.fieldnames or ()))
        sha256 = hashlib.sha256(content).hexdigest()
        found: dict[str, list[AdverseEvent]] = {}
        for row in rows:
            where = Source(reference=f"{path.name}/{rows.line_num}", version=sha256[:_HASH], element="")
            person = (row["person"] or "").strip().removeprefix("Patient/")
            found.setdefault(person, []).append(_event(path, row, where, reader))
    except (OSError, UnicodeDecodeError, csv.Error):
        hint = "it is a CSV file in UTF-8, separated by commas; `adverse_events` in the settings names it"
        raise UsageError(f"{path} cannot be read, so its adverse events would be missing", hint) from None
    return SideCar({person: tuple(events) for person, events in found.items()}, sha256)


def _check_columns(path: Path, written: tuple[str, ...]) -> None:
    for name in written:
        if name not in COLUMNS:
            raise UsageError(f"{path}: a column of its first line is not known", nearest(name, list(COLUMNS)))
    for name in _NEEDED:
        if name not in written:
            raise UsageError(f"{path}: there is no column `{name}`", f"the columns are {', '.join(COLUMNS)}")


def _event(path: Path, row: Mapping[str, str | None], where: Source, reader: Reader) -> AdverseEvent:
    said = {name: (row.get(name) or "").strip() for name in COLUMNS}
    line = where.reference.rpartition("/")[2]
    if not said["person"]:
        raise UsageError(f"{path}: line {line}: nobody is named", "`person` is the logical id of the Patient")
    term = _term(said["term"], reader)
    if term is None or term == _ANOTHER:
        hint = "write CRS, ICANS or a CTCAE term of conceptmaps/adverse-event.json, or its MedDRA code"
        raise UsageError(f"{path}: line {line}: the term is not known", hint)
    on = reader.date(said["date"])
    if said["date"] and on is None:
        raise UsageError(f"{path}: line {line}: the date cannot be read", "write 2024-06-05, 2024-06 or 2024")
    scale = reader.terms["grading-scale"].translate_text(said["scale"]).code
    if said["scale"] and scale is None:
        raise UsageError(f"{path}: line {line}: the scale is not known", "for example ASTCT 2019 or Lee 2014")
    grade = _grade(path, line, said["grade"], reader)
    return AdverseEvent(
        on=on,
        source=replace(where, element=said["source"]),
        flags=(*grade.flags, "from-side-car"),
        term=term,
        grade_min=grade.lowest,
        grade_max=grade.highest,
        scale=scale or "",
        carrier="side-car",
    )


def _term(written: str, reader: Reader) -> str | None:
    """The term by its name or its MedDRA code."""
    table = reader.terms["adverse-event"]
    return table.translate(CodeableConcept(text=written, coding=(Coding(system=_MEDDRA, code=written),))).code


def _grade(path: Path, line: str, written: str, reader: Reader) -> Graded:
    """A digit, a range (`2-3`: the worse counts), a numeral or words; an empty cell is an unknown grade."""
    if not written:
        return Graded(*UNKNOWN_GRADE, "")
    low, _, high = written.partition("-")
    if low in "012345" and high in ("", *"12345") and low <= (high or low):
        return Graded(int(high or low), int(high or low), "", (WORST_OF_SEVERAL,) if high else ())
    found = read_grade(reader, CodeableConcept(text=written)) or read_grade(
        reader, CodeableConcept(text=f"grade {written}")
    )
    if found is None:
        raise UsageError(
            f"{path}: line {line}: the grade cannot be read", "write 0 to 5, or leave it empty if nobody graded"
        )
    return found
