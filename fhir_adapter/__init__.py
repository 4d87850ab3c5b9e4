"""From a hospital's FHIR R4 server to a study cohort, its survival analysis and MeasureReports."""

__version__ = "0.1.0"
