"""Whether searches do what they say: pages, strictness, what changed, totals, POST, whose records come."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit

from fhir_adapter.ehr.plan import StreamPlan
from fhir_adapter.ehr.probe.finding import Finding, fail, ok, warn
from fhir_adapter.ehr.probe.question import ONE, Params, Reply, ask, follow
from fhir_adapter.ehr.probe.trial import Trial, counted, question_for
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import ForeignUrl

_UNKNOWN = "fhir-adapter-probe"
_NOBODY = "fhir-adapter-probe-nobody"
_LONG_AGO, _LONG_AHEAD = "ge1900-01-01T00:00:00Z", "gt2900-01-01T00:00:00Z"
_FEW = 50  # so many resources fit on a page of every server that is known
_REPORT = "Report this to the server's administrators."


def probe_searches(transport: Transport, trials: Sequence[Trial], page_size: int) -> list[Finding]:
    """Everything that can be seen by searching, about the type that has most, and about each where types differ.

    `page_size` is how many resources a fetch will ask for in one page.
    """
    answered = [trial for trial in trials if trial.answered and trial.stream.how != "export"]
    if not answered:
        return []
    fullest = max(answered, key=lambda trial: trial.total or 0)
    found = [
        _paging(transport, fullest, page_size),
        _strictness(transport, fullest),
        *_changes(transport, answered),
        _totals(transport, answered),
        _post(transport, fullest),
        *_people(transport, answered),
        *_includes(transport, answered),
    ]
    return found


def _paging(transport: Transport, trial: Trial, page_size: int) -> Finding:
    """Ask for one resource a page, and follow the next link."""
    name, type = "paging", trial.stream.type
    first = ask(transport, type, (*ONE, *trial.question))
    known = max(trial.total or 0, counted(transport, type, trial.question) or 0)
    if first.bundle is None or max(known, len(first.found)) < 2:
        return warn(name, "no type has two resources to page through", "It is not known whether all pages can be had.")
    if first.bundle.next is None:
        if len(first.found) >= known:
            return warn(name, "_count is ignored: everything comes in one page", "Big answers need more memory.")
        return _without_next(transport, trial, page_size, known)
    try:
        second = follow(transport, first)
    except ForeignUrl as foreign:
        return fail(name, foreign.message, "Only the first page can be had.", foreign.hint or _REPORT)
    if second.bundle is None:
        return fail(name, f"the next page: {second.refusal}", "Only the first page can be had.", _REPORT)
    if second.found and second.found == first.found:
        return fail(name, "the next page is the first one again", "What follows it cannot be had.", _REPORT)
    return ok(name, "next links lead on, on the same server")


def _without_next(transport: Transport, trial: Trial, page_size: int, known: int) -> Finding:
    """There is no way to the second page: does all that there is fit on the first one?"""
    name, type = "paging", trial.stream.type
    page_size = min(page_size, trial.stream.page_size or page_size)
    page = ask(transport, type, (("_count", str(page_size)), *trial.question))
    if len(page.found) >= known:
        means = f"Searches with more than {page_size} results (`page_size`) can never be had to their end."
        return warn(name, "there are no next links; so far everything fits on one page", means, _REPORT)
    return fail(
        name,
        f"{type} has {known} resources, {len(page.found)} come, and there is no link to the next page",
        "What does not fit on the first page can never be had.",
        f"{_REPORT} A larger `page_size` helps if the server gives such pages.",
    )


def _strictness(transport: Transport, trial: Trial) -> Finding:
    """What happens to a parameter that no server knows."""
    name = "strict searches"
    reply = ask(transport, trial.stream.type, (*ONE, *trial.question, (_UNKNOWN, "1")))
    if reply.bundle is None:
        return ok(name, "a parameter that is not known is refused")
    if trial.total and not reply.at_least:
        return warn(
            name,
            "a parameter that is not known makes the result empty",
            "A filter that the server does not know would look like no data: only filters that it lists are used.",
        )
    if _says_dropped(reply):
        return ok(name, "a parameter that is not known is left out, and the server says so")
    return warn(
        name,
        "a parameter that is not known is ignored without a word",
        "A filter may be ignored in silence; whose records come is checked here in every answer.",
    )


def _says_dropped(reply: Reply) -> bool:
    own = reply.bundle.own if reply.bundle else None
    return own is not None and _UNKNOWN not in dict(parse_qsl(urlsplit(own).query, keep_blank_values=True))


def _changes(transport: Transport, trials: Sequence[Trial]) -> list[Finding]:
    """Is `_lastUpdated` heeded? Of the far future there is nothing, since the distant past there is everything."""
    name = "what changed"
    verdicts: dict[str, list[str]] = {"heeded": [], "ignored": [], "empty": []}
    for trial in trials:
        if trial.stream.since_param and trial.total:
            verdicts[_heeds_since(transport, trial.stream, trial.question)].append(trial.stream.type)
    found = []
    if types := ", ".join(verdicts["heeded"]):
        found.append(ok(name, f"_lastUpdated is heeded: {types}"))
    if types := ", ".join(verdicts["ignored"]):
        means = "These types are fetched in full each time."
        found.append(warn(name, f"_lastUpdated is listed and not heeded: {types}", means))
    if types := ", ".join(verdicts["empty"]):
        found.append(
            fail(
                name,
                f"_lastUpdated finds nothing, whatever its date: {types}",
                "A fetch of what changed would see nothing of it.",
                "Name these types in the setting `in_full`: they are then fetched in full each time.",
            )
        )
    return found


def _heeds_since(transport: Transport, stream: StreamPlan, question: Params) -> str:
    future = ask(transport, stream.type, (*ONE, *question, (stream.since_param, _LONG_AHEAD)), post=stream.post)
    if future.at_least != 0:
        return "ignored"
    past = ask(transport, stream.type, (*ONE, *question, (stream.since_param, _LONG_AGO)), post=stream.post)
    return "heeded" if past.at_least else "empty"


def _totals(transport: Transport, trials: Sequence[Trial]) -> Finding:
    """Does the number that a server announces agree with what it gives?"""
    name = "totals"
    small = next((trial for trial in trials if trial.total and trial.total <= _FEW and trial.stream.trust_total), None)
    if small is None:
        if any(trial.total is None for trial in trials):
            return warn(name, "not every search is counted", "Whether all was received rests on the pages alone.")
        return ok(name, "searches are counted")
    reply = ask(transport, small.stream.type, (("_count", str(_FEW)), *small.question))
    if reply.bundle is None or reply.bundle.next is not None or len(reply.found) == small.total:
        return ok(name, "searches are counted")
    return fail(
        name,
        f"{small.stream.type}: {small.total} are announced and {len(reply.found)} come",
        "A total that is wrong cannot be told from a loss, so the stream would be incomplete.",
        "Ask the administrators. If totals are estimates there, set `trust_totals` to false.",
    )


def _post(transport: Transport, trial: Trial) -> Finding:
    """Does a search by POST find the same?"""
    name = "search by POST"
    asked = (*ONE, *trial.question)
    by_get, by_post = ask(transport, trial.stream.type, asked), ask(transport, trial.stream.type, asked, post=True)
    if by_post.bundle is not None and bool(by_post.found) == bool(by_get.found):
        return ok(name, "works")
    seen = by_post.refusal or "it finds something else than by GET"
    if trial.stream.post:
        means, todo = "Searches cannot be asked by POST as the settings want.", "Set `search_by_post` to false."
        return fail(name, seen, means, todo, 4)
    return warn(name, seen, "Ids of patients stand in addresses, which proxies may log.")


def _people(transport: Transport, trials: Sequence[Trial]) -> list[Finding]:
    """Asked about somebody who does not exist, does the server tell about others?"""
    name = "whose records come"
    by_person = [trial for trial in trials if trial.stream.how == "person" and trial.total]
    ignoring = []
    for trial in by_person:
        reply = ask(transport, trial.stream.type, (*ONE, *question_for(trial.stream, _NOBODY)), post=trial.stream.post)
        if reply.found:
            ignoring.append(trial.stream.type)
    if ignoring:
        return [
            fail(
                name,
                f"the patient asked for is ignored: {', '.join(ignoring)}",
                "Records of other patients would come; a run stops there.",
                _REPORT,
            )
        ]
    return [ok(name, "only those of the patient asked for")] if by_person else []


def _includes(transport: Transport, trials: Sequence[Trial]) -> list[Finding]:
    """Do medicines come along with what points to them, where the plan needs that?"""
    asking = [trial for trial in trials if any(name == "_include" for name, _ in trial.stream.params)]
    return [_include(transport, trial) for trial in asking]


def _include(transport: Transport, trial: Trial) -> Finding:
    name, type = "_include", trial.stream.type
    reply = ask(transport, type, (*ONE, *trial.question))
    if reply.bundle is not None and len(reply.bundle.entries) > len(reply.found):
        return ok(name, f"{type}: medicines come along")
    means = "Medicines that are only referenced may stay without a name."
    return warn(name, f"{type}: no medicine came along with one record", means)
