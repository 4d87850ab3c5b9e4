"""Where the published documents come from: which software, which study, which input."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from fhir_adapter.cohort.study import Study
from fhir_adapter.errors import UsageError
from fhir_adapter.fhir.canonical import canonical_json
from fhir_adapter.publish import identity
from fhir_adapter.publish.codes import DATA_OPERATION, PARTICIPANT
from fhir_adapter.publish.documents import Resource, document

_UNSAID = frozenset({"meta", "text"})
_HEX = 32


def build(
    targets: Sequence[Mapping[str, Any]],
    *,
    software: str,
    study: Study,
    inputs: Mapping[str, str],
    recorded: str,
) -> Resource:
    """One Provenance for all `targets` (resources with type and id).

    `software` is name and version, `inputs` name → SHA-256, `recorded` the instant of delivery. The id
    depends on all of these but the instant: the same work told twice is the same Provenance.
    """
    if not targets:
        raise UsageError("a Provenance needs at least one target")
    return document(
        {
            "resourceType": "Provenance",
            "id": f"prov-{_digest(targets, software, study, inputs)[:_HEX]}",
            "target": [{"reference": f"{target['resourceType']}/{target['id']}"} for target in targets],
            "recorded": recorded,
            "activity": {"coding": [{"system": DATA_OPERATION, "code": "CREATE"}]},
            "agent": [_assembler(software)],
            "entity": [_study(study), *(_input(name, inputs[name]) for name in sorted(inputs))],
        },
        "the Provenance",
    ).resource


def _assembler(software: str) -> Resource:
    return {
        "type": {"coding": [{"system": PARTICIPANT, "code": "assembler"}]},
        "who": {"identifier": {"system": identity.SOFTWARE, "value": software}},
    }


def _study(study: Study) -> Resource:
    value = f"{study.id}/{study.version} sha256:{study.fingerprint}"
    return {
        "role": "source",
        "what": {"identifier": {"system": identity.STUDY, "value": value}, "display": study.title},
    }


def _input(name: str, sha256: str) -> Resource:
    return {
        "role": "source",
        "what": {"identifier": {"system": f"{identity.INPUT}/{name}", "value": f"sha256:{sha256}"}},
    }


def _digest(targets: Sequence[Mapping[str, Any]], software: str, study: Study, inputs: Mapping[str, str]) -> str:
    said = [{name: part for name, part in target.items() if name not in _UNSAID} for target in targets]
    content = {"targets": said, "software": software, "study": study.fingerprint, "inputs": dict(inputs)}
    return hashlib.sha256(canonical_json(content)).hexdigest()
