"""One record of each type, asked for as it will be fetched: does that work, and how many are there?"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fhir_adapter.ehr.bundle import file_resource, read_entry
from fhir_adapter.ehr.plan import StreamPlan
from fhir_adapter.ehr.probe.question import COUNT, ONE, Params, Reply, ask
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.fhir.quarantine import Quarantined
from fhir_adapter.fhir.record import Unreadable

_NARROWER_MAY_WORK = frozenset({400, 403, 422})
_FORBIDDEN = frozenset({401, 403})
_UNKNOWN_TYPE = 404


class Trial(msgspec.Struct, frozen=True):
    """How one stream did. `stream` is the plan as it turned out: by patient, if a search over the type is refused.

    `question` is what was asked, about everybody or about one patient; `total` how many resources it has (None: the
    server does not count), `size` the bytes of one answer with one resource. `refusal` is a phrase.
    """

    stream: StreamPlan
    question: tuple[tuple[str, str], ...] = ()
    total: int | None = None
    size: int = 0
    refusal: str = ""
    status: int = 200

    @property
    def answered(self) -> bool:
        return self.stream.how != "unsupported" and self.stream.searchable and not self.refusal

    @property
    def is_forbidden(self) -> bool:
        return self.status in _FORBIDDEN


def try_streams(transport: Transport, streams: Sequence[StreamPlan], people: Sequence[str]) -> list[Trial]:
    """Ask for one record of every stream. Without `people` the first Patient that comes stands for the others."""
    somebody = people[0] if people else ""
    trials: dict[str, Trial] = {}
    for stream in sorted(streams, key=lambda stream: stream.type != "Patient"):
        trials[stream.type], reply = _try(transport, stream, somebody)
        if stream.type == "Patient" and not somebody:
            somebody = _patient(reply)
    return [trials[stream.type] for stream in streams]


def first_patient(transport: Transport) -> str:
    """The id of any Patient on the server; empty if none can be had."""
    return _patient(ask(transport, "Patient", ONE))


def question_for(stream: StreamPlan, person: str = "") -> tuple[tuple[str, str], ...]:
    """The parameters of one search of a stream, about everybody or about one patient."""
    params = list(stream.params)
    if person and stream.person_param:
        params.append((stream.person_param, person if stream.person_param == "_id" else f"Patient/{person}"))
    return (*params, *((stream.code_param, value) for value in stream.codes[:1]))


def _try(transport: Transport, stream: StreamPlan, somebody: str) -> tuple[Trial, Reply]:
    if stream.how == "unsupported" or not stream.searchable:
        return Trial(stream), Reply()
    if stream.how != "person":
        trial, reply = _ask_for(transport, stream, question_for(stream))
        if trial.answered or trial.status not in _NARROWER_MAY_WORK or not (stream.person_param and somebody):
            return trial, reply
        stream = _by_person(stream)
    if not somebody:
        return Trial(stream, refusal="no patient is known to ask for", status=400), Reply()
    return _ask_for(transport, stream, question_for(stream, somebody))


def _by_person(stream: StreamPlan) -> StreamPlan:
    reason = f"{stream.reason} A search over all patients is refused, so it is searched for each patient."
    return msgspec.structs.replace(stream, how="person", reason=reason)


def _ask_for(transport: Transport, stream: StreamPlan, question: Params) -> tuple[Trial, Reply]:
    question = tuple(question)
    reply = ask(transport, stream.type, (*ONE, *question), post=stream.post)
    if reply.status == _UNKNOWN_TYPE and stream.type != "Patient":
        return Trial(stream.unserved()), reply
    if reply.bundle is None:
        return Trial(stream, question, refusal=reply.refusal, status=reply.status), reply
    total = reply.total if stream.trust_total else None
    if total is None:
        total = counted(transport, stream.type, question)
    return Trial(stream, question, total, reply.size), reply


def counted(transport: Transport, type: str, question: Params) -> int | None:
    """How many resources a search has, by `_summary=count`; None when the server does not count."""
    reply = ask(transport, type, (*COUNT, *question))
    return None if reply.found else reply.total


def _patient(reply: Reply) -> str:
    """The id of the first Patient of an answer; empty if there is none."""
    for raw in reply.found:
        try:
            filed = file_resource("Patient", read_entry(raw).resource, "")
        except Unreadable:
            continue
        if not isinstance(filed, Quarantined):
            return filed.id
    return ""
