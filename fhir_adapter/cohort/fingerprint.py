"""What a finding rests on, as a few letters: whoever decides otherwise writes them down, and a change shows.

`3f9a1c77b2e0-5d41c0aa`: first the records with their versions, then the definitions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from fhir_adapter.cohort.finding import AnyFinding
from fhir_adapter.cohort.parameters import Parameters

_written = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode
_HEX = (12, 8)  # enough to tell one state of one person's records from the next
# A later cut asks the same question of more records, and these are in the fingerprint themselves.
_NO_DEFINITION = frozenset({"data_cut"})


class Fingerprint(NamedTuple):
    """`records` are the resources and versions a finding rests on, `definitions` the parameters that it asks with."""

    records: str
    definitions: str

    def __str__(self) -> str:
        return "-".join(self)


def fingerprint(finding: AnyFinding) -> Fingerprint:
    """The same for the same rule, records and definitions; who reviewed the finding changes nothing.

    A parameter at its default adds nothing, so that a version of the software that knows one more parameter asks no
    other question.
    """
    sources = {*finding.sources, *(step.source for step in finding.steps if step.source)}
    records, definitions = _HEX
    return Fingerprint(
        _short([finding.rule, sorted(sources)], records),
        _of_definitions(finding.rule, json.dumps(dict(finding.parameters)), definitions),
    )


@lru_cache(maxsize=1024)
def _of_definitions(rule: str, parameters: str, length: int) -> str:
    """A rule asks everybody with the same parameters, which are JSON here."""
    asked = {
        name: value
        for name, value in json.loads(parameters).items()
        if name not in _NO_DEFINITION and json.dumps(value) != _DEFAULTS.get(name)
    }
    return _short([rule, asked], length)


def written_fingerprint(text: str) -> Fingerprint | None:
    """A fingerprint as somebody wrote it down; None if it is none."""
    found = Fingerprint(*parts) if len(parts := text.strip().casefold().split("-")) == len(_HEX) else None
    sound = found and all(len(part) == length for part, length in zip(found, _HEX, strict=True))
    return found if sound and all(letter in "0123456789abcdef-" for letter in str(found)) else None


def same_question(evidence: str, finding: AnyFinding) -> bool:
    """Whether somebody who wrote this down answered the question that the finding answers; nobody knows without it."""
    then = written_fingerprint(evidence)
    return then is None or then.definitions == fingerprint(finding).definitions


def _short(content: object, length: int) -> str:
    return hashlib.sha256(_written(content).encode()).hexdigest()[:length]


def _defaults() -> Mapping[str, str]:
    """The defaults of all parameters, as JSON."""
    defaults = Parameters.model_validate({"data_cut": None}).named(*Parameters.model_fields)
    return {name: json.dumps(value) for name, value in defaults.items()}


_DEFAULTS = _defaults()
