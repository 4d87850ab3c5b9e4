"""From a hospital's FHIR R4 server to a study cohort, its survival analysis and MeasureReports.

For notebooks: `load_study` and `build`, see `fhir_adapter.notebook`. They are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fhir_adapter.notebook import CohortFrames as CohortFrames
    from fhir_adapter.notebook import build as build
    from fhir_adapter.notebook import load_study as load_study

__version__ = "0.1.0"
__all__ = ["CohortFrames", "__version__", "build", "load_study"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("fhir_adapter.notebook"), name)
    raise AttributeError(f"module 'fhir_adapter' has no attribute {name!r}")
