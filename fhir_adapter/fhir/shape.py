"""A quick proof that a resource is in order, for the great majority that are.

The models of fhir.resources decide what is valid, but take tens of times longer than reading the JSON. From the same
models a narrower shape is built here for each resource type: whatever fits it, the models would accept without a
remark. Whatever does not fit is not refused, only left to them. A property test holds this one-sided promise.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fhir_adapter.fhir.models import model_of
from fhir_adapter.fhir.required_codes import COMPARATORS, codes_of, concepts_of

if TYPE_CHECKING:
    from pydantic import BaseModel

_DAY = r"(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31"
_YEAR = r"(?:1[89]|20)\d\d"
_MOMENT = r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d)"
_WORD = r"^[!-~]+$"
_BLANKS = (
    "\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
_BLANK_FIRST = re.compile(b'"(?:' + b"|".join(blank.encode() for blank in _BLANKS) + b")")

Field = tuple[str, object] | tuple[str, object, object]


def _text(pattern: str) -> object:
    return Annotated[str, Meta(pattern=pattern)]


_NOT_EMPTY = Annotated[str, Meta(min_length=1)]
# Each kind of value is a subset of what the models accept: no years before 1800, no code with a blank in it.
_PRIMITIVES: Mapping[str, object] = {
    "Code": _text(_WORD),
    "Id": _text(r"^[A-Za-z0-9\-.]{1,64}$"),
    "Uri": _NOT_EMPTY,
    "Canonical": _NOT_EMPTY,
    "String": _NOT_EMPTY,
    "Markdown": _NOT_EMPTY,
    "Date": _text(rf"^{_YEAR}(?:-(?:0[1-9]|1[0-2])|-(?:{_DAY}))?$"),
    "DateTime": _text(rf"^{_YEAR}(?:-(?:0[1-9]|1[0-2])|-(?:{_DAY})(?:{_MOMENT})?)?$"),
    "Instant": _text(rf"^{_YEAR}-(?:{_DAY}){_MOMENT}$"),
    "Xhtml": _NOT_EMPTY,
    "Decimal": Annotated[float, Meta(ge=-1e300, le=1e300)],
    "Integer": Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)],
    "UnsignedInt": Annotated[int, Meta(ge=0, le=2**31 - 1)],
    "PositiveInt": Annotated[int, Meta(ge=1, le=2**31 - 1)],
}
# Left to the models: what needs a look beyond its own element, or would make a shape without end.
_LEFT_OUT = frozenset({"fhir_comments", "implicitRules", "contained", "modifierExtension"})
# Elements that can hold themselves; the shape of any other does not depend on what is around it.
_RECURSIVE = ("Extension", "Identifier", "Reference")
_SIMPLE_VALUES = ("Coding", "CodeableConcept", "Quantity", "Period", "Reference", "Identifier")


def fits(type: str, body: bytes) -> bool:
    """Whether the R4B model of this resource type certainly accepts `body`. False says nothing."""
    decoder = _decoder(type)
    if decoder is None or _may_be_blank(body):
        return False
    try:
        decoder.decode(body)
    except (ValueError, RecursionError):
        return False
    return True


def _may_be_blank(body: bytes) -> bool:
    """Whether a text may consist of blanks only that the models do not take for text, escaped or beyond ASCII."""
    return b'"\\' in body or (not body.isascii() and _BLANK_FIRST.search(body) is not None)


@lru_cache(maxsize=512)
def _decoder(type: str) -> msgspec.json.Decoder[msgspec.Struct] | None:
    model = model_of(type)
    if model is None:
        return None
    fields = [("resourceType", Literal[type]), *_fields(model, (type,))]
    return msgspec.json.Decoder(_struct(model, fields))


def _shape(model: type[BaseModel], around: tuple[str, ...]) -> object:
    """The shape of one element; None inside itself, where it would have no end."""
    name = model.__name__
    if around.count(name) > (name == "Extension"):
        return None
    return _shape_inside(model, tuple(sorted(outer for outer in around if outer in _RECURSIVE)))


@cache
def _shape_inside(model: type[BaseModel], around: tuple[str, ...]) -> object:
    return _struct(model, _fields(model, (*around, model.__name__)))


def _fields(model: type[BaseModel], around: tuple[str, ...]) -> list[Field]:
    fields: list[Field] = []
    for name, field in model.model_fields.items():
        about: Mapping[str, Any] = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        if name in _LEFT_OUT or (around[-1] == "Extension" and not _is_simple(name)):
            continue
        kind = _codes(model.__name__, name, about) or _kind(field.annotation, around)
        if kind is None:
            continue
        if field.is_required() or about.get("element_required"):
            fields.append((name, kind))
        else:
            fields.append((name, Union[kind, UnsetType], UNSET))  # noqa: UP007  (built at run time)
    return fields


def _is_simple(name: str) -> bool:
    """Extensions hold values of every type; the common ones are enough."""
    value = name.removeprefix("value")
    return value == name or value in _SIMPLE_VALUES or value in _PRIMITIVES or value == "Boolean"


def _kind(annotation: object, around: tuple[str, ...]) -> object:
    """What may stand in an element: a kind of text or number, a shape, a list of one of them; None to leave it out."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _kind(next(one for one in arguments if one is not NoneType), around)
    if origin is list:
        inner = _kind(arguments[0], around)
        return None if inner is None else Annotated[list[inner], Meta(min_length=1)]  # type: ignore[valid-type]  # a type made here
    if origin is Annotated:
        return _PRIMITIVES.get(annotation.__metadata__[0].__class__.__name__)  # type: ignore[attr-defined]  # of what is Annotated
    if annotation is bool:
        return bool
    model = annotation.get_model_klass() if hasattr(annotation, "get_model_klass") else None
    if model is None or model.__name__ in ("FHIRPrimitiveExtension", "Resource", "Element"):
        return None
    return _shape(model, around)


