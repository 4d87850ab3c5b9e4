"""What our documents use beyond FHIR itself is defined as FHIR resources in mappings/common/fhir/."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.judgement import STEPS
from fhir_adapter.mapping.study import read_study
from fhir_adapter.packaged import data_folder
from fhir_adapter.publish import identity
from fhir_adapter.publish.codes import unknown_codes
from fhir_adapter.publish.individual import OBSERVED
from fhir_adapter.publish.stratifier import EXCLUSION_REASON, SUBGROUPS
from fhir_adapter.rules import eligibility, judge

POPULATION_CODES = f"{identity.CANON}/CodeSystem/population"
FILES = sorted((data_folder("mappings") / "common" / "fhir").glob("*.json"))
BY_URL: dict[str, dict[str, Any]] = {one["url"]: one for one in (json.loads(path.read_text("utf-8")) for path in FILES)}


def codes(system: str) -> set[str]:
    return {concept["code"] for concept in BY_URL[system].get("concept", ())}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_definition_is_valid_and_its_file_its_id_and_its_url_agree(path: Any) -> None:
    resource = json.loads(path.read_text("utf-8"))
    type, id = resource["resourceType"], resource["id"]
    assert unknown_codes(get_fhir_model_class(type).model_validate(resource)) == ()
    assert (path.name, resource["url"]) == (f"{type}-{id}.json", f"{identity.CANON}/{type}/{id}")
    assert resource["status"] == "active"
    assert resource["version"]
    assert resource.get("count", len(resource.get("concept", ()))) == len(resource.get("concept", ()))


@pytest.mark.parametrize(
    "system",
    [
        identity.STATISTIC_CODES,
        identity.EXCLUSION_CODES,
        identity.STRATIFIER_CODES,
        identity.STRATUM_CODES,
        identity.METHOD_CODES,
    ],
)
def test_every_code_system_of_a_document_is_defined_and_has_a_value_set(system: str) -> None:
    named = BY_URL[system]["valueSet"]
    assert [one["system"] for one in BY_URL[named]["compose"]["include"]] == [system]


def test_every_value_set_that_the_extension_is_bound_to_is_defined() -> None:
    elements = BY_URL[identity.STATISTIC]["differential"]["element"]
    bound = {one["binding"]["valueSet"] for one in elements if "binding" in one}
    assert {url.rpartition("/")[2] for url in bound} == {"method", "population", "withheld-field"}
    assert bound <= set(BY_URL)


@pytest.mark.parametrize("interval", ["clopper_pearson", "wilson"])
def test_every_method_that_is_computed_is_a_code(interval: str) -> None:
    asked = read_study("bsab-cart-dlbcl", {"proportion_ci": interval}).study
    computed = estimate((), (), [(step, 0) for step in STEPS], asked)
    assert {one.method for one in computed} - codes(identity.METHOD_CODES) == set()


def test_every_field_that_can_be_withheld_is_a_field_of_a_statistic() -> None:
    assert codes(f"{identity.CANON}/CodeSystem/withheld-field") <= set(Estimate.model_fields)


def test_every_reason_to_leave_that_a_rule_can_give_is_a_code() -> None:
    given = set(re.findall(r'reason="([a-z_]+)"', inspect.getsource(eligibility) + inspect.getsource(judge)))
    assert "no_bsab" in given
    assert given <= codes(identity.EXCLUSION_CODES)


def test_every_stratifier_that_can_be_filled_is_a_code() -> None:
    assert codes(identity.STRATIFIER_CODES) == {EXCLUSION_REASON, *SUBGROUPS}


def test_what_was_observed_in_one_person_is_a_method() -> None:
    assert OBSERVED in codes(identity.METHOD_CODES)


def test_every_population_but_the_subgroups_is_a_code() -> None:
    computed = estimate((), (), [(step, 0) for step in STEPS], read_study("bsab-cart-dlbcl").study)
    assert {one.population for one in computed if "=" not in one.population} <= codes(POPULATION_CODES)
