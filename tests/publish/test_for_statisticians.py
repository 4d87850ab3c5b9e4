"""Parquet, codebook, ADTTE and the R script say what the CSV tables and the estimates say."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from whole_runs import ROOT

from fhir_adapter.cohort.estimate import Endpoint, Estimate, EventTime
from fhir_adapter.cohort.study import Study
from fhir_adapter.mapping.study import read_study
from fhir_adapter.publish.analysis_tables import EVENT_TIMES, analysis_files
from fhir_adapter.publish.codebook import codebook_files, columns
from fhir_adapter.publish.cohort_tables import SUBJECTS
from fhir_adapter.publish.parquet_tables import parquet_table


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study("bsab-cart-dlbcl").study


def time(
    subject: str, endpoint: Endpoint, days: int | None, event: bool, reason: str, imputed: bool = False
) -> EventTime:
    return EventTime(
        subject_id=subject,
        endpoint=endpoint,
        start=date(2024, 1, 1),
        end=date(2024, 3, 31),
        days=days,
        days_min=80,
        days_max=100,
        imputed=imputed,
        event=event,
        reason=reason,
        source="Observation/a/_history/1",
    )


TIMES = (
    time("=p1", "PFS", 90, True, "progression", imputed=True),
    time("p2", "PFS", 90, False, "last assessment"),
    time("p2", "OS", None, False, "last contact"),
)
ESTIMATES = (
    Estimate(
        id="pfs.12m", endpoint="PFS", label="PFS", timepoint_months=12, method="kaplan-meier", value=0.1 + 0.2, n=2
    ),
    Estimate(id="os.median", endpoint="OS", label="OS", method="kaplan-meier", unit="mo", n=2, not_reached=True),
    Estimate(id="dor.12m", endpoint="DOR", label="DOR", method="kaplan-meier", n=0, not_estimable="nobody"),
    Estimate(id="pfs.6m[a=b]", endpoint="PFS", label="PFS", population="a=b", method="kaplan-meier", value=0.5, n=1),
    Estimate(id="os.6m", endpoint="OS", label="OS", method="kaplan-meier", n=0, suppressed=("value", "n")),
    Estimate(
        id="baseline.n", endpoint="baseline", label="n", method="count", value=2.0, n=2, parameters={"b": 1, "a": ()}
    ),
)


@pytest.fixture(scope="module")
def left(study: Study) -> dict[str, bytes]:
    return analysis_files(TIMES, ESTIMATES, study)


def rows(table: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.decode(), newline="")))


def parquet(table: bytes) -> list[dict[str, Any]]:
    return pq.read_table(pa.BufferReader(table)).to_pylist()


def test_every_column_of_every_table_is_in_the_codebook_in_its_order() -> None:
    tables = {"event_times": EVENT_TIMES, "estimates": tuple(Estimate.model_fields), "subjects": SUBJECTS}
    assert {table: tuple(one.name for one in columns(table)) for table in tables} == tables


def test_every_column_has_a_label_and_a_unit_that_exists(study: Study) -> None:
    for table in ("event_times", "estimates", "adtte", "subjects"):
        known = {one.name for one in columns(table)}
        for one in columns(table):
            assert one.label[0].isupper(), one
            assert one.unit in {"", "1", "d", "mo", "a", "mm"} | known, one


def test_the_codebook_has_the_code_lists_of_the_study(study: Study) -> None:
    told = {(one["table"], one["name"]): one["codes"] for one in json.loads(codebook_files(study)["codebook.json"])}
    assert told["subjects", "bsab_agents"]["glofitamab"] == "Glofitamab"
    assert set(told["subjects", "cart_product"]) == study.roles.car_t
    assert {"CR", "PR", "SD", "PD"} <= set(told["subjects", "best_response"])
    assert told["adtte", "CNSR"] == {"0": "event", "1": "censored"}
    assert not any(code.startswith("@") for codes in told.values() for code in codes)


def test_both_codebooks_say_the_same(left: dict[str, bytes]) -> None:
    as_json = json.loads(left["codebook.json"])
    for one, row in zip(as_json, rows(left["codebook.csv"]), strict=True):
        assert row == {**one, "codes": ";".join(f"{code}={told}" for code, told in one["codes"].items())}


def test_an_event_and_a_censoring_as_in_adtte(left: dict[str, bytes]) -> None:
    event, censored, bounded = parquet(left["adtte.parquet"])
    assert event == {
        "STUDYID": "bsab-cart-dlbcl",
        "USUBJID": "bsab-cart-dlbcl.site-01.=p1",
        "SUBJID": "=p1",
        "PARAMCD": "PFS",
        "PARAM": "progression-free survival",
        "STARTDT": date(2024, 1, 1),
        "ADT": date(2024, 3, 31),
        "AVAL": 90,
        "AVALU": "DAYS",
        "AVALMIN": 80,
        "AVALMAX": 100,
        "CNSR": 0,
        "EVNTDESC": "progression",
        "CNSDTDSC": "",
        "IMPUTFL": "Y",
        "SRCREF": "Observation/a/_history/1",
    }
    assert (censored["CNSR"], censored["EVNTDESC"], censored["CNSDTDSC"]) == (1, "no event", "last assessment")
    assert (bounded["AVAL"], bounded["AVALMIN"], bounded["AVALMAX"]) == (None, 80, 100)


def test_adtte_names_variables_as_cdisc_does() -> None:
    """At most eight letters and digits in capitals: the transport format takes no more."""
    assert [one.name for one in columns("adtte") if not re.fullmatch(r"[A-Z][A-Z0-9]{0,7}", one.name)] == []


def test_adtte_is_the_same_as_csv(left: dict[str, bytes]) -> None:
    told = [
        {name: "" if cell is None else str(cell) for name, cell in row.items()}
        for row in parquet(left["adtte.parquet"])
    ]
    as_csv = rows(left["adtte.csv"])
    assert as_csv[0]["SUBJID"] == "'=p1"  # a spreadsheet would take it for a formula
    assert as_csv[1:] == told[1:]


def test_parquet_has_types_and_labels(left: dict[str, bytes]) -> None:
    schema = pq.read_schema(pa.BufferReader(left["event_times.parquet"]))
    assert schema.names == list(EVENT_TIMES)
    assert (schema.field("start_date").type, schema.field("days").type) == (pa.date32(), pa.int64())
    assert schema.field("days_min").metadata == {b"label": b"Fewest days the records allow", b"unit": b"d"}


def test_estimates_lose_no_digit_and_say_what_is_unknown(left: dict[str, bytes]) -> None:
    told = parquet(left["estimates.parquet"])
    assert [one["id"] for one in told] == [one.id for one in ESTIMATES]
    assert told[0]["value"] == 0.1 + 0.2
    assert (told[1]["value"], told[1]["not_reached"], told[1]["ci_low"]) == (None, True, None)
    assert told[4]["suppressed"] == ["value", "n"]
    assert json.loads(told[5]["parameters"]) == {"a": [], "b": 1}


def test_equal_rows_give_equal_bytes(left: dict[str, bytes], study: Study) -> None:
    assert analysis_files(TIMES, ESTIMATES, study) == left


def test_a_cell_that_does_not_fit_its_column_is_an_error() -> None:
    with pytest.raises(pa.ArrowInvalid):
        parquet_table("event_times", [{"days": "many"}])


def test_nobody_gives_tables_with_columns_and_no_rows(study: Study) -> None:
    left = analysis_files((), (), study)
    assert (rows(left["adtte.csv"]), parquet(left["adtte.parquet"])) == ([], [])
    assert pq.read_schema(pa.BufferReader(left["estimates.parquet"])).names == list(Estimate.model_fields)


def test_the_script_expects_the_whole_curves_and_nothing_withheld(left: dict[str, bytes]) -> None:
    script = left["km.R"].decode()
    (expected,) = re.findall(r'text = "\n(.*?)"\)', script, re.DOTALL)
    assert [row["id"] for row in csv.DictReader(io.StringIO(expected))] == ["pfs.12m", "os.median"]
    assert "@" not in script


def test_the_script_uses_the_definitions_of_the_study() -> None:
    given = {"km_ci": "log", "ci_level": "0.9", "month_days": "30", "km_median_tie": "midpoint"}
    script = analysis_files((), (), read_study("bsab-cart-dlbcl", given).study)["km.R"].decode()
    for line in ('interval <- "log"', "level <- 0.9 ", "month_days <- 30 ", 'tie <- "midpoint"'):
        assert line in script


def test_the_script_is_plain_ascii() -> None:
    """R on Windows reads a script in the code page of the machine."""
    (ROOT / "fhir_adapter/publish/km.R").read_text(encoding="ascii")
