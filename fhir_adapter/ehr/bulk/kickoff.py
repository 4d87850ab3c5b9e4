"""Ordering an export: by GET, by POST where GET is not taken, at last leaving it to the server what it can do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

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


def start_job(transport: Transport, order: ExportOrder, waiting: Waiting, progress: Progress) -> str:
    """Order the export; the address at which the server tells its status.

    `ServerRefused` when the server takes the order in no spelling, or does not say where its status can be asked.
    """
    refusals: list[ServerRefused] = []
    for ask in (_by_get, _by_post, _leniently):
        try:
            answer = _accepted(partial(ask, transport, order), waiting, progress)
        except ServerRefused as refused:
            refusals.append(refused)
            if refused.status not in _ANOTHER_WAY_MAY_WORK:
                break
        else:
            return _status_url(transport, answer)
    raise _refused(order, refusals[0])


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


def _refused(order: ExportOrder, first: ServerRefused) -> ServerRefused:
    said = ", ".join([f"HTTP {first.status}", *first.issues])
    return ServerRefused(
        f"The server did not take the order for an export at {order.level} level ({said}).",
        "Try another level in `bulk`, or set it to `off`, and the data are searched for.",
        status=first.status,
        issues=first.issues,
    )
