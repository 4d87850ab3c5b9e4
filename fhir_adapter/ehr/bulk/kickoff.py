"""Ordering an export: by GET, by POST where GET is not taken, and at last whatever the server is ready to export."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from fhir_adapter.ehr.bulk.order import NDJSON, ExportOrder
from fhir_adapter.ehr.bulk.waiting import Waiting
from fhir_adapter.ehr.failures import Busy, Exhausted
from fhir_adapter.ehr.transport import Answer, Transport
from fhir_adapter.errors import ServerRefused
from fhir_adapter.progress import Progress

_ASYNC = "respond-async"
_TOO_MANY_REQUESTS = 429
_ANOTHER_JOB_S = 300.0  # how long to leave a server alone that runs another export and does not say for how long
_ANOTHER_WAY_MAY_WORK = frozenset({400, 404, 405, 406, 414, 415, 422, 501})


class Started(msgspec.Struct, frozen=True):
    """An export that was taken: the address of its status, and the types that the server said it does not export."""

    url: str
    refused_types: tuple[str, ...] = ()


def start_job(transport: Transport, order: ExportOrder, waiting: Waiting, progress: Progress) -> Started:
    """Order the export.

    `ServerRefused` when the server takes the order in no spelling, or does not say where its status can be asked.
    """
    refused_types: tuple[str, ...] = ()
    while True:
        less = order.without(refused_types)
        try:
            answer = _order(transport, less, waiting, progress)
        except ServerRefused as refused:
            named = _named(refused, less)
            if not named or set(named) == set(less.types):
                raise _worded(order, refused) from None
            refused_types += named
        else:
            return Started(_status_url(transport, answer), refused_types)


def _order(transport: Transport, order: ExportOrder, waiting: Waiting, progress: Progress) -> Answer:
    """Try one way after the other, unless a refusal is final or says what is wrong."""
    refusals: list[ServerRefused] = []
    for ask in (_by_get, _by_post, _leniently, _without_types):
        try:
            return _accepted(partial(ask, transport, order), waiting, progress)
        except ServerRefused as refused:
            if refused.status not in _ANOTHER_WAY_MAY_WORK or _named(refused, order):
                raise
            refusals.append(refused)
    raise refusals[0]


def _named(refused: ServerRefused, order: ExportOrder) -> tuple[str, ...]:
    """The types of the order that the server says it does not export. All servers that export have patients."""
    return tuple(type for type in order.types if type in refused.types and type != "Patient")


def _by_get(transport: Transport, order: ExportOrder) -> Answer:
    return transport.get(order.path, params=order.query, headers={"Prefer": _ASYNC})


def _by_post(transport: Transport, order: ExportOrder) -> Answer:
    return transport.post(order.path, order.parameters, headers={"Prefer": _ASYNC})


def _leniently(transport: Transport, order: ExportOrder) -> Answer:
    """A server that refuses the whole order for one type it does not export may leave that type out.

    What it leaves out is then missing from its manifest, where it is noticed.
    """
    params = (*order.query, ("_outputFormat", NDJSON))
    return transport.get(order.path, params=params, headers={"Prefer": f"{_ASYNC}, handling=lenient"})


def _without_types(transport: Transport, order: ExportOrder) -> Answer:
    """A server that does not understand `_type` is asked for everything; what was not asked for stays there."""
    return transport.get(order.path, params=order.query_of_all_types, headers={"Prefer": _ASYNC})


def _accepted(ask: Callable[[], Answer], waiting: Waiting, progress: Progress) -> Answer:
    """Ask until the server has a place for the job: many run one export at a time."""
    while True:
        try:
            return ask()
        except Busy as busy:
            seconds = busy.seconds
        except Exhausted as exhausted:
            if exhausted.status != _TOO_MANY_REQUESTS:
                raise
            seconds = _ANOTHER_JOB_S
        progress.waiting("the server to take the export")
        waiting.wait(seconds, "The server still runs another export, and did not take ours,")


def _status_url(transport: Transport, answer: Answer) -> str:
    place = answer.headers.get("content-location", "")
    if not place:
        raise ServerRefused(
            f"The server took the export (HTTP {answer.status}) but did not say where to ask for its status: "
            "its answer has no Content-Location header.",
            "Ask the server's administrators; until then set `bulk` to `off`, and the data are searched for.",
            status=answer.status,
        )
    return transport.policy.resolve(place, answer.url)


def _worded(order: ExportOrder, refused: ServerRefused) -> ServerRefused:
    said = ", ".join([f"HTTP {refused.status}", *refused.issues])
    return ServerRefused(
        f"The server did not take the order for an export at {order.level} level ({said}).",
        "Try another level in `bulk`, or set it to `off`, and the data are searched for.",
        status=refused.status,
        issues=refused.issues,
        types=refused.types,
    )
