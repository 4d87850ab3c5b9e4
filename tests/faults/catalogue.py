"""Writes `docs/reference/faults.md` from the tests in this folder: `python tests/faults/catalogue.py`.

A test is `test_NN_what_happens` or `test_NNa_...`; the first paragraph of its docstring says "what comes in: what
happens".
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "faults.md"

# What does not concern fetching, storing or delivering is held to elsewhere.
ELSEWHERE = {
    69: "tests/analysis/test_event_times.py",
    70: "tests/analysis/test_curves.py",
    71: "tests/analysis/test_estimates.py",
    72: "tests/analysis/test_group_comparisons.py",
    73: "tests/mapping/test_units.py",
    97: "tests/analysis/test_disclosure.py",
}
NOT_DONE = {
    96: "nothing is sent to REDCap",
}
NUMBERS = tuple(number for number in range(1, 101) if number not in ELSEWHERE and number not in NOT_DONE)

_NAME = re.compile(r"test_(\d{2,3})([a-z]?)_\w+")
_SENTENCE = re.compile(r"((?:`[^`]*`|[^`:]|:(?! ))+): (.+)")
_HEAD = """# Faults

What goes wrong between a hospital's server and its results, and what happens then. Every row is a test in
`tests/faults/`, which puts the whole command in front of a server on this machine that misbehaves in exactly that way;
this page is written from those tests, by `python tests/faults/catalogue.py`.

*Incomplete* means: the stream is marked so with its reason, the run ends with exit code 5, nothing is published, the
last good results stay, and the next run goes on. *Quarantined* means: kept whole in the landing store with a reason,
and counted; nothing is dropped in silence. [Exit codes](exit-codes.md) says what each of them means.

| number | what comes in | what happens | tests |
|---|---|---|---|
"""


@dataclass(frozen=True, order=True)
class Fault:
    """One test of this folder."""

    number: int
    letter: str
    comes_in: str
    happens: str
    file: str


@dataclass(frozen=True)
class Told:
    """A test and the first paragraph of its docstring, empty without one."""

    name: str
    says: str


class Nameless(ValueError):
    """A test with a number whose docstring does not say what comes in and what happens."""


def read_faults() -> list[Fault]:
    """Every numbered test, in the order of the numbers."""
    files = sorted(HERE.glob("test_*.py"))
    return sorted(fault for path in files for fault in _faults_of(path))


def _faults_of(path: Path) -> Iterator[Fault]:
    for test in told_tests(path):
        if named := _NAME.fullmatch(test.name):
            sentence = _SENTENCE.fullmatch(test.says)
            if not sentence:
                raise Nameless(f"{path.name}: {test.name}")
            yield Fault(int(named[1]), named[2], sentence[1], sentence[2], path.name)


def told_tests(path: Path) -> Iterator[Told]:
    """The tests of a file, in its order, with what their docstrings say first."""
    for one in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(one, ast.FunctionDef) and one.name.startswith("test_"):
            yield Told(one.name, _first_paragraph(one))


def told_about(path: Path) -> str:
    """What the docstring of a file says first."""
    return _first_paragraph(ast.parse(path.read_text(encoding="utf-8")))


def _first_paragraph(documented: ast.Module | ast.FunctionDef) -> str:
    return " ".join((ast.get_docstring(documented) or "").split("\n\n")[0].split())


def missing_numbers() -> list[int]:
    """Numbers that a test ought to have and none has."""
    return sorted(set(NUMBERS) - {fault.number for fault in read_faults()})


def page() -> str:
    """The page as it should be."""
    rows = "".join(map(_row, read_faults()))
    elsewhere = "; ".join(f"{number} in `{path}`" for number, path in ELSEWHERE.items())
    not_done = "; ".join(f"{number}: {why}" for number, why in NOT_DONE.items())
    left_out = f"Numbers about the analysis are held to elsewhere: {elsewhere}. Others do not apply: {not_done}."
    return f"{_HEAD}{rows}\n{left_out}\n"


def _row(fault: Fault) -> str:
    name = fault.file.removeprefix("test_").removesuffix(".py").replace("_", " ")
    cells = (
        f"{fault.number}{fault.letter}",
        fault.comes_in,
        fault.happens,
        f"[{name}](../../tests/faults/{fault.file})",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
