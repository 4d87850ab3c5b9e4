"""What is still owed to a server without transactions, written down before the first document is sent.

The documents themselves need no journal: they are compared with what is there. Only the Provenance about them
would be forgotten, or written twice, if the work stopped in between.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from fhir_adapter.ehr.document import Document, key_of, spelled
from fhir_adapter.errors import DiskError
from fhir_adapter.fhir.canonical import content_sha256


class Owed(msgspec.Struct, frozen=True):
    """A Provenance to be written, and what the documents it is about said: a hash for each `Type/id`."""

    provenance: dict[str, object]
    documents: dict[str, str]

    def covers(self, document: Document) -> bool:
        """Is this Provenance about just this content?"""
        return self.documents.get(key_of(document)) == content_sha256(spelled(document))


def owed_for(provenance: Document, documents: list[Document]) -> Owed:
    """`Owed` for a Provenance about `documents`."""
    return Owed(dict(provenance), {key_of(d): content_sha256(spelled(d)) for d in documents})


_decoder = msgspec.json.Decoder(list[Owed])
_encoder = msgspec.json.Encoder(decimal_format="number")


class Journal:
    """One small file; without a path it forgets with the process."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read_owed(self) -> list[Owed]:
        """What was written down by an earlier run that did not come to its end."""
        if self._path is None or not self._path.exists():
            return []
        try:
            owed = _decoder.decode(self._path.read_bytes())
        except OSError:
            raise DiskError(f"The delivery journal {self._path} cannot be read.") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []  # it is replaced atomically, so this is not ours
        return [one for one in owed if one.provenance.keys() >= {"resourceType", "id"}]

    def write_owed(self, owed: list[Owed]) -> None:
        """Replace what is written down; the old or the new is there, whatever happens."""
        if self._path is None:
            return
        beside = self._path.with_name(f"{self._path.name}.tmp")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(_encoder.encode(owed))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            raise DiskError(f"The delivery journal cannot be written ({type(error).__name__}).") from None

    def close(self) -> None:
        """Nothing is owed any more."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
