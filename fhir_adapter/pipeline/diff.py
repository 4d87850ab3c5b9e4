"""What moved between two results, and why: people, verdicts, estimates, and what the two runs differ in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from fhir_adapter.pipeline.result_read import About, Result, Told

_SAME = 1e-9  # relative; another build of a numerical library may differ in the last digits, and nothing has moved
_NOT_COMPARED = {"label", "parameters"}  # of an estimate: a name, and what is told once for the whole run
_NO_FINDING: Told = {"verdict": "", "value": None, "sentence": "", "sources": (), "steps": (), "parameters": {}}


class Change(Struct, frozen=True):
    """Something the runs themselves differ in: records, a parameter, the study, the software, a file of the site."""

    what: str
    before: object
    after: object


class Person(Struct, frozen=True):
    """Somebody who entered or left the cohort; the sentences say why in and why out, empty where nothing was known."""

    subject_id: str
    before: str
    after: str


class Moved(Struct, frozen=True):
    """A record that a verdict rests on; the version is None on the side where it does not rest on it."""

    record: str
    before: str | None
    after: str | None


class VerdictChange(Struct, frozen=True):
    """Another answer of one rule about one person; a verdict is empty where the rule has given none.

    `records` and `parameters` are those that this verdict rests on and that differ; `reviewed` says whether what
    reviewers decided about it differs.
    """

    subject_id: str
    rule: str
    before: str
    after: str
    sentence_before: str
    sentence_after: str
    value_before: object
    value_after: object
    records: tuple[Moved, ...]
    parameters: tuple[Change, ...]
    reviewed: bool


class EstimateChange(Struct, frozen=True):
    """A statistic of which the keys in `moved` differ; None on the side where the study does not ask for it."""

    id: str
    population: str
    moved: tuple[str, ...]
    before: Told | None
    after: Told | None


class Difference(Struct, frozen=True):
    """Everything that moved from one result to the other, each with its name and the instant at which its run began.

    `estimates` is None when one of them has none.
    """

    before: str
    before_at: str
    after: str
    after_at: str
    runs: tuple[Change, ...]
    people_before: int
    people_after: int
    entered: tuple[Person, ...]
    left: tuple[Person, ...]
    verdicts: tuple[VerdictChange, ...]
    estimates: tuple[EstimateChange, ...] | None


def compare(before: Result, after: Result) -> Difference:
    """From `before` to `after`. People are in order of their id, rules and estimates in the order of the results."""
    return Difference(
        before=before.name,
        before_at=before.about.started_at,
        after=after.name,
        after_at=after.about.started_at,
        runs=(*_runs(before.about, after.about), *_files(before.inputs, after.inputs)),
        people_before=len(before.people),
        people_after=len(after.people),
        entered=tuple(_crossed(before, after, sorted(set(after.people) - set(before.people)))),
        left=tuple(_crossed(before, after, sorted(set(before.people) - set(after.people)))),
        verdicts=tuple(_verdicts(before, after)),
        estimates=_estimates(before.estimates, after.estimates),
    )


def _runs(before: About, after: About) -> Iterator[Change]:
    """What the two runs differ in. What only one of them tells is not compared."""
    old, new = _inputs(before), _inputs(after)
    changes = [Change(what, old[what], new[what]) for what in old if what in new and old[what] != new[what]]
    yield from changes
    # The fingerprint is over the parameters too: it tells of the files only where nothing else of the study differs.
    fingerprints = before.study.fingerprint, after.study.fingerprint
    if fingerprints[0] != fingerprints[1] and not any(one.what.startswith(("study", "parameter")) for one in changes):
        yield Change("study files", *fingerprints)


def _inputs(about: About) -> dict[str, object]:
    """Everything that results depend on, by a name for people."""
    return {
        "records": about.content_sha256,
        "source": about.source,
        "study": f"{about.study.id} {about.study.version}",
        **{f"parameter {name}": value for name, value in about.parameters.items()},
        "software": about.software,
    }


def _files(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    """The files of the site whose content differs; None where there was no such file."""
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield Change(f"site's file {name}", before.get(name), after.get(name))


def _crossed(before: Result, after: Result, people: Iterable[str]) -> Iterator[Person]:
    for one in people:
        yield Person(one, _why(before, after, one), _why(after, before, one))


def _why(here: Result, there: Result, subject_id: str) -> str:
    """Why somebody was in the cohort of this result, or not; empty when nothing was known of them."""
    known = here.rules(subject_id).get("eligibility")
    if known:
        return str(known["sentence"])
    ids = set(there.people.get(subject_id, (subject_id,)))
    merged = sorted(one for one, own in here.people.items() if ids & set(own))
    return f"One person with {', '.join(merged)}." if merged else ""


def _verdicts(before: Result, after: Result) -> Iterator[VerdictChange]:
    """Of everybody known to both. Whoever is in one cohort only has other findings there, which entering or leaving
    explains; whoever is in both has got or lost an answer when it stands on one side, such as a duration of response.
    """
    known = set(before.findings) & set(after.findings)
    for subject_id in sorted(one for one in known if before.findings[one] != after.findings[one]):
        old, new = before.rules(subject_id), after.rules(subject_id)
        in_both = subject_id in before.people and subject_id in after.people
        rules = {**old, **new} if in_both else [rule for rule in old if rule in new and rule != "eligibility"]
        for rule in rules:
            one, other = old.get(rule, _NO_FINDING), new.get(rule, _NO_FINDING)
            if _answer(one) != _answer(other):
                yield _verdict(subject_id, rule, one, other)


def _answer(finding: Told) -> object:
    return finding["verdict"], _without_sources(finding["value"])


def _without_sources(value: object) -> object:
    """A value without the names of the records in it: those may change and say the same."""
    if isinstance(value, Mapping):
        return {key: _without_sources(inner) for key, inner in value.items() if "source" not in key}
    if isinstance(value, list):
        return [_without_sources(inner) for inner in value]
    return value


def _verdict(subject_id: str, rule: str, old: Told, new: Told) -> VerdictChange:
    return VerdictChange(
        subject_id=subject_id,
        rule=rule,
        before=old["verdict"],
        after=new["verdict"],
        sentence_before=old["sentence"],
        sentence_after=new["sentence"],
        value_before=old["value"],
        value_after=new["value"],
        records=tuple(_records(_versions(old), _versions(new))),
        parameters=tuple(_parameters(old["parameters"], new["parameters"])),
        reviewed=old.get("review") != new.get("review"),
    )


def _versions(finding: Told) -> dict[str, str]:
    """The version of each record that a finding rests on."""
    sources = [*finding["sources"], *(step["source"] for step in finding["steps"])]
    named = (source.partition("/_history/") for source in sources if source)
    return {record: version for record, _, version in named}


def _records(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Moved]:
    for record in sorted({*old, *new}):
        if old.get(record) != new.get(record):
            yield Moved(record, old.get(record), new.get(record))


def _parameters(old: Told, new: Told) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield Change(name, old.get(name), new.get(name))


_Estimates = Mapping[tuple[str, str], Told]


def _estimates(old: _Estimates | None, new: _Estimates | None) -> tuple[EstimateChange, ...] | None:
    if old is None or new is None:
        return None
    keys = [*new, *(key for key in old if key not in new)]
    changes = (EstimateChange(*key, _moved(old.get(key), new.get(key)), old.get(key), new.get(key)) for key in keys)
    return tuple(one for one in changes if one.moved or one.before is None or one.after is None)


def _moved(old: Told | None, new: Told | None) -> tuple[str, ...]:
    """The keys that differ, of those that both sides have: software that tells more has not moved anything."""
    if old is None or new is None:
        return ()
    return tuple(name for name in old if name in new and name not in _NOT_COMPARED and not _same(old[name], new[name]))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_SAME)
    return bool(one == other)
