"""`explain`: why one person is classified as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from fhir_adapter.cli.app import app
from fhir_adapter.cli.options import AsOf, Config, Out, SetParameter, Study, settings_from


@app.command()
def explain(
    patient: Annotated[str, typer.Argument(help="Id of the Patient on the source server.")],
    config: Config = None,
    study: Study = None,
    set: SetParameter = None,
    out: Out = None,
    as_of: AsOf = "",
    as_json: Annotated[bool, typer.Option("--json", help="The same as data.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write the whole course on one time axis to this file, as a page.")
    ] = None,
) -> None:
    """Say why a person is in the cohort or not, and why each classification is what it is."""
    from fhir_adapter.pipeline.explain import person_of, write_page
    from fhir_adapter.publish.finding_lines import tell
    from fhir_adapter.report.explanation import explain as in_sentences

    said = {"study": study, "set": set, "out": out}
    person = person_of(patient, settings_from(config, False, said), as_of)
    subject_id, findings = person.subject.subject_id, person.findings
    if html:
        write_page(person, html)
    if as_json:
        told = {"subject_id": subject_id, "findings": [tell(one) for one in findings]}
        print(json.dumps(told, ensure_ascii=False, indent=1))
    elif html:
        print(html)
    else:
        print(in_sentences(subject_id, findings))
