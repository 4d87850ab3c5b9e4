"""The typed result of a finding as it is when a reviewer's verdict takes the place of the rule's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhir_adapter.cohort.finding import AnyFinding, Bulk, Failure, IpiScore, Lines, Range, Response, Toxicity
from fhir_adapter.cohort.response_system import NOT_EVALUABLE, PROGRESSION
from fhir_adapter.cohort.review import UNDETERMINED
from fhir_adapter.cohort.reviewable import TOXICITY
from fhir_adapter.cohort.study import Study

EXCLUDED_ON_REVIEW = "excluded_on_review"
NOT_THE_DISEASE = "not_the_disease_on_review"
OTHER_DAYS = "the reviewers' best response must have other days than the records"
_COUNTED = ("lines", "ipi")
_ANY_IPI = Range(lowest=0, highest=5)


def answer(finding: AnyFinding) -> str:
    """What a rule answered, in the words in which a reviewer would say it: counts are told as numbers."""
    if finding.rule not in _COUNTED:
        return finding.verdict
    counted: Range | None = getattr(finding.value, "count", None) or getattr(finding.value, "points", None)
    if counted is None:
        return UNDETERMINED
    return str(counted.lowest) if counted.settled is not None else f"{counted.lowest} to {counted.highest}"


def by_rule(finding: AnyFinding) -> str:
    """What the rule alone answered, whoever has decided otherwise since."""
    return finding.review.by_rule if finding.review else answer(finding)


def verdict_of(rule: str, said: str) -> str:
    """The verdict of a finding that answers so: a count that is known has been `met`."""
    return "met" if rule in _COUNTED and said != UNDETERMINED else said


def revised(finding: AnyFinding, said: str, study: Study) -> object:
    """The value under a reviewer's verdict; what the verdict does not say stays as the records have it."""
    rule = "toxicity" if finding.rule.startswith(TOXICITY) else finding.rule
    return _REVISE[rule](finding.value, said, study)


def _eligibility(old: object, said: str, study: Study) -> dict[str, str] | None:
    return None if said == "met" else {"step": "assessable", "reason": EXCLUDED_ON_REVIEW}


def _diagnosis(old: str | None, said: str, study: Study) -> str | None:
    return old if said == "met" else NOT_THE_DISEASE


def _failure(old: Failure | None, said: str, study: Study) -> Failure:
    known = old or Failure(status="undetermined", best_response="")
    return Failure.model_validate({**known.model_dump(), "status": said, "progression": known.progression})


def _response(old: Response | None, said: str, study: Study) -> Response:
    """The best response, with the days that still belong to it.

    A verdict has no day. If it says that there was a progression where the records show none, or the reverse, nobody
    knows when the disease progressed: the person leaves the endpoints that need the day.
    """
    known = old or Response(best=NOT_EVALUABLE)
    best = "" if said == UNDETERMINED else said
    system = study.responses
    turned = PROGRESSION in (best, known.best) or (best == NOT_EVALUABLE and known.progressed_on is not None)
    return known.model_copy(
        update={
            "best": best,
            "responded_on": known.responded_on if best in system.responded else None,
            "complete_on": known.complete_on if best in system.complete else None,
            "contradiction": known.contradiction or (OTHER_DAYS if best and turned else ""),
        }
    )


def _lines(old: Lines | None, said: str, study: Study) -> Lines | None:
    known = old or Lines(count=Range(lowest=0, highest=0), lines=())
    return None if said == UNDETERMINED else known.model_copy(update={"count": _exactly(said)})


def _ipi(old: IpiScore | None, said: str, study: Study) -> IpiScore | None:
    if said == UNDETERMINED:
        return None
    known = old or IpiScore(
        points=_exactly(said), computed=_ANY_IPI, age=None, ldh_ratio=None, ecog=None, stage=None, extranodal_sites=None
    )
    return known.model_copy(update={"points": _exactly(said)})


def _bulk(old: Bulk | None, said: str, study: Study) -> Bulk | None:
    """The diameter stays: the reviewer may know of a lesion that nobody recorded, but has not measured it here."""
    return None if said == UNDETERMINED else Bulk(longest_mm=old.longest_mm if old else None, bulky=said == "met")


def _toxicity(old: Toxicity, said: str, study: Study) -> Toxicity:
    """The grade, or whether a value without grades was elevated. The worst value stays beside it."""
    if old.elevated is not None or old.scale == "ULN":
        return old.model_copy(update={"elevated": {"met": True, "not met": False}.get(said)})
    grade = None if said == UNDETERMINED else int(said.removeprefix("grade "))
    return old.model_copy(update={"grade_min": grade, "grade_max": grade})


def _exactly(said: str) -> Range:
    return Range(lowest=int(said), highest=int(said))


_REVISE: dict[str, Callable[[Any, str, Study], Any]] = {
    "eligibility": _eligibility,
    "diagnosis": _diagnosis,
    "failure": _failure,
    "response": _response,
    "lines": _lines,
    "ipi": _ipi,
    "bulky": _bulk,
    "toxicity": _toxicity,
}
