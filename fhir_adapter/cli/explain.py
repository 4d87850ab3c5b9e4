"""`explain`: why one person is classified as they are."""

from __future__ import annotations

import json
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
) -> None:
    """Say why a person is in the cohort or not, and why each classification is what it is."""
    from fhir_adapter.pipeline.explain import findings_of
    from fhir_adapter.publish.cohort_tables import tell
    from fhir_adapter.report.explanation import explain as in_sentences

    said = {"study": study, "set": set, "out": out}
    subject_id, findings = findings_of(patient, settings_from(config, False, said), as_of)
    if as_json:
        print(
            json.dumps(
                {"subject_id": subject_id, "findings": [tell(one) for one in findings]}, ensure_ascii=False, indent=1
            )
        )
    else:
        print(in_sentences(subject_id, findings))
