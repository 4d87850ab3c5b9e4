"""`adjudicate`: a line in which a reviewer decides one finding about one person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fhir_adapter.cli.app import app
from fhir_adapter.cli.options import Config, Out, SetParameter, Study, given, settings_from


@app.command()
def adjudicate(
    patient: Annotated[str, typer.Argument(help="Id of the Patient on the source server.")],
    rule: Annotated[str, typer.Argument(help="The question, such as failure, response or toxicity.crs.")],
    config: Config = None,
    study: Study = None,
    set: SetParameter = None,
    out: Out = None,
    adjudication: Annotated[
        Path | None, typer.Option(help="CSV file with the decisions of reviewers; made if it is not there.")
    ] = None,
) -> None:
    """Append a line to the adjudication file that only needs a verdict, a name, a date and a reason."""
    flags = given({name: value for name, value in locals().items() if name not in ("patient", "rule")})
    from fhir_adapter.pipeline.adjudicating import open_line
    from fhir_adapter.report.explanation import paragraph

    opened = open_line(patient, rule, settings_from(config, False, flags))
    print("\n".join(paragraph(opened.finding)))
    print(f"\n{opened.file}, line {opened.line}: fill in verdict, reviewer, date and reason.")
    print(f"The verdict is one of: {', '.join(opened.words)}.")
