"""The landing store: what was received, kept whole, with an account of where everything went."""

from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.store.ledger import StreamLedger
from fhir_adapter.store.run import Run
from fhir_adapter.store.store import Store
from fhir_adapter.store.view import View

__all__ = ["Quarantined", "Run", "Store", "StreamLedger", "View"]
