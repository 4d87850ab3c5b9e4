"""What the words of the report mean under the parameters in force, and all parameters by name."""

from __future__ import annotations

from datetime import date

from fhir_adapter.analysis.baseline import antigens
from fhir_adapter.analysis.rounding import plain
from fhir_adapter.cohort.parameters import Parameters
from fhir_adapter.cohort.response_system import UNSPECIFIED
from fhir_adapter.cohort.study import Study

_FAILURE = {
    "best_response": "refractory: stable disease or progression was the best response to the bispecific antibody; "
    "relapsed: it was {better}, and progression came later",
    "best_response_or_pd_within": "refractory: stable disease or progression was the best response to the bispecific "
    "antibody, or progression came within {days} days of its {anchor}; relapsed: it was {better}, and progression came "
    "later",
    "pd_within": "refractory: progression within {days} days of the {anchor} of the bispecific antibody; "
    "relapsed: later progression",
}
_WASHOUT = {"index_apheresis": "the index apheresis", "infusion": "the infusion"}
_CENSORED = {"last_assessment": "the last adequate disease assessment", "last_contact": "the last contact"}
_NEW_THERAPY = {
    "ignore": "A new treatment does not end the time",
    "censor_before": "A new treatment ends the time without event",
    "event": "A new treatment counts as event",
}
_INTERVALS = {"clopper_pearson": "Clopper-Pearson (exact)", "wilson": "Wilson"}
_CURVES = {"loglog": "log-log", "log": "log", "plain": "plain"}


def definitions(study: Study) -> tuple[tuple[str, str], ...]:
    """(word, meaning) in the order in which a reader meets them."""
    settings = study.parameters
    return (
        ("Cohort", _cohort(study)),
        ("Failure of the antibody", _failure(study)),
        ("Washout", f"Whole days from the last dose of the antibody to {_WASHOUT[settings.washout_to]}."),
        ("Response", f"Best response after the infusion, of people {_whom(settings)}."),
        ("Overall survival", f"From {settings.time_origin} to death from any cause, else to the last day known alive."),
        ("Progression-free survival", _progression(settings)),
        ("Month", f"{settings.month_days} days."),
        ("Intervals", _intervals(settings)),
        ("CRS and ICANS", f"Worst grade, {_window(settings)}. {scales(study)}."),
        (
            "Laboratory toxicity",
            f"Worst grade by CTCAE {settings.ctcae_version}, {_window(settings)}, by the limits "
            "of the laboratory itself.",
        ),
        (
            "Not known",
            "The records do not say, or leave it open. These people are never counted as events.",
        ),
        ("Not reached", "The curve has not fallen to one half; longer follow-up may show the median."),
    )


def scales(study: Study) -> str:
    """By which scales CRS and ICANS were graded."""
    crs, icans = (study.display(scale) for scale in (study.parameters.crs_scale, study.parameters.icans_scale))
    return f"CRS and ICANS by {crs}" if crs == icans else f"CRS by {crs}, ICANS by {icans}"


def in_force(parameters: Parameters) -> tuple[tuple[str, str], ...]:
    """(name, value) of every parameter, as in `study.toml`."""
    return tuple((name, written(getattr(parameters, name))) for name in type(parameters).model_fields)


def _cohort(study: Study) -> str:
    diseases = " or ".join(sorted(_within(study.display(code)) for code in study.roles.disease))
    targets = " or ".join(sorted({antigens(study.targets(code)) for code in study.roles.bsab}))
    return (
        f"People with {diseases or 'the disease of the study'}, given a bispecific antibody ({targets}) that failed, "
        f"and CAR-T after it; infused at least {study.parameters.assessable_after_days} days before the data cut."
    )


def _within(name: str) -> str:
    """A name inside a sentence: the first letter small, unless the word begins with an abbreviation."""
    return name if name[1:2].isupper() else f"{name[:1].lower()}{name[1:]}"


def _failure(study: Study) -> str:
    settings, responses = study.parameters, study.responses
    *others, last = (one.code for one in responses.categories if one.code in responses.improved - {UNSPECIFIED})
    better = f"{', '.join(others)} or {last}"
    anchor = settings.interval_anchor.replace("_", " ")
    said = _FAILURE[settings.bsab_status_rule].format(days=settings.interval_days, anchor=anchor, better=better)
    return f"{said[0].upper()}{said[1:]}."


def _whom(settings: Parameters) -> str:
    return "infused" if settings.orr_denominator == "infused" else "with an evaluable assessment"


def _progression(settings: Parameters) -> str:
    return (
        f"From infusion to progression or death; else to {_CENSORED[settings.pfs_censor]}. "
        f"{_NEW_THERAPY[settings.new_therapy]}."
    )


def _intervals(settings: Parameters) -> str:
    level = plain(settings.ci_level * 100, 1)
    shares, curves = _INTERVALS[settings.proportion_ci], _CURVES[settings.km_ci]
    return f"{level}%, two-sided: {shares} for proportions; {curves}, Greenwood, for Kaplan-Meier estimates."


def _window(settings: Parameters) -> str:
    first, last = settings.ae_window
    return f"day {first} to {last} after the infusion"


def written(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return value.isoformat() if isinstance(value, date) else str(value) or "none"
