"""The selection of HL7's examples is what its README says, and the choice does not depend on order."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

PUBLIC = Path(__file__).parents[2] / "fixtures" / "public"


def load_renew() -> ModuleType:
    spec = importlib.util.spec_from_file_location("renew", PUBLIC / "renew.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


renew = load_renew()
FOLDERS = {
    "hl7-r4": {"AdverseEvent": 1, "Condition": 12, "Encounter": 10, "Medication": 23}
    | {"MedicationAdministration": 14, "Observation": 40, "Patient": 22, "Procedure": 16},
    "mcode": {
        "Condition": 13,
        "MedicationAdministration": 7,
        "Observation": 40,
        "Patient": 7,
        "Procedure": 9,
    },
}


def example(number: int) -> object:
    return renew.Example("Observation", f"o{number:03}", f"kind-{number % 7}", b"{}")


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_type_is_there_in_the_number_published_or_forty(folder: str) -> None:
    assert Counter(path.name.partition("-")[0] for path in (PUBLIC / folder).glob("*.json")) == FOLDERS[folder]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_file_is_one_resource_named_by_its_type_and_id_and_not_large(folder: str) -> None:
    for path in (PUBLIC / folder).glob("*.json"):
        resource = json.loads(path.read_bytes())
        assert path.name == f"{resource['resourceType']}-{resource['id']}.json"
        assert path.stat().st_size <= renew.LARGEST_BYTES


@given(st.permutations(range(60)))
def test_the_choice_does_not_depend_on_the_order_of_the_archive(order: list[int]) -> None:
    assert renew.choose(example(n) for n in order) == renew.choose(example(n) for n in range(60))


def test_no_kind_is_left_out_while_another_has_two_more() -> None:
    kinds = Counter(chosen.kind for chosen in renew.choose(example(n) for n in range(70)))
    assert sum(kinds.values()) == renew.MOST_OF_A_TYPE
    assert max(kinds.values()) - min(kinds.values()) <= 1


@pytest.mark.parametrize("body", [b'{"resourceType": "Claim", "id": "c"}', b'{"resourceType": "Patient", "x": "%s"}'])
def test_other_types_and_large_resources_are_not_kept(body: bytes) -> None:
    assert renew.as_example(body.replace(b"%s", b"x" * renew.LARGEST_BYTES)) is None
