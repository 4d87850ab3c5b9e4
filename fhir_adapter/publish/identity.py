"""Names that stay the same from run to run: canonical URLs, identifier systems, resource ids."""

from __future__ import annotations

import hashlib
import re

from fhir_adapter.cohort.study import Study

CANON = "https://fhir-adapter.example.org/fhir"
STATISTIC = f"{CANON}/StructureDefinition/statistic"
STATISTIC_CODES = f"{CANON}/CodeSystem/statistic"
METHOD_CODES = f"{CANON}/CodeSystem/method"
EXCLUSION_CODES = f"{CANON}/CodeSystem/exclusion-reason"
STRATIFIER_CODES = f"{CANON}/CodeSystem/stratifier"
STRATUM_CODES = f"{CANON}/CodeSystem/stratum"
SOFTWARE = f"{CANON}/identifier/software"
STUDY = f"{CANON}/identifier/study"
SITE = f"{CANON}/identifier/site"
REPORT = f"{CANON}/identifier/measure-report"
EVIDENCE = f"{CANON}/identifier/evidence"
INPUT = f"{CANON}/identifier/input"

_LONGEST_ID = 64
_HASH = 12
_PERSON = 24
ROLLING = "rolling"


def report_key(study: Study, family: str) -> str:
    """The business identifier of one report: `<study>.<site>.<family>.<cut>`.

    A study without data cut has one report that is renewed, `rolling`; one with a cut has a report per cut.
    """
    cut = study.parameters.data_cut
    parts = (study.id, study.site or "site", family, cut.isoformat() if cut else ROLLING)
    return ".".join(searchable(part) for part in parts)


def person_key(report: str, subject_id: str) -> str:
    """The business identifier of a report about one person. It is shown in places where no id of a patient may be."""
    return f"{report}.{_digest(f'{report}|{subject_id}')[:_PERSON]}"


def searchable(text: str) -> str:
    """`text` without characters that a FHIR search has to escape; different texts stay different."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", text)
    return plain if plain == text else f"{plain.strip('-')}-{_digest(text)[:8]}".strip("-")


def resource_id(key: str) -> str:
    """A FHIR id made from `key`: starts with a letter, at most 64 characters, the same for the same key."""
    plain = re.sub(r"[^A-Za-z0-9.-]", "-", key)
    if not plain[:1].isalpha():
        plain = f"r-{plain}"
    if plain == key and len(plain) <= _LONGEST_ID:
        return plain
    return f"{plain[: _LONGEST_ID - _HASH - 1].rstrip('-.')}-{_digest(key)[:_HASH]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
