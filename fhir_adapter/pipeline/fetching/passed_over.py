"""How many Patients a folder holds of whom nothing was read, because nothing of the study's treatments is on record."""

from __future__ import annotations

from fhir_adapter.store import Store, View

_FACT = "patients-passed-over"


def remember_passed_over(store: Store, patients: int) -> None:
    """Keep the number for the attrition."""
    store.remember(_FACT, str(patients))


def recall_passed_over(view: View) -> int:
    """The number of the last fetch; 0 where everybody was read."""
    return int(view.recall(_FACT) or 0)
