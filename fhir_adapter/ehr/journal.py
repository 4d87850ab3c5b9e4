"""What is still owed to a server without transactions, written down before the first document is sent.

The documents themselves need no journal: they are compared with what is there. Only the Provenance about them
would be forgotten if the work stopped in between.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from fhir_adapter.ehr.document import Document, spelled
from fhir_adapter.errors import DiskError


class Journal:
    """One small file; without a path it forgets with the process."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read_owed(self) -> list[Document]:
        """The documents written down by an earlier run that did not come to its end."""
        if self._path is None or not self._path.exists():
            return []
        try:
            owed = json.loads(self._path.read_bytes())
        except OSError:
            raise DiskError(f"The delivery journal {self._path} cannot be read.") from None
        except ValueError:
            return []  # it is replaced atomically, so this is not ours
        return [item for item in owed if isinstance(item, dict)] if isinstance(owed, list) else []

    def write_owed(self, documents: list[Document]) -> None:
        """Replace what is written down; the old or the new is there, whatever happens."""
        if self._path is None:
            return
        beside = self._path.with_name(f"{self._path.name}.tmp")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(b"[" + b",".join(spelled(document) for document in documents) + b"]")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            raise DiskError(f"The delivery journal cannot be written ({type(error).__name__}).") from None

    def close(self) -> None:
        """Nothing is owed any more."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
