"""A search as it was asked: criteria, order, page size, and what was not understood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fhir_adapter.sandbox.matching import Criterion, read_criterion_of
from fhir_adapter.sandbox.outcome import Refused
from fhir_adapter.sandbox.parameters import Parameter, parameters_of

Pairs = Sequence[tuple[str, str]]

_TOTALS = ("none", "estimate", "accurate")
_FORMATS = ("json", "application/json", "application/fhir+json")


@dataclass(slots=True)
class Query:
    """What to find, in which order, how many on a page; `elements` are all that is wanted (empty: everything). `asked`
    are the pairs that were honoured.
    """

    type: str
    criteria: tuple[Criterion, ...] = ()
    order: tuple[tuple[Parameter, bool], ...] = ()
    includes: tuple[Parameter, ...] = ()
    elements: frozenset[str] = frozenset()
    page_size: int | None = None
    total: bool = True
    count_only: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def read_query(type: str, pairs: Pairs, base: str) -> Query:
    """Read the parameters of a search; what is not offered for this type goes to `ignored`."""
    query = Query(type)
    for name, text in pairs:
        if text and not _read_control(query, name, text) and not _read_criterion(query, name, text, base):
            query.ignored.append(name)
        elif text:
            query.asked.append((name, text))
    return query


def _read_control(query: Query, name: str, text: str) -> bool:
    """One parameter about the result itself; False if this is not one, or one not offered."""
    match name:
        case "_count":
            query.page_size = _read_count(text)
        case "_sort":
            return _read_order(query, text)
        case "_include" | "_include:iterate":
            return name == "_include" and _read_include(query, text)
        case "_elements":
            query.elements = frozenset(text.split(","))
        case "_total" if text in _TOTALS:
            query.total = text != "none"
        case "_summary" if text in ("count", "false"):
            query.count_only = text == "count"
        case "_format":
            if text not in _FORMATS:
                raise Refused(406, "not-supported", "this server writes JSON only")
        case _:
            return False
    return True


def _read_count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Refused(400, "value", "_count takes a whole number")
    return int(text)


def _read_order(query: Query, text: str) -> bool:
    offered = parameters_of(query.type)
    names = text.split(",")
    if not all(name.removeprefix("-") in offered for name in names):
        return False
    query.order = tuple((offered[name.removeprefix("-")], name.startswith("-")) for name in names)
    return True


def _read_include(query: Query, text: str) -> bool:
    type, _, name = text.partition(":")
    parameter = parameters_of(query.type).get(name.partition(":")[0])
    if type != query.type or parameter is None or parameter.kind != "reference":
        return False
    query.includes += (parameter,)
    return True


def _read_criterion(query: Query, name: str, text: str, base: str) -> bool:
    plain, _, modifier = name.partition(":")
    parameter = parameters_of(query.type).get(plain)
    if parameter is None:
        return False
    query.criteria += (read_criterion_of(parameter, modifier, text, base),)
    return True
