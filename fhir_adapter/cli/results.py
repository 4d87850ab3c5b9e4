"""`results`: what a FHIR server holds of a study, as the table it was made from."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from fhir_adapter.cli.app import app
from fhir_adapter.cli.options import Config, Server, Study, settings_from
from fhir_adapter.cli.screen import plain

if TYPE_CHECKING:
    from fhir_adapter.publish.report_reading import ReportRead

Digits = Annotated[int, typer.Option(min=0, max=6, help="Decimals to show; --json has all that were published.")]


@app.command()
def results(
    config: Config = None,
    server: Server = None,
    study: Study = None,
    digits: Digits = 1,
    as_json: Annotated[bool, typer.Option("--json", help="The same as data.")] = False,
) -> None:
    """Read the MeasureReports of a study back from any FHIR server, and print their statistics. Nothing is written."""
    from fhir_adapter.pipeline.reading_back import fetch_results

    held = fetch_results(settings_from(config, False, {"server": server, "study": study}))
    if as_json:
        print(json.dumps([_as_data(one) for one in held.reports], ensure_ascii=False, indent=1))
        return
    for (name, site, cut), reports in groupby(held.reports, key=lambda one: (one.study, one.site, one.cut)):
        _print_table(f"study {name}, site {site}, data cut {cut}", list(reports), digits)
    if not held.reports:
        print("the server holds no results of a study")
    if held.unreadable:
        print(f"{held.unreadable} MeasureReports there are not valid and were left out")


def _as_data(report: ReportRead) -> dict[str, object]:
    named = {"study": report.study, "site": report.site, "family": report.family, "cut": report.cut}
    told = [json.loads(one.model_dump_json()) for one in report.estimates]
    left = [{"step": one.step, "reason": one.reason, "people": one.people} for one in report.leavers]
    return {**named, "start": report.start, "end": report.end, "estimates": told, "leavers": left}


def _print_table(title: str, reports: list[ReportRead], digits: int) -> None:
    from rich.console import Console
    from rich.table import Table

    from fhir_adapter.analysis.wording import sentence

    print(plain(f"{title}, {reports[0].start} to {reports[0].end}"))
    table = Table()
    for column in ("statistic", "population", "people", "result"):
        table.add_column(column, overflow="fold")
    for report in reports:
        table.add_section()
        for one in report.estimates:
            people = "withheld" if "n" in one.suppressed else str(one.n)
            table.add_row(plain(one.label), plain(one.population), people, plain(sentence(one, digits)))
        for left in report.leavers:
            count = "withheld" if left.people is None else str(left.people)
            table.add_row(plain(f"left at {left.step}"), "", count, plain(left.reason))
    Console(markup=False, highlight=False).print(table)
