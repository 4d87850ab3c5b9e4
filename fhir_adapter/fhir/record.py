"""One resource as it was received: its exact bytes, and the little that is needed to file it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from functools import cached_property, lru_cache

import msgspec

_ID = re.compile(r"(?!\.\.?$)[A-Za-z0-9\-.]{1,64}")  # dots alone would be a step in a path
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}")
_PATIENT = re.compile(r"(?:^|/)Patient/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?$")


class Unreadable(ValueError):
    """The bytes are not one FHIR resource. `reason` is one of a fixed list of words, never content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Meta(msgspec.Struct, gc=False):
    versionId: str = ""
    lastUpdated: str = ""


_NO_META = _Meta()


class _Reference(msgspec.Struct, gc=False):
    reference: str = ""


class Envelope(msgspec.Struct, gc=False):
    """The few elements of any resource by which it is filed."""

    resourceType: str = ""
    id: str = ""
    meta: _Meta | None = None
    # Some types hold an array here (Account.subject): they are about several, so about nobody in particular.
    subject: _Reference | list[msgspec.Raw] | None = None
    patient: _Reference | list[msgspec.Raw] | None = None
    individual: _Reference | list[msgspec.Raw] | None = None


class Record(msgspec.Struct, frozen=True, dict=True):
    """A resource as received.

    `version` and `last_updated` are as the server wrote them (empty when it did not); `person` is the logical id of
    the Patient the resource is about (empty for resources about nobody, such as Medication).
    """

    type: str
    id: str
    version: str
    last_updated: str
    person: str
    body: bytes

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def reference(self) -> str:
        """`Type/id`, as other resources point to it."""
        return f"{self.type}/{self.id}"

    @property
    def source(self) -> str:
        """`Type/id/_history/version`, as findings name it."""
        return f"{self.type}/{self.id}/_history/{self.version}"


_decoder = msgspec.json.Decoder(Envelope)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@lru_cache(maxsize=4096)
def patient_id(reference: str) -> str:
    """The logical id in a reference to a Patient (relative, versioned or absolute), else an empty string."""
    found = _PATIENT.search(reference)
    return found.group(1) if found else ""


def patient_home(reference: str) -> str:
    """The address of the server in an absolute reference to a Patient; empty for any other reference."""
    found = _PATIENT.search(reference)
    return reference[: found.start()] if found else ""


def home_of_patient(body: bytes) -> str:
    """The address of the server on which a resource says its Patient is; empty where that is its own server."""
    return next((patient_home(one.reference) for one in _about(_decoder.decode(body)) if patient_id(one.reference)), "")


def read_record(body: bytes) -> Record:
    """File one resource by the few elements that identify it; `Unreadable` if that cannot be done."""
    try:
        envelope = _decoder.decode(body)
    except _UNREADABLE:
        raise Unreadable("not-a-json-object") from None
    if not _is_type(envelope.resourceType):
        raise Unreadable("no-resource-type")
    if not _ID.fullmatch(envelope.id):
        raise Unreadable("no-id" if not envelope.id else "bad-id")
    return _filed(envelope, body)


def read_records(bodies: Collection[bytes]) -> list[Record] | None:
    """All of them at once; None if one of them is `Unreadable`, which `read_record` has to find."""
    try:
        envelopes = list(map(_decoder.decode, bodies))
    except _UNREADABLE:
        return None
    if not all(map(_is_type, {one.resourceType for one in envelopes})):
        return None
    if not all(map(_ID.fullmatch, [one.id for one in envelopes])):
        return None
    return list(map(_filed, envelopes, bodies))


def _filed(envelope: Envelope, body: bytes) -> Record:
    meta = envelope.meta or _NO_META
    return Record(envelope.resourceType, envelope.id, meta.versionId, meta.lastUpdated, person_of(envelope), body)


@lru_cache(maxsize=256)
def _is_type(text: str) -> bool:
    return _TYPE.fullmatch(text) is not None


def person_of(envelope: Envelope) -> str:
    """The logical id of the Patient that a resource is about, empty for nobody's."""
    if envelope.resourceType == "Patient":
        return envelope.id
    if isinstance(envelope.subject, _Reference) and (found := patient_id(envelope.subject.reference)):
        return found
    return next((found for one in _about(envelope) if (found := patient_id(one.reference))), "")


def _about(envelope: Envelope) -> Iterator[_Reference]:
    named = (envelope.subject, envelope.patient, envelope.individual)
    return (one for one in named if isinstance(one, _Reference))
