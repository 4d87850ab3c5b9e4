"""Where the studies and the demo's fixtures are: beside the code in a checkout, inside the package when installed."""

from __future__ import annotations

from pathlib import Path

from fhir_adapter.errors import UsageError

_PACKAGE = Path(__file__).parent


def data_folder(name: str) -> Path:
    """The folder `mappings` or `fixtures` that came with this installation."""
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise UsageError(
        f"this installation has no {name}/ folder", "install the package again from its wheel or a checkout"
    )
