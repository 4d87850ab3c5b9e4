"""Bulk Data export: order it, wait for it, fetch its files, give it back in pages."""

from fhir_adapter.ehr.bulk.export import Export, run_export
from fhir_adapter.ehr.bulk.job import Memory
from fhir_adapter.ehr.bulk.order import ExportOrder

__all__ = ["Export", "ExportOrder", "Memory", "run_export"]
