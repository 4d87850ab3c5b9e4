"""Commands, a module for each group of verbs. The only place that prints or exits.

Heavy libraries are imported when a command needs them, so that `--help` answers at once.
"""

from fhir_adapter.cli import trying, init, stages, results, schedule, explain, adjudicate, unmapped, diff, check, status  # noqa: F401, I001  (the order of the verbs in --help)
from fhir_adapter.cli.app import app, main

__all__ = ["app", "main"]