def _codes(model: str, element: str, about: Mapping[str, Any]) -> object:
    """The codes an element may hold, where they are listed; what is beyond the list is for the gate to judge."""
    if (model, element) == ("Quantity", "comparator"):
        return Literal[tuple(COMPARATORS)]
    if (concept := concepts_of(model, element)) is not None:
        return _concept(*concept)
    codes = codes_of(model, element, about.get("enum_values", ()))
    return Literal[tuple(codes)] if codes else None


def _concept(system: str, codes: Collection[str]) -> object:
    """A CodeableConcept with codes of one system only."""
    fields: list[Field] = [("system", Literal[system]), ("code", Literal[tuple(codes)]), ("display", str, "")]
    coding: Any = msgspec.defstruct("Coding", fields, forbid_unknown_fields=True, kw_only=True)
    codings = Annotated[list[coding], Meta(min_length=1)]
    return msgspec.defstruct("CodeableConcept", [("coding", codings)], forbid_unknown_fields=True)


def _struct(model: type[BaseModel], fields: Sequence[Field]) -> type[msgspec.Struct]:
    """At most one of each choice, and one where the model requires it."""
    choices = _choices(model, [name for name, *_ in fields])

    def check_choices(self: msgspec.Struct) -> None:
        for names, required in choices:
            given = sum(getattr(self, name) is not UNSET for name in names)
            if given > 1 or given < required:
                raise ValueError("choice")

    return msgspec.defstruct(
        model.__name__,
        fields,
        namespace={"__post_init__": check_choices} if choices else {},
        rename={name: field.alias for name, field in model.model_fields.items() if field.alias},
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )


def _choices(model: type[BaseModel], names: Collection[str]) -> list[tuple[tuple[str, ...], bool]]:
    groups: dict[str, list[str]] = {}
    required: dict[str, bool] = {}
    for name, field in model.model_fields.items():
        about = field.json_schema_extra
        if isinstance(about, dict) and "one_of_many" in about:
            prefix = str(about["one_of_many"])
            required[prefix] = bool(about.get("one_of_many_required"))
            groups.setdefault(prefix, []).extend([name] if name in names else [])
    return [(tuple(group), required[prefix]) for prefix, group in groups.items()]
