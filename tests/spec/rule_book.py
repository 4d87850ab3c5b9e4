"""Writes `docs/reference/rules.md` from the tests in this folder: `PYTHONPATH=tests python tests/spec/rule_book.py`.

A rule is a test: its name says what holds, and the first paragraph of its docstring, if there is one, says more. The
docstring of a module says what its section is about. In `edge_cases/` a test is named `test_edge_NN_...`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from faults.catalogue import Told, told_about, told_tests

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "rules.md"

# In the order in which the questions about a person are asked.
SECTIONS = {
    "test_eligibility": "Who belongs to the cohort",
    "test_index": "The index infusion and its collection",
    "test_bsab_failure": "Failure of the bispecific antibody",
    "test_washout": "Washout",
    "test_prior_lines": "Lines of therapy",
    "test_age_and_ipi": "Age and the International Prognostic Index",
    "test_relatives_of_the_ipi": "Relatives of the IPI",
    "test_bulk_and_sites": "Bulk and extranodal sites",
    "test_recorded_baseline": "Scores and counts as recorded",
    "test_best_response": "Best response",
    "test_further_records": "Records that a study may read beyond the usual",
    "test_time_to_event": "Time to an event",
    "test_cause_of_death": "Causes of death",
    "test_crs_and_icans": "CRS and ICANS",
    "test_laboratory_toxicity": "Laboratory toxicity",
    "test_recorded_toxicity": "Adverse events as recorded",
    "test_icaht": "ICAHT",
    "test_data_cut": "The data cut",
    "test_vague_records": "Vague records",
    "test_adjudication": "Human judgement",
    "test_other_spellings": "The same in other words",
    "test_myeloma": "Multiple myeloma",
}
EDGE_CASES = range(1, 59)
_EDGE = re.compile(r"test_edge_(\d{2})_(\w+)")
_SPELLED = {
    **{word.casefold(): word for word in ("BsAb", "CRS", "ICANS", "IPI", "LDH", "ECOG", "PD", "CR", "PR", "SD", "NE")},
    **{word.casefold(): word for word in ("BCMA", "CTCAE", "PFS", "OS", "DLBCL", "ALT", "ANC", "Lugano", "Deauville")},
    **{word.casefold(): word for word in ("IMWG", "sCR", "VGPR")},
    "cd20": "CD20",
}
_PHRASES = {"car t": "CAR-T", "d dimer": "D-dimer", "r chop": "R-CHOP", "step up": "step-up", "b cell": "B-cell"}
_HEAD = """# The rule book

How the studies that come with fhir-adapter judge. Every rule is a test in `tests/spec/`, which puts
a record in front of the rules and looks at the answer; this page is written from those tests, by
`PYTHONPATH=tests python tests/spec/rule_book.py`. Where something depends on the study,
[Parameters of a study](parameters.md) names the choice and its default.

*Undetermined*, or *open*, means: the records allow more than one answer, and none of them is chosen. *Set aside* means:
the record is counted with a reason and decides nothing.
"""


@dataclass(frozen=True, order=True)
class EdgeCase:
    """What becomes of a record that is easily read wrong, in short and in full, and the file of its test."""

    number: int
    title: str
    says: str
    file: str


def sections() -> dict[str, Path]:
    """The files of the rules by module name, edge cases apart."""
    return {path.stem: path for path in sorted(HERE.glob("test_*.py")) if path.stem != "test_rule_book"}


def edge_cases() -> list[EdgeCase]:
    """Every edge case, in the order of the numbers and then of the files."""
    found = (
        EdgeCase(int(named[1]), spoken(named[2]), test.says, path.name)
        for path in sorted((HERE / "edge_cases").glob("test_*.py"))
        for test in told_tests(path)
        if (named := _EDGE.fullmatch(test.name))
    )
    return sorted(found, key=lambda one: one.number)


def page() -> str:
    """The page as it should be."""
    files = sections()
    rules = "".join(_section(title, files[name]) for name, title in SECTIONS.items() if name in files)
    return f"{_HEAD}{rules}{_edge_section(edge_cases())}"


def _section(title: str, path: Path) -> str:
    rules = "".join(map(_rule, told_tests(path)))
    return f"\n## {title}\n\n{told_about(path)} ([tests](../../tests/spec/{path.name}))\n\n{rules}"


def _rule(test: Told) -> str:
    more = f" {test.says}" if test.says else ""
    return f"- {spoken(test.name.removeprefix('test_'))}{more}\n"


def _edge_section(found: Iterable[EdgeCase]) -> str:
    rows = "".join(map(_row, found))
    return (
        "\n## Records that are easily read wrong\n\n"
        "What hospitals send, and what becomes of it; from raw records to the verdict.\n\n"
        f"| number | what holds | in full | tests |\n|---|---|---|---|\n{rows}"
    )


def _row(one: EdgeCase) -> str:
    name = one.file.removeprefix("test_").removesuffix(".py").replace("_", " ")
    cells = (str(one.number), one.title, one.says, f"[{name}](../../tests/spec/edge_cases/{one.file})")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def spoken(name: str) -> str:
    """The name of a test as a sentence: `the_order_is_cr_pr_sd` is "The order is CR PR SD."."""
    text = re.sub(r"(?<=\d)_(?=\d)", ".", name).replace("_", " ")
    for phrase, written in _PHRASES.items():
        text = re.sub(rf"\b{phrase}\b", written, text)
    text = " ".join(_words(text))
    return f"{text[:1].upper()}{text[1:]}."


def _words(text: str) -> Iterator[str]:
    for word in text.split():
        yield _SPELLED.get(word, word)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
