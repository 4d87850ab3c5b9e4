"""What a planned fetch looks like: for people, and as data. Counts, types and sentences; never who is asked for."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fhir_adapter.cli.screen import plain

if TYPE_CHECKING:
    from fhir_adapter.ehr.probe.finding import Finding
    from fhir_adapter.ehr.vendors import Vendor
    from fhir_adapter.pipeline.checking import Checked, Expected

_WIDTH = 118


def print_checked(checked: Checked, *, as_json: bool = False) -> None:
    if as_json:
        print(json.dumps(_as_data(checked), ensure_ascii=False, indent=1))
        return
    for told in (*_server(checked), "", *_streams(checked), *_findings(checked.findings)):
        for line in told.split("\n"):
            print(plain(line))


def _server(checked: Checked) -> Iterator[str]:
    plan = checked.plan
    yield f"{checked.server}: FHIR {plan.capability.fhir_version}, {plan.capability.software}"
    yield from _vendor(plan.vendor)
    yield from (_wrapped(note) for note in plan.notes)


def _vendor(vendor: Vendor) -> Iterator[str]:
    if vendor.key == "none":
        return
    yield f"Taken for {vendor.name} (`vendor`). What is known about it:"
    for fact in vendor.facts:
        about = f"{', '.join(fact.types)}: " if fact.types else ""
        doubt = "" if fact.verified else "not verified, so only a hint: "
        yield _wrapped(f"{fact.seen}  {about}{doubt}{fact.says} [{fact.source}]", "  ", "              ")


def _streams(checked: Checked) -> Iterator[str]:
    for one in checked.expected:
        state = "FAIL" if one.problem else "WARN" if one.stream.how == "unsupported" else "ok"
        told = f"{_counts(one)}{one.stream.reason}{f' But {one.problem}.' if one.problem else ''}"
        yield _wrapped(f"{state:4}  {one.stream.type:26}{told}", "", " " * 32)
    requests = [one.requests for one in checked.expected if one.stream.how != "export"]
    if None not in requests:
        least = "at least " if any(one.at_least for one in checked.expected) else ""
        yield f"A fetch of everything takes {least}{_number(sum(one or 0 for one in requests), 'request')}."


def _counts(one: Expected) -> str:
    known = [_number(one.resources, "resource")] if one.resources is not None else []
    known += [f"{'at least ' if one.at_least else ''}{_number(one.requests, 'request')}"] if one.requests else []
    return f"{', '.join(known)}. " if known else ""


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _findings(findings: tuple[Finding, ...]) -> Iterator[str]:
    if findings:
        yield ""
    for one in findings:
        told = " ".join(filter(None, (_sentence(one.seen), one.means, one.todo)))
        yield _wrapped(f"{one.verdict:4}  {one.subject:26}{told}", "", " " * 32)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _wrapped(text: str, first: str = "", following: str = "  ") -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=first, subsequent_indent=following, break_on_hyphens=False)


def _as_data(checked: Checked) -> dict[str, Any]:
    plan = checked.plan
    return {
        "server": checked.server,
        "fhir_version": plan.capability.fhir_version,
        "software": plan.capability.software,
        "vendor": {
            "key": plan.vendor.key,
            "facts": [fact.model_dump(mode="json", exclude_defaults=True) for fact in plan.vendor.facts],
        },
        "population": {
            "kind": plan.population.kind,
            "people": None if plan.population.everybody or plan.population.hidden else len(plan.population.people),
            "left": plan.population.left,
            "others": plan.population.others,
        },
        "export_level": plan.export_level,
        "notes": list(plan.notes),
        "streams": [_stream_as_data(one) for one in checked.expected],
        "findings": [
            {"subject": one.subject, "verdict": one.verdict, "seen": one.seen, "means": one.means, "todo": one.todo}
            for one in checked.findings
        ],
        "exit_code": checked.exit_code,
    }


def _stream_as_data(one: Expected) -> dict[str, Any]:
    stream = one.stream
    return {
        "type": stream.type,
        "how": stream.how,
        "reason": stream.reason,
        "incremental": bool(stream.since_param) or stream.how == "export",
        "deletions_told": stream.tells_deletions,
        "by_post": stream.post,
        "portions": len(stream.codes),
        "resources": one.resources,
        "requests": one.requests,
        "at_least": one.at_least,
        "problem": one.problem,
    }
