"""Everything about one person in a small piece of memory, for whoever asks for everybody and looks at one at a time."""

from __future__ import annotations

import pickle
import zlib

from msgspec import Struct

from fhir_adapter.judging.person import Told

_FAST = 1  # a harder try saves a few per cent more, and takes several times as long


class Packed(Struct, frozen=True):
    """One person by the ids of their Patients, and all that is told of them as bytes that never leave the run."""

    patient_ids: tuple[str, ...]
    told: bytes

    def unpacked(self) -> Told:
        """The person as they were judged."""
        told: Told = pickle.loads(zlib.decompress(self.told))  # noqa: S301  (made by `pack`)
        return told


def pack(told: Told) -> Packed:
    return Packed(told.subject.patient_ids, zlib.compress(pickle.dumps(told, pickle.HIGHEST_PROTOCOL), _FAST))
