"""`findings.ndjson`: one line per rule and person."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from pydantic import BaseModel

from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.cohort.fingerprint import fingerprint
from fhir_adapter.fhir.dates import PartialDate

_written = json.JSONEncoder(ensure_ascii=False).encode


def finding_lines(subject_id: str, findings: Iterable[AnyFinding]) -> bytes:
    """The lines about one person."""
    lines = ({"subject_id": subject_id, **tell(one)} for one in findings)
    return "".join(_written(line) + "\n" for line in lines).encode()


def tell(finding: AnyFinding) -> dict[str, object]:
    """A finding as JSON; dates as exact as known."""
    return {
        "rule": finding.rule,
        "verdict": finding.verdict,
        "value": _plain(finding.value),
        "sentence": finding.sentence,
        "steps": [dict(vars(step)) for step in finding.steps],
        "sources": list(finding.sources),
        "parameters": dict(finding.parameters),
        "evidence": str(fingerprint(finding)),
        "review": finding.review.model_dump(mode="json") if finding.review else None,
    }


def _plain(value: object) -> object:
    match value:
        case None | str() | int():  # most there is
            return value
        case PartialDate():
            return value.iso
        case BaseModel():
            return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case tuple() | list():
            return [_plain(inner) for inner in value]
        case _:
            return value
