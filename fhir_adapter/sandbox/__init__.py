"""A small FHIR R4 server on loopback: for the demo, for trying things out, and for tests."""

from fhir_adapter.sandbox.export import Exporting
from fhir_adapter.sandbox.server import Sandbox

__all__ = ["Exporting", "Sandbox"]
