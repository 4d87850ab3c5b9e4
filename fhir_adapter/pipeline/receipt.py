"""What was put on somebody's server, so that just that can be taken away again."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from fhir_adapter.errors import DiskError, UsageError
from fhir_adapter.whole_file import write_whole


class Receipt(BaseModel):
    """One load: its id is in a tag of every resource it made.

    `types` are the resource types it may have made, `resources` our `Type/id` with the `Type/id` that the server
    chose, in the order in which they came into being.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    server: str
    load: str
    types: tuple[str, ...]
    resources: dict[str, str] = {}

    @property
    def patients(self) -> list[str]:
        """The ids of the Patients on the server."""
        return [place.removeprefix("Patient/") for place in self.resources.values() if place.startswith("Patient/")]


def read_receipt(path: Path) -> Receipt:
    """The receipt in a file; `UsageError` if there is none."""
    try:
        return Receipt.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise UsageError(f"there is no receipt in {path}", "name the file that `sandbox load` wrote") from None


def write_receipt(path: Path, receipt: Receipt) -> None:
    """Replace the receipt, and beside it the list of the Patients for `--patients`, one id a line."""
    _replace(path, receipt.model_dump_json(indent=1).encode())
    _replace(patients_file(path), "".join(f"{id}\n" for id in receipt.patients).encode())


def patients_file(receipt: Path) -> Path:
    """Where the ids of the Patients stand."""
    return receipt.with_suffix(".patients.txt")


def forget(path: Path) -> None:
    """Nothing of this load is left on its server."""
    for file in (patients_file(path), path):
        file.unlink(missing_ok=True)


def _replace(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
    except OSError:
        raise DiskError(f"the receipt {path} cannot be written", "name another place with --receipt") from None
