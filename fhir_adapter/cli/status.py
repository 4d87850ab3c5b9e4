"""`status`: how the last fetch went."""

from __future__ import annotations

from fhir_adapter.cli.app import app
from fhir_adapter.cli.options import Config, Out, given, settings_from
from fhir_adapter.cli.screen import print_ledger
from fhir_adapter.errors import UsageError


@app.command()
def status(config: Config = None, out: Out = None) -> None:
    """Show the last fetch: what each stream announced, received and stored."""
    settings = settings_from(config, False, given(locals()))
    from fhir_adapter.output_folder import OutputFolder
    from fhir_adapter.store import Store

    with Store.reopen(OutputFolder(settings.out).store) as store:
        last, complete = store.last_run(), store.last_complete_run()
        if last is None:
            raise UsageError("nothing was fetched into this output folder yet", "run `fhir-adapter fetch`")
        print(f"source {store.source}")
        print(
            f"run {last}: {'complete' if last == complete else 'incomplete'}; last complete run: {complete or 'none'}"
        )
        print_ledger(store.ledger(last))
        print(f"quarantined: {len(store.quarantine())}")
