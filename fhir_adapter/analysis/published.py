"""The numbers a study has published, and whether ours are the same, printed alike.

A table of published numbers is a CSV file with one figure a row:

| column | says |
|---|---|
| `id` | the estimate; two ids, separated by a space, for a ratio |
| `figure` | the name of the figure, for people |
| `published` | the number exactly as it was printed |
| `digits` | decimals to round to, half up; a whole number is printed without them |
| `show` | how it is printed, one of `SHOWN` |
| `set` | parameters under which it holds, `key=value;key=value`; empty for the study as it is |
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fhir_adapter.analysis.rounding import percent, plain
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.errors import StudyError

COLUMNS = ("id", "figure", "published", "digits", "show", "set")


@dataclass(frozen=True, slots=True)
class Published:
    """One published number; `settings` are the `KEY=VALUE` parameters under which it was computed."""

    ids: tuple[str, ...]
    figure: str
    text: str
    digits: int
    show: str
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """A row of the comparison; `computed` is empty when there is no such estimate."""

    figure: str
    published: str
    computed: str
    same: bool


def parse(text: str, name: str = "published numbers") -> tuple[Published, ...]:
    """The rows of a table of published numbers; `name` (of the file) is for the error message.

    Raises `StudyError` when a column, a number of digits or a way of printing is not known.
    """
    reader = csv.DictReader(io.StringIO(text))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise StudyError(f"{name}: the first line is not `{','.join(COLUMNS)}`", "name the columns in this order")
    return tuple(_row(line, f"{name}, line {reader.line_num}") for line in reader)


def _row(line: Mapping[str, str | None], where: str) -> Published:
    cells = {column: (line.get(column) or "").strip() for column in COLUMNS}
    if not cells["digits"].isdecimal():
        raise StudyError(f"{where}: `digits` is not a whole number", "write 0 or 1")
    if cells["show"] not in SHOWN:
        raise StudyError(f"{where}: `show` is not known", f"one of {', '.join(SHOWN)}")
    return Published(
        ids=tuple(cells["id"].split()),
        figure=cells["figure"],
        text=cells["published"],
        digits=int(cells["digits"]),
        show=cells["show"],
        settings=tuple(part.strip() for part in cells["set"].split(";") if part.strip()),
    )


def settings(rows: Iterable[Published]) -> tuple[tuple[str, ...], ...]:
    """Every set of parameters the rows need, each once, in order; `()` is the study as it is."""
    return tuple(dict.fromkeys(row.settings for row in rows))


def compare(
    estimates: Mapping[tuple[str, ...], Iterable[Estimate]] | Sequence[Estimate], rows: Iterable[Published]
) -> tuple[Compared, ...]:
    """Published beside computed, printed alike, row by row.

    `estimates` are those of the study as it is or, when rows hold under other parameters, a mapping from
    every member of `settings(rows)` to the estimates computed under it. A row without its estimate is not the
    same.
    """
    answers = estimates if isinstance(estimates, Mapping) else {(): estimates}
    by_id = {key: {one.id: one for one in found} for key, found in answers.items()}
    return tuple(_compared(row, by_id.get(row.settings, {})) for row in rows)


def _compared(row: Published, found: Mapping[str, Estimate]) -> Compared:
    given = [found[name] for name in row.ids if name in found]
    computed = SHOWN[row.show](given, row.digits) if given and len(given) == len(row.ids) else ""
    return Compared(row.figure, row.text, computed, computed != "" and computed == row.text)


def _count(given: Sequence[Estimate], digits: int) -> str:
    """People: of a proportion its numerator, else the value. Several are joined to a ratio, `6:6`."""
    counts = [one.value if one.numerator is None else one.numerator for one in given]
    return ":".join("" if count is None else plain(count, digits) for count in counts)


def _rate(given: Sequence[Estimate], digits: int) -> str:
    """`11/12 (91.7%)`"""
    part, of = given[0].numerator, given[0].denominator
    return f"{part}/{of} ({percent(part, of, digits)})" if part is not None and of else "not estimable"


def _chance(given: Sequence[Estimate], digits: int) -> str:
    """`54.5%`"""
    value = given[0].value
    return "not estimable" if value is None else f"{plain(100 * value, digits)}%"


def _value(given: Sequence[Estimate], digits: int) -> str:
    """`2`, `9.3`, `not reached`"""
    one = given[0]
    if one.not_reached:
        return "not reached"
    return "not estimable" if one.value is None else plain(one.value, digits)


def _spread(given: Sequence[Estimate], digits: int) -> str:
    """`53 (34-65)`"""
    one = given[0]
    if one.range_low is None or one.range_high is None:
        return "not estimable"
    return f"{_value(given, digits)} ({plain(one.range_low, digits)}-{plain(one.range_high, digits)})"


SHOWN: Mapping[str, Callable[[Sequence[Estimate], int], str]] = {
    "count": _count,
    "n/N (%)": _rate,
    "%": _chance,
    "value": _value,
    "median (range)": _spread,
}
"""The ways to print a number, by the name used in the column `show`."""
