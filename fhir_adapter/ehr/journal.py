"""What is still owed to a server without transactions, written down before the first document is sent.

The documents themselves need no journal: they are compared with what is there. Only the Provenance about them
would be forgotten, or written twice, if the work stopped in between.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from fhir_adapter.ehr.document import Document, key_of, spelled
from fhir_adapter.ehr.json_text import UNREADABLE
from fhir_adapter.errors import DiskError
from fhir_adapter.fhir.canonical import content_sha256
from fhir_adapter.whole_file import write_whole


class Owed(msgspec.Struct, frozen=True):
    """A Provenance to be written to `server`, and what its documents said: a hash for each `Type/id`."""

    server: str
    provenance: dict[str, object]
    documents: dict[str, str]

    def covers(self, document: Document) -> bool:
        """Is this Provenance about just this content?"""
        return self.documents.get(key_of(document)) == content_sha256(spelled(document))


def owed_for(server: str, provenance: Document, documents: list[Document]) -> Owed:
    """`Owed` for a Provenance about `documents`."""
    return Owed(server, dict(provenance), {key_of(d): content_sha256(spelled(d)) for d in documents})


_decoder = msgspec.json.Decoder(list[Owed])
_encoder = msgspec.json.Encoder(decimal_format="number")


class Journal:
    """One small file; without a path it forgets with the process. What is owed to other servers stays in it."""

    def __init__(self, path: Path | None, server: str) -> None:
        self._path, self._server = path, server

    def read_owed(self) -> list[Owed]:
        """What was written down by an earlier run that did not come to its end."""
        return [one for one in self._read() if one.server == self._server]

    def _read(self) -> list[Owed]:
        if self._path is None or not self._path.exists():
            return []
        try:
            owed = _decoder.decode(self._path.read_bytes())
        except OSError:
            raise DiskError(f"The delivery journal {self._path} cannot be read.") from None
        except UNREADABLE:
            return []  # it is replaced atomically, so this is not ours
        return [one for one in owed if one.provenance.keys() >= {"resourceType", "id"}]

    def write_owed(self, owed: list[Owed]) -> None:
        """Replace what is written down; the old or the new is there, whatever happens."""
        if self._path is None:
            return
        owed = [*(one for one in self._read() if one.server != self._server), *owed]
        try:
            write_whole(self._path, _encoder.encode(owed))
        except OSError as error:
            raise DiskError(f"The delivery journal cannot be written ({type(error).__name__}).") from None

    def close(self) -> None:
        """Nothing is owed to this server any more."""
        if self._path is None or not self._path.exists():
            return
        if all(one.server == self._server for one in self._read()):
            self._path.unlink()
        else:
            self.write_owed([])
