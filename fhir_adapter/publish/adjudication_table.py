"""What reviewers decided: each decision beside the verdict of the rule, and how often they agree."""

from __future__ import annotations

import json
from collections.abc import Iterable

from fhir_adapter.analysis.adjudication import Decided
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.fingerprint import fingerprint
from fhir_adapter.publish.csv_table import Row, write_table
from fhir_adapter.rules.revision import by_rule

ADJUDICATION = (
    *("subject_id", "rule", "verdict", "verdict_by_rule", "state", "records", "reviewer", "date", "reason"),
    *("evidence", "evidence_now", "line"),
)


def adjudication_table(decided: Iterable[Decided]) -> bytes:
    """One row per line of the file, in its order."""
    return write_table(ADJUDICATION, (_row(one) for one in decided))


def agreement_file(estimates: Iterable[Estimate]) -> bytes:
    """`analysis/agreement.json`: how often rules and reviewers agree, in the form of `estimates.json`."""
    told = [one.model_dump(mode="json") for one in estimates]
    return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()


def _row(one: Decided) -> Row:
    finding, ruling = one.finding, one.ruling
    return {
        "subject_id": one.subject_id,
        "rule": ruling.rule,
        "verdict": ruling.verdict,
        "verdict_by_rule": by_rule(finding) if finding else None,
        "state": one.state,
        "records": one.review.records if one.review and one.state == "applied" else None,
        "reviewer": ruling.reviewer,
        "date": ruling.on,
        "reason": ruling.reason,
        "evidence": ruling.evidence,
        "evidence_now": str(fingerprint(finding)) if finding else None,
        "line": ruling.line,
    }
