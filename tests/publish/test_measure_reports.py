"""The documents that go back to the FHIR server: shape, codes, and that equal results are equal documents."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from study12_estimates import CUT, FLOW, ORDER, START, estimates, measures, of_nobody, row, share, study

from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.cohort.study import Study
from fhir_adapter.errors import StudyError
from fhir_adapter.publish.documents import Document
from fhir_adapter.publish.group import GROUP_SCORING, scoring
from fhir_adapter.publish.identity import STATISTIC, STATISTIC_CODES, STRATIFIER_CODES
from fhir_adapter.publish.measure_report import build_reports

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
NOT_APPLICABLE = {"extension": [{"url": ABSENT, "valueCode": "not-applicable"}]}
UCUM = "http://unitsofmeasure.org"


def built(
    found: tuple[Estimate, ...] | None = None, asked: Study | None = None, flow: tuple[FlowRow, ...] = FLOW
) -> tuple[Document, ...]:
    found = estimates() if found is None else found
    return build_reports(found, asked or study(), flow=flow, period_start=START, period_end=CUT)


def reports(documents: tuple[Document, ...]) -> dict[str, dict[str, Any]]:
    return {one.id.split(".")[2]: one.resource for one in documents if one.type == "MeasureReport"}


def group(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in report["group"] if one["code"]["coding"][0]["code"] == name)


def statistic(part: dict[str, Any]) -> dict[str, Any]:
    """The sub-extensions by name; parameters as a mapping."""
    (extension,) = part["extension"]
    assert extension["url"] == STATISTIC
    simple = {one["url"]: one for one in extension["extension"] if one["url"] != "parameter"}
    named = [one["extension"] for one in extension["extension"] if one["url"] == "parameter"]
    return {**simple, "parameters": {pair[0]["valueString"]: pair[1]["valueString"] for pair in named}}


def populations(part: dict[str, Any]) -> dict[str, int | None]:
    """People by population; None where the count is said to be not applicable."""
    for one in part["population"]:
        assert ("count" in one) != (one.get("_count") == NOT_APPLICABLE)
    return {one["code"]["coding"][0]["code"]: one.get("count") for one in part["population"]}


def replaced(name: str, **changes: Any) -> tuple[Estimate, ...]:
    return tuple(one.model_copy(update=changes) if one.id == name else one for one in estimates())


def test_each_family_has_one_measure_and_one_summary_report() -> None:
    documents = built()
    assert [one.type for one in documents] == ["Measure", "MeasureReport"] * len(ORDER)
    assert list(reports(documents)) == list(ORDER)
    for family, report in reports(documents).items():
        assert report["status"] == "complete"
        assert report["type"] == "summary"
        assert report["measure"].endswith(f"/Measure/bsab-cart-dlbcl-{family}|1.0.0")
        assert report["period"] == {"start": "2023-07-17", "end": "2025-08-01"}


def test_the_report_is_dated_and_named_by_study_site_family_and_cut() -> None:
    report = reports(built())["pfs"]
    assert report["id"] == "bsab-cart-dlbcl.site-01.pfs.2025-08-01"
    assert report["identifier"][0]["value"] == report["id"]
    assert report["date"] == "2025-08-01"
    assert report["reporter"]["identifier"]["value"] == "site-01"


def test_without_data_cut_the_report_is_renewed_and_dated_by_its_period() -> None:
    report = reports(built(asked=study(parameters={"data_cut": None})))["pfs"]
    assert report["id"] == "bsab-cart-dlbcl.site-01.pfs.rolling"
    assert report["date"] == "2025-08-01"


@pytest.mark.parametrize("site", ["血液科", "a|b,c$d\\e", "1st site", "x" * 90, ""])
def test_any_site_name_gives_a_valid_id_and_a_searchable_identifier(site: str) -> None:
    found = [one for one in built(asked=study(site=site)) if one.type == "MeasureReport"]
    ids = {one.id for one in found}
    assert len(ids) == len(ORDER)
    for one in found:
        assert len(one.id) <= 64
        assert one.id[0].isalpha()
        assert all(char.isascii() and (char.isalnum() or char in "-.") for char in one.id)
        assert not set(one.resource["identifier"][0]["value"]) & set("|,$\\ ")


def test_two_sites_never_share_an_id() -> None:
    ids = [{one.id for one in built(asked=study(site=site))} for site in ("甲", "乙")]
    assert {name for name in ids[0] & ids[1] if name.count(".")} == set()


def test_a_kaplan_meier_estimate_is_a_score_with_its_interval_and_no_proportion() -> None:
    part = group(reports(built())["pfs"], "pfs.12m")
    assert part["measureScore"] == {"value": Decimal("0.545455"), "unit": "1", "system": UCUM, "code": "1"}
    assert populations(part) == {"initial-population": 12, "measure-population": 12}
    said = statistic(part)
    assert said["method"]["valueCode"] == "kaplan-meier"
    assert said["timepoint"]["valueDuration"]["value"] == 12
    assert said["timepoint"]["valueDuration"]["code"] == "mo"
    limits = said["ciLevel"]["valueDecimal"], said["ciLow"]["valueDecimal"], said["ciHigh"]["valueDecimal"]
    assert limits == (Decimal("0.95"), Decimal("0.229"), Decimal("0.78"))
    assert (said["atRisk"]["valueUnsignedInt"], said["events"]["valueUnsignedInt"]) == (2, 5)
    assert said["parameters"] == {"km_ci": "loglog", "data_cut": "2025-08-01"}


def test_a_median_that_is_not_reached_is_temp_unknown_and_its_upper_limit_infinite() -> None:
    part = group(reports(built())["pfs"], "pfs.median")
    assert "value" not in part["measureScore"]
    assert part["measureScore"]["_value"]["extension"] == [{"url": ABSENT, "valueCode": "temp-unknown"}]
    assert part["measureScore"]["code"] == "mo"
    said = statistic(part)
    assert said["ciLow"]["valueDecimal"] == Decimal("1.9")
    assert said["ciHigh"]["valueQuantity"]["_value"]["extension"][0]["valueCode"] == "positive-infinity"


@pytest.mark.parametrize("unit", ["1", "mo"])
def test_an_interval_that_cannot_be_estimated_has_no_limits_and_says_why(unit: str) -> None:
    why = {"no_interval": "no event so far"}
    found = replaced("os.12m", value=1.0, unit=unit, ci_low=None, ci_high=None, parameters=why)
    said = statistic(group(reports(built(found))["os"], "os.12m"))
    for end in ("ciLow", "ciHigh"):
        assert said[end]["valueQuantity"]["_value"]["extension"] == [{"url": ABSENT, "valueCode": "unknown"}]
    assert said["parameters"] == why


def test_a_lower_limit_that_the_data_do_not_bound_is_unknown_not_infinite() -> None:
    said = statistic(group(reports(built())["os"], "os.median"))
    assert said["ciLow"]["valueQuantity"]["_value"]["extension"][0]["valueCode"] == "unknown"


@pytest.mark.parametrize(("people", "code"), [(0, "not-applicable"), (3, "unknown")])
def test_what_cannot_be_estimated_says_why(people: int, code: str) -> None:
    gone = {"value": None, "n": people, "not_estimable": "nobody was followed that long", "ci_level": None}
    part = group(reports(built(replaced("os.12m", **gone)))["os"], "os.12m")
    assert part["measureScore"]["_value"]["extension"][0]["valueCode"] == code
    assert statistic(part)["notEstimable"]["valueString"] == "nobody was followed that long"


def test_a_proportion_has_numerator_and_denominator() -> None:
    part = group(reports(built())["response"], "response.cr")
    assert populations(part) == {"initial-population": 12, "denominator": 12, "numerator": 6}
    assert part["measureScore"]["value"] == Decimal("0.5")
    assert statistic(part)["method"]["valueCode"] == "clopper-pearson"


def test_people_whose_value_is_not_known_stay_in_the_initial_population() -> None:
    fewer = share("baseline.bulky", "baseline", "Bulky", 3, 10, 0.0667, 0.6525, missing=2)
    found = tuple(fewer if one.id == fewer.id else one for one in estimates())
    part = group(reports(built(found))["baseline"], "baseline.bulky")
    assert populations(part) == {"initial-population": 12, "denominator": 10, "numerator": 3}
    assert statistic(part)["missing"]["valueUnsignedInt"] == 2


def test_a_median_has_its_range_and_unit() -> None:
    part = group(reports(built())["washout"], "washout.median")
    assert part["measureScore"] == {"value": 42, "unit": "d", "system": UCUM, "code": "d"}
    said = statistic(part)
    assert (said["rangeLow"]["valueDecimal"], said["rangeHigh"]["valueDecimal"]) == (8, 172)


def test_a_toxicity_names_its_ctcae_version() -> None:
    part = group(reports(built())["laboratory-toxicity"], "toxicity.anemia.grade3")
    assert statistic(part)["parameters"]["ctcae_version"] == "5.0"


def test_the_attrition_counts_people_left_and_stratifies_those_who_left_by_reason() -> None:
    report = reports(built())["attrition"]
    part = group(report, "attrition.diagnosis")
    assert populations(part) == {"initial-population": 30}
    assert "measureScore" not in part
    (stratifier,) = part["stratifier"]
    left = {
        one["value"]["coding"][0]["code"]: populations(one)["denominator-exclusion"] for one in stratifier["stratum"]
    }
    assert left == {"other_disease": 20, "no_diagnosis": 10}
    assert populations(group(report, "attrition.assessable")) == {"initial-population": 12}


def test_a_step_that_nobody_left_has_its_stratifier_without_stratum() -> None:
    (stratifier,) = group(reports(built())["attrition"], "attrition.assessable")["stratifier"]
    assert set(stratifier) == {"code"}


@pytest.mark.parametrize("found", [estimates(), of_nobody(), ()], ids=["cohort", "nobody", "nothing computed"])
def test_every_stratifier_of_a_measure_is_in_its_report_and_no_other(found: tuple[Estimate, ...]) -> None:
    documents = built(found)
    for measure, report in zip(documents[::2], documents[1::2], strict=True):
        for asked, part in zip(measure.resource["group"], report.resource["group"], strict=True):
            declared = [[one["code"]] for one in asked.get("stratifier", ())]
            assert [one["code"] for one in part.get("stratifier", ())] == declared


@pytest.mark.parametrize(
    ("family", "code"), [("attrition", "age"), ("washout", "exclusion-reason")], ids=["code", "place"]
)
def test_a_stratifier_that_cannot_be_filled_is_an_error_of_the_study(family: str, code: str) -> None:
    resource = json.loads(json.dumps(measures()[ORDER.index(family)].resource))
    resource["group"][0]["stratifier"] = [{"code": {"coding": [{"system": STRATIFIER_CODES, "code": code}]}}]
    with pytest.raises(StudyError, match="stratifier"):
        built(asked=study(measures=measures(**{family: resource})))


@pytest.mark.parametrize("found", [estimates(), of_nobody(), ()], ids=["cohort", "nobody", "nothing computed"])
def test_a_proportion_has_no_unit_all_else_that_is_scored_has_one_and_a_cohort_no_score(
    found: tuple[Estimate, ...],
) -> None:
    documents = built(found)
    computed = {one.id for one in found}
    for measure, report in zip(documents[::2], documents[1::2], strict=True):
        for asked, part in zip(measure.resource["group"], report.resource["group"], strict=True):
            kind, score = scoring(asked, measure.resource), part.get("measureScore")
            assert (score is None) == (kind == "cohort")
            if kind == "proportion":
                assert set(score) <= {"value", "_value"}
            elif score and part["code"]["coding"][0]["code"] in computed:
                assert score["system"] == UCUM


def test_the_score_of_a_proportion_is_a_fraction() -> None:
    documents = built()
    scores = [
        part["measureScore"]["value"]
        for measure, report in zip(documents[::2], documents[1::2], strict=True)
        for asked, part in zip(measure.resource["group"], report.resource["group"], strict=True)
        if scoring(asked, measure.resource) == "proportion" and "value" in part["measureScore"]
    ]
    assert len(scores) > 10
    assert all(0 <= one <= 1 for one in scores)


def test_a_group_that_contradicts_the_scoring_of_its_measure_is_an_error_of_the_study() -> None:
    resource = json.loads(json.dumps(measures()[ORDER.index("washout")].resource))
    concept = {"coding": [{"system": resource["scoring"]["coding"][0]["system"], "code": "proportion"}]}
    resource["group"][0]["extension"] = [{"url": GROUP_SCORING, "valueCodeableConcept": concept}]
    with pytest.raises(StudyError, match="scored"):
        built(asked=study(measures=measures(washout=resource)))


def test_a_group_that_does_not_say_how_it_is_scored_is_an_error_of_the_study() -> None:
    resource = json.loads(json.dumps(measures()[ORDER.index("washout")].resource))
    del resource["scoring"]
    with pytest.raises(StudyError, match="scored"):
        built(asked=study(measures=measures(washout=resource)))


def test_a_group_added_to_a_measure_is_reported_without_code() -> None:
    resource = json.loads(json.dumps(measures()[ORDER.index("washout")].resource))
    wanted = {"code": {"coding": [{"system": STATISTIC_CODES, "code": "crs.max", "display": "Worst CRS"}]}}
    resource["group"].append({**resource["group"][0], **wanted})
    part = group(reports(built(asked=study(measures=measures(washout=resource))))["washout"], "crs.max")
    assert part["measureScore"]["value"] == 2


def test_a_group_without_estimate_is_kept_and_said_to_be_not_applicable() -> None:
    found = tuple(one for one in estimates() if one.id != "toxicity.anemia.grade3")
    part = group(reports(built(found))["laboratory-toxicity"], "toxicity.anemia.grade3")
    assert part["measureScore"] == {"_value": NOT_APPLICABLE}
    assert populations(part) == {"initial-population": None, "denominator": None, "numerator": None}
    assert "notEstimable" in statistic(part)


@pytest.mark.parametrize("found", [estimates(), of_nobody(), ()], ids=["cohort", "nobody", "nothing computed"])
def test_every_population_of_a_measure_but_the_observation_is_in_its_report(found: tuple[Estimate, ...]) -> None:
    documents = built(found)
    for measure, report in zip(documents[::2], documents[1::2], strict=True):
        for asked, part in zip(measure.resource["group"], report.resource["group"], strict=True):
            wanted = [one["code"]["coding"][0]["code"] for one in asked["population"]]
            assert list(populations(part)) == [code for code in wanted if code != "measure-observation"]


def test_a_numerator_asked_of_a_kaplan_meier_estimate_is_not_applicable() -> None:
    resource = json.loads(json.dumps(measures()[ORDER.index("pfs")].resource))
    numerator = {"system": "http://terminology.hl7.org/CodeSystem/measure-population", "code": "numerator"}
    resource["group"][0]["population"][1]["code"] = {"coding": [numerator]}
    part = reports(built(asked=study(measures=measures(pfs=resource))))["pfs"]["group"][0]
    assert populations(part) == {"initial-population": 12, "numerator": None}


def test_a_group_that_names_no_statistic_is_an_error_of_the_study() -> None:
    resource = json.loads(json.dumps(measures()[0].resource))
    resource["group"][0]["code"]["coding"][0]["system"] = "https://example.org/other"
    with pytest.raises(StudyError, match="names no statistic"):
        built(asked=study(measures=measures(attrition=resource)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("group", 0, "population", 0, "code", "coding", 0, "code"), "initial-populatoin"),
        (("scoring", "coding", 0, "code"), "continuous"),
        (("status",), "banana"),
        (("group", 0, "population", 0, "criteria", "language"), "text/plain"),
    ],
)
def test_a_code_outside_its_value_set_never_leaves(path: tuple[str | int, ...], value: str) -> None:
    resource = json.loads(json.dumps(measures()[ORDER.index("pfs")].resource))
    place = resource
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(StudyError, match="pfs"):
        built(asked=study(measures=measures(pfs=resource)))


def test_a_measure_with_an_unknown_element_is_refused_without_its_content() -> None:
    resource = {**measures()[0].resource, "secretElement": "secret content"}
    with pytest.raises(StudyError) as caught:
        built(asked=study(measures=measures(attrition=resource)))
    assert "secretElement" in caught.value.message
    assert "secret content" not in caught.value.message


@pytest.mark.parametrize("found", [estimates(), of_nobody(), ()], ids=["cohort", "nobody", "nothing computed"])
def test_every_document_goes_through_its_r4_model_and_comes_out_the_same(found: tuple[Estimate, ...]) -> None:
    for one in built(found):
        sent = json.loads(one.to_json())
        model = get_fhir_model_class(one.type).model_validate(sent)
        assert json.loads(model.model_dump_json()) == sent


def test_equal_results_are_equal_bytes_in_any_order_of_the_estimates() -> None:
    again = built(tuple(reversed(estimates())))
    assert [one.to_json() for one in built()] == [one.to_json() for one in again]


def test_a_difference_beyond_six_decimals_is_none() -> None:
    assert built(replaced("pfs.12m", value=0.5454545454)) == built(replaced("pfs.12m", value=0.5454545))


def test_one_changed_estimate_changes_exactly_one_document() -> None:
    before = {one.file_name: one.to_json() for one in built()}
    after = {
        one.file_name: one.to_json() for one in built(replaced("toxicity.anemia.grade3", value=5 / 12, numerator=5))
    }
    assert [name for name in before if before[name] != after[name]] == [
        "MeasureReport-bsab-cart-dlbcl.site-01.laboratory-toxicity.2025-08-01.json"
    ]


def test_summary_reports_hold_no_patient() -> None:
    for report in reports(built()).values():
        text = json.dumps(report, default=str)
        assert "evaluatedResource" not in report
        assert "subject" not in report
        assert "subjectResults" not in text
        assert "Patient/" not in text


def test_hostile_texts_are_escaped_in_the_narrative() -> None:
    hostile = "<script>alert(1)</script> & \x00 ]]>"
    found = replaced("washout.median", value=None, not_estimable=hostile)
    report = reports(built(found, study(title=hostile)))["washout"]
    div = report["text"]["div"]
    assert "<script" not in div
    assert "&lt;script&gt;" in div
    assert "\x00" not in div


def test_the_narrative_says_what_the_numbers_say() -> None:
    texts = {family: report["text"]["div"] for family, report in reports(built()).items()}
    assert "<td>54.5% (95% CI 22.9 to 78)</td>" in texts["pfs"]
    assert "<td>not reached (95% CI 1.9 to not reached)</td>" in texts["pfs"]
    assert "<td>42 days (range 8 to 172)</td>" in texts["washout"]
    assert "<td>6/12, 50% (95% CI 21.1 to 78.9)</td>" in texts["response"]


def test_an_empty_cohort_has_all_reports_and_each_says_that_nothing_can_be_estimated() -> None:
    empty = tuple(row(one.step, "", 0, 0, 0) for one in FLOW)
    found = reports(built(of_nobody(), flow=empty))
    assert list(found) == list(ORDER)
    part = group(found["response"], "response.cr")
    assert populations(part) == {"initial-population": 0, "denominator": 0, "numerator": 0}
    assert part["measureScore"]["_value"]["extension"][0]["valueCode"] == "not-applicable"
    assert populations(group(found["baseline"], "baseline.n")) == {"initial-population": 0}


def test_every_measure_is_a_valid_resource_and_asks_for_each_statistic_once() -> None:
    for family in measures():
        get_fhir_model_class("Measure").model_validate(dict(family.resource))
        names = [one["code"]["coding"][0]["code"] for one in family.resource["group"]]
        assert len(names) == len(set(names))
        assert family.resource["id"] == f"bsab-cart-dlbcl-{family.family}"
        assert family.url.endswith(f"/Measure/{family.resource['id']}")


def test_every_sub_extension_that_is_sent_is_defined() -> None:
    path = Path(__file__).parents[2] / "mappings" / "common" / "fhir" / "StructureDefinition-statistic.json"
    definition = json.loads(path.read_text("utf-8"))
    get_fhir_model_class("StructureDefinition").model_validate(definition)
    assert definition["url"] == STATISTIC
    elements = {one["id"]: one for one in definition["differential"]["element"]}
    for report in reports(built()).values():
        for part in report["group"]:
            for sub in part["extension"][0]["extension"]:
                value = next((name for name in sub if name.startswith("value")), "")
                allowed = elements[f"Extension.extension:{sub['url']}.value[x]"]
                types = {f"value{one['code'][0].upper()}{one['code'][1:]}" for one in allowed.get("type", ())}
                assert value in types or (sub["url"] == "parameter" and allowed["max"] == "0")


def test_the_period_of_a_report_is_the_one_that_was_given() -> None:
    day = date(2024, 1, 1)
    documents = build_reports(estimates(), study(), flow=FLOW, period_start=day, period_end=CUT)
    assert reports(documents)["os"]["period"]["start"] == "2024-01-01"
