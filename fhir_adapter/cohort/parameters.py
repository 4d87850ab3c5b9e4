"""The parameters of a study: every definition that a site may choose, with its allowed values and its default."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field

from fhir_adapter.cohort.events import Evidence, Frozen
from fhir_adapter.cohort.finding import Json
from fhir_adapter.cohort.subgroup import written


def _window(text: str) -> str:
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        raise ValueError("a window is written as two whole numbers of days, for example 0-30")
    return text


def _window_or_same(text: str) -> str:
    return text if text == "same" else _window(text)


def _zone(name: str) -> str:
    if name and name not in available_timezones():
        raise ValueError("not a time zone name such as Asia/Shanghai")
    return name


def _listed(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _off(value: object) -> object:
    return 0 if value == "off" else value


def _no_cut(value: object) -> object:
    return None if value == "none" else value


Window = Annotated[str, AfterValidator(_window)]
WindowOrSame = Annotated[str, AfterValidator(_window_or_same)]
ZoneName = Annotated[str, AfterValidator(_zone)]
Days = Annotated[int, Field(ge=0, le=36525)]
OrOff = Annotated[int, BeforeValidator(_off), Field(ge=0, le=36525)]
"""A number that may be `off`: 0."""


class Parameters(Frozen):
    """The flat keys of `study.toml`, spelled as in the parameter sheet; every rule reads its numbers here."""

    # time
    data_cut: Annotated[date | None, BeforeValidator(_no_cut)]
    alive_after_cut: Literal["follow_to_cut", "truncate"] = "follow_to_cut"
    site_time_zone: ZoneName = ""
    time_origin: Literal["infusion", "apheresis", "decision_date"] = "infusion"
    month_days: Annotated[Decimal, Field(gt=0)] = Decimal("30.4375")
    partial_date_policy: Literal["midpoint_flagged", "exclude", "bounds"] = "midpoint_flagged"
    # who belongs to the cohort
    transformed: Literal["include", "exclude"] = "exclude"
    banked_cells: Literal["exclude", "include"] = "exclude"
    include_undetermined_failure: bool = True
    include_intolerance: bool = False
    assessable_after_days: Days = 28
    unverified_codes: bool = False
    # BsAb exposure, failure and washout
    further_records: Annotated[tuple[Literal["diagnostic_report", "specimen"], ...], BeforeValidator(_listed)] = ()
    exposure_evidence: Annotated[tuple[Evidence, ...], BeforeValidator(_listed), Field(min_length=1)] = (
        "administration",
    )
    bsab_status_rule: Literal["best_response", "best_response_or_pd_within", "pd_within"] = "best_response"
    interval_days: Days = 183
    interval_anchor: Literal["last_dose", "first_dose", "end_of_line"] = "last_dose"
    bsab_line_for_status: Literal["last_before_apheresis", "first", "best", "worst"] = "last_before_apheresis"
    refractory_min_doses: Annotated[int, Field(ge=1)] = 1
    sd_limit_days: OrOff = 0
    toxicity_stop_with_sd: Literal["undetermined", "refractory"] = "undetermined"
    washout_to: Literal["index_apheresis", "infusion"] = "index_apheresis"
    index_infusion: Literal["first_after_bsab", "last_after_bsab"] = "first_after_bsab"
    index_apheresis: Literal["last_before_infusion", "first"] = "last_before_infusion"
    episode_gap_days: Days = 3
    # earlier lines
    prior_lines: Literal["exclude_bridging", "include_bridging"] = "exclude_bridging"
    gap_days: Days = 180
    regimen_window_days: Days = 28
    pretreatment_days: Days = 14
    conditioning_window_days: Days = 14
    # baseline scores
    lymphoma_baseline: Literal["reported", "off"] = "reported"
    ipi_age_at: Literal["infusion", "apheresis"] = "infusion"
    ipi_reference: Literal["apheresis", "lymphodepletion"] = "apheresis"
    ipi_missing: Literal["range", "not_computable"] = "range"
    ipi_age_over: int = 60
    ipi_ldh_over_uln: Decimal = Decimal(1)
    ipi_ecog_from: int = 2
    ipi_karnofsky_to: OrOff = 0
    ipi_stage_from: int = 3
    ipi_extranodal_over: int = 1
    ipi_recorded: Literal["wins", "fills", "ignored"] = "wins"
    ipi_recorded_window_days: Days = 42
    r_ipi_good_from: int = 1
    r_ipi_poor_from: int = 3
    nccn_ipi_sites: Annotated[tuple[str, ...], BeforeValidator(_listed)] = (
        *("bone-marrow", "cns", "liver", "stomach", "small-intestine", "colon", "lung"),
    )
    ldh_window_days: Days = 28
    ecog_window_days: Days = 42
    imaging_window_days: Days = 42
    imaging_gap_days: Days = 7
    bulky_mm: Annotated[Decimal, Field(gt=0)] = Decimal(75)
    bulky_inclusive: bool = False
    # response
    response_system: str = "lugano-2014"
    deauville: Literal["category", "ignore"] = "category"
    deauville_3: Literal["negative", "positive"] = "negative"
    trend_as_response: Annotated[tuple[Literal["improved", "stable", "worsened"], ...], BeforeValidator(_listed)] = (
        "improved",
    )
    clinical_progression: Literal["ignore", "event"] = "ignore"
    preferred_assessor: Literal["investigator", "radiology", "none"] = "investigator"
    response_confirmation: Literal["none", "next_assessment"] = "none"
    ir_policy: Literal["nonevent_until_confirmed", "as_pd", "as_sd"] = "nonevent_until_confirmed"
    ir_confirm_days: Days = 84
    first_planned_assessment_day: Days = 14
    bor_end: Literal["first_pd_or_new_therapy", "first_pd"] = "first_pd_or_new_therapy"
    orr_denominator: Literal["infused", "evaluable", "not_in_cr"] = "infused"
    # time to event
    pfs_censor: Literal["last_assessment", "last_contact"] = "last_assessment"
    new_therapy: Literal["ignore", "censor_before", "event"] = "ignore"
    new_therapy_includes: Annotated[
        tuple[Literal["drug", "car_t", "radiotherapy", "allogeneic-hct"], ...], BeforeValidator(_listed)
    ] = ("drug", "car_t")
    allo_hct_in_cr: Literal["ignore", "censor", "event"] = "ignore"
    missed_visits: OrOff = 0
    visit_interval_days: Annotated[int, Field(ge=1, le=36525)] = 90
    efs_response_by_day: OrOff = 0
    efs_response: Literal["CR", "PR"] = "PR"
    ttnt_death: Literal["event", "censor"] = "event"
    undated_death: Literal["censor_flagged", "exclude"] = "censor_flagged"
    timepoints_months: Annotated[tuple[int, ...], BeforeValidator(_listed)] = (6, 12)
    km_ci: Literal["loglog", "log", "plain"] = "loglog"
    km_median_tie: Literal["first", "midpoint"] = "first"
    beyond_last_time: Literal["not_estimable", "carry"] = "not_estimable"
    followup_of: Literal["everybody", "survivors"] = "everybody"
    rmst_months: Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(_listed)] = (12,)
    subgroups: Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(written)] = ()
    cox_fit: Literal["penalised_if_few", "penalised", "plain"] = "penalised_if_few"
    cox_few_events: Annotated[int, Field(ge=0)] = 10
    # toxicity
    crs_scale: str = "astct-2019"
    icans_scale: str = "astct-2019"
    ctcae_version: Annotated[Literal["5.0", "6.0"], BeforeValidator(str)] = "5.0"
    ae_window_days: Window = "0-30"
    blood_count_window_days: WindowOrSame = "same"
    ae_end: Literal["new_therapy", "window"] = "new_therapy"
    lab_baseline: Literal["before_lymphodepletion", "before_infusion"] = "before_lymphodepletion"
    missing_neutrophils: Literal["derived_and_bounded", "derived", "not_reported"] = "derived_and_bounded"
    transfusion: Literal["indicated", "ignored"] = "indicated"
    icaht: Literal["off", "reported"] = "off"
    icaht_recovery_days: Days = 3
    worst_grade: Literal["absolute", "treatment_emergent"] = "absolute"
    require_rise: bool = True
    d_dimer_limit: Literal["report", "age_adjusted"] = "report"
    d_dimer_age_over: int = 50
    fibrinogen_fall: Literal["abnormal_baseline", "abnormal_value", "off"] = "abnormal_baseline"
    # reporting
    proportion_ci: Literal["clopper_pearson", "wilson"] = "clopper_pearson"
    ci_level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    min_cell: OrOff = 0
    age_top: OrOff = 0
    digits: Annotated[int, Field(ge=0, le=6)] = 1

    def named(self, *names: str) -> dict[str, Json]:
        """The values of some parameters, as a finding tells them."""
        written = self.model_dump(mode="json", include=set(names))
        return {
            name: float(value) if isinstance(getattr(self, name), Decimal) else value for name, value in written.items()
        }

    @cached_property
    def zone(self) -> ZoneInfo | None:
        return ZoneInfo(self.site_time_zone) if self.site_time_zone else None

    @cached_property
    def ae_window(self) -> tuple[int, int]:
        """First and last day of the adverse-event window, counted from the infusion."""
        return _days_of(self.ae_window_days)

    @cached_property
    def blood_count_window(self) -> tuple[int, int]:
        """The same for cells of the blood and haemoglobin."""
        return self.ae_window if self.blood_count_window_days == "same" else _days_of(self.blood_count_window_days)


def _days_of(window: str) -> tuple[int, int]:
    first, _, last = window.partition("-")
    return int(first), int(last)
