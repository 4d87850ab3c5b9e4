"""What a treatment is called: the elements that name a drug, a product or a procedure, and nothing else of it.

A hospital gives the same few drugs a million times, so the names can be had as they are written, to be recognised
without being read again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from operator import attrgetter
from typing import cast

import msgspec

from fhir_adapter.fhir.r4 import CodeableConcept, Reference
from fhir_adapter.fhir.record import Envelope

_NOTHING = msgspec.Raw(b"")


class Treatment(msgspec.Struct, frozen=True, gc=False):
    """The names by which records of drugs and procedures call what was given or done."""

    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    code: CodeableConcept | None = None
    usedCode: tuple[CodeableConcept, ...] = ()
    usedReference: tuple[Reference, ...] = ()
    contained: tuple[msgspec.Raw, ...] = ()


class Told(Envelope, gc=False):
    """A resource of any type with these elements as they are written; they do not outlive the bytes it is read from.

    `link` is that of a Patient.
    """

    medicationCodeableConcept: msgspec.Raw = _NOTHING
    medicationReference: msgspec.Raw = _NOTHING
    code: msgspec.Raw = _NOTHING
    usedCode: msgspec.Raw = _NOTHING
    usedReference: msgspec.Raw = _NOTHING
    contained: msgspec.Raw = _NOTHING
    link: msgspec.Raw = _NOTHING

    def treatment(self) -> Treatment:
        """The names, read. Raises what msgspec does where they are not of their shape."""
        pairs = zip(Treatment.__struct_fields__, _names(self), strict=True)
        told = (b'"%b":%b' % (name.encode(), raw) for name, raw in pairs if raw)
        return _treatments.decode(b"{" + b",".join(told) + b"}")


Spelling = tuple[str, bytes]
"""A type, and the names as they are written."""

_type = cast("Callable[[Told], str]", attrgetter("resourceType"))
_names = cast("Callable[[Told], tuple[msgspec.Raw, ...]]", attrgetter(*Treatment.__struct_fields__))


def spellings(resources: Collection[Told]) -> list[Spelling]:
    """How each of them is spelled: what is spelled alike means the same."""
    names = map(b"\0".join, map(_names, resources))
    return list(zip(map(_type, resources), names, strict=True))


_treatments = msgspec.json.Decoder(Treatment)
_told = msgspec.json.Decoder(Told)
read_told = _told.decode
read_told_lines = _told.decode_lines
