"""The reference pages say what the code says: parameters, settings, columns, exit codes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from command_line import FLAGS
from pages import ROOT, page
from pydantic import BaseModel

from fhir_adapter import errors
from fhir_adapter.cli.app import EXIT_CODES as HELP
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.parameters import Parameters
from fhir_adapter.cohort.study import Roles
from fhir_adapter.credentials import AuthSettings
from fhir_adapter.publish import adjudication_table, analysis_tables, cohort_tables
from fhir_adapter.settings import PREFIX, Hooks, Settings

PARAMETERS = page("docs/reference/parameters.md")
SETTINGS = page("docs/reference/settings.md")
OUTPUTS = page("docs/reference/outputs.md")
EXIT_CODES = page("docs/reference/exit-codes.md")
STUDY = tomllib.loads((ROOT / "mappings/bsab-cart-dlbcl/study.toml").read_text(encoding="utf-8"))
# Some parameters are read under the name of what is made of them.
READ_AS = {
    "site_time_zone": "zone",
    "ae_window_days": "ae_window",
    "blood_count_window_days": "blood_count_window",
}

WORDS = re.compile(r'"([a-z]+(?:-[a-z0-9]+)+)"')

ROWS = {row[0].strip("`"): row for row in PARAMETERS.rows() if len(row) == 5}
TABLES = {
    "cohort/subjects.csv": cohort_tables.SUBJECTS,
    "cohort/flow.csv": cohort_tables.FLOW,
    "cohort/doses.csv": cohort_tables.DOSES,
    "cohort/responses.csv": cohort_tables.RESPONSES,
    "cohort/labs.csv": cohort_tables.LABS,
    "cohort/toxicities.csv": cohort_tables.TOXICITIES,
    "cohort/adjudication.csv": adjudication_table.ADJUDICATION,
    "cohort/rejects.csv": cohort_tables.REJECTS,
    "cohort/unmapped.csv": cohort_tables.UNMAPPED,
    "cohort/contradictions.csv": cohort_tables.CONTRADICTIONS,
    "analysis/event_times.csv": analysis_tables.EVENT_TIMES,
    "analysis/estimates.json": tuple(Estimate.model_fields),
}


def modules_that_read(key: str) -> set[str]:
    """Modules in which something is decided by a parameter."""
    name = READ_AS.get(key, key)
    wanted = re.compile(rf"\b(?:parameters|settings)\.{name}\b")
    package = ROOT / "fhir_adapter"
    modules = (path for folder in ("rules", "analysis", "mapping") for path in (package / folder).rglob("*.py"))
    return {path.relative_to(package).as_posix() for path in modules if wanted.search(path.read_text("utf-8"))}


def literals(annotation: Any) -> Iterator[str]:
    """The texts that a Literal inside a type allows."""
    for part in get_args(annotation):
        if isinstance(part, str):
            yield part
        else:
            yield from literals(part)


def value_of(cell: str) -> Any:
    """The value a default cell stands for: TOML, or a bare word."""
    text = cell.strip("`")
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def test_every_parameter_is_described_once_and_no_other() -> None:
    assert sorted(ROWS) == sorted(Parameters.model_fields)
    assert len([row for row in PARAMETERS.rows() if len(row) == 5]) == len(ROWS)


@pytest.mark.parametrize("key", Parameters.model_fields)
def test_the_default_of_a_parameter_is_the_one_described(key: str) -> None:
    field, told = Parameters.model_fields[key], ROWS[key][3]
    if field.is_required():
        assert told == "needed"
        return
    given = Parameters.model_validate({"data_cut": "none", key: value_of(told)})
    assert getattr(given, key) == field.get_default()


@pytest.mark.parametrize("key", Parameters.model_fields)
def test_every_answer_a_parameter_allows_is_described(key: str) -> None:
    allowed = set(literals(Parameters.model_fields[key].rebuild_annotation()))
    told = set(re.findall(r"`([^`]+)`", ROWS[key][2]))
    assert allowed <= told
    assert not allowed or told <= allowed


@pytest.mark.parametrize("key", Parameters.model_fields)
def test_the_modules_that_read_a_parameter_are_named(key: str) -> None:
    named = set(re.findall(r"`([^`]+)`", ROWS[key][4]))
    assert modules_that_read(key) <= named
    for module in named:
        name = READ_AS.get(key, key)
        assert re.search(rf"\b{name}\b", (ROOT / "fhir_adapter" / module).read_text("utf-8")), module


def test_the_reference_study_differs_from_the_defaults_only_where_the_page_says_so() -> None:
    given = Parameters.model_validate({key: value for key, value in STUDY.items() if key in Parameters.model_fields})
    other = {key for key, field in Parameters.model_fields.items() if getattr(given, key) != field.get_default()}
    assert other == {"data_cut", "site_time_zone", "subgroups"}
    assert f"`{STUDY['data_cut'].isoformat()}`" in PARAMETERS.text
    assert f'`"{STUDY["site_time_zone"]}"`' in PARAMETERS.text
    for subgroup in STUDY["subgroups"]:
        assert f'"{subgroup}"' in PARAMETERS.section("Subgroups")


def test_everything_else_in_a_study_file_is_described() -> None:
    texts = [key for key in STUDY if key not in Parameters.model_fields and isinstance(STUDY[key], str)]
    assert PARAMETERS.keys("About the study") == texts
    assert PARAMETERS.keys("`[value_sets]`: what the study counts as what") == list(Roles.model_fields)
    assert {f"## `[{key}]`" in PARAMETERS.text for key in STUDY if isinstance(STUDY[key], dict)} == {True}


def test_every_setting_is_described_with_its_flag_and_default() -> None:
    rows = {row[0].strip("`"): row for row in SETTINGS.rows("Every setting")}
    assert list(rows) == list(Settings.model_fields)
    for key, (_, flag, default, _) in rows.items():
        real = f"--{key.replace('_', '-')}"
        assert flag == (f"`{real}`" if real in FLAGS else "—")
        assert default == told_default(Settings.model_fields[key].get_default())


def told_default(value: object) -> str:
    if value is None or value == {} or isinstance(value, BaseModel):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if isinstance(value, int | float) else "`[]`" if value == () else f'`"{value}"`'


@pytest.mark.parametrize(("section", "model"), [("`[hooks]`", Hooks), ("`[auth]`", AuthSettings)])
def test_every_key_of_a_section_is_described_with_its_default(section: str, model: type[BaseModel]) -> None:
    rows = {row[0].strip("`"): row[1] for row in SETTINGS.rows(section)}
    defaults = {key: field.get_default() for key, field in model.model_fields.items()}
    assert rows == {key: told_default(None if value == () else value) for key, value in defaults.items()}


def test_the_prefix_of_the_environment_is_the_one_described() -> None:
    assert set(re.findall(r"\bFHIR_ADAPTER__", SETTINGS.text)) == {PREFIX}


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_described_in_its_order(name: str) -> None:
    assert tuple(OUTPUTS.keys(name)) == TABLES[name]


def test_every_flag_is_described_and_no_other() -> None:
    lines, told = said_in("mapping", "rules"), set(OUTPUTS.keys("Flags"))
    assert {flag for line in lines if "flags" in line for flag in WORDS.findall(line)} <= told
    assert {flag for flag in told if not any(f'"{flag}"' in line for line in lines)} == set()


def test_every_reason_to_set_something_aside_is_described() -> None:
    lines = [line for line in said_in("mapping", "pipeline") if re.search(r"(aside|SetAside)\(", line)]
    reasons = {reason for line in lines for reason in WORDS.findall(line) if f'terms["{reason}' not in line}
    told = re.findall(r"`([^`]+)`", OUTPUTS.section("Reasons to set something aside"))
    patterns = [re.compile(re.escape(one).replace(r"\.\.\.", ".+")) for one in told]
    assert len(reasons) > 20
    assert sorted(one for one in reasons if not any(pattern.fullmatch(one) for pattern in patterns)) == []


def said_in(*folders: str) -> list[str]:
    """Every line of the code of some folders."""
    paths = (path for folder in folders for path in sorted((ROOT / "fhir_adapter" / folder).rglob("*.py")))
    return [line for path in paths for line in path.read_text("utf-8").splitlines()]


def test_every_error_is_described_with_its_exit_code() -> None:
    tree = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    told = {re.findall(r"`(\w+)`", row[0])[0]: int(row[1]) for row in EXIT_CODES.rows("The errors")}
    real = {kind.__name__: kind.exit_code for kind in tree if kind is not errors.FhirAdapterError}
    assert told == real


def test_every_exit_code_is_described_on_the_page_and_in_the_help() -> None:
    rows = [row for row in EXIT_CODES.rows("Exit codes and errors") if len(row) == 4]
    told = {int(code) for row in rows for code in row[0].split(", ")}
    assert told == {0, 1, *(kind.exit_code for kind in all_errors()), 130, 143}
    for code in told:
        assert re.search(rf"\b{code}\b", HELP)


def all_errors() -> list[type[errors.FhirAdapterError]]:
    found = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return [kind for kind in found if issubclass(kind, errors.FhirAdapterError)]
