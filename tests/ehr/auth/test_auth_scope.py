"""Permissions by name, in both versions of SMART."""

from __future__ import annotations

import pytest

from fhir_adapter.ehr.auth.scope import Wanted, denied_types, narrowed, restricted_types, version_of

READING = Wanted(("Patient", "Observation"))
PUBLISHING = Wanted((), ("MeasureReport",))


def test_both_versions_name_the_same_permissions() -> None:
    assert READING.scopes(2) == ("system/Patient.rs", "system/Observation.rs")
    assert READING.scopes(1) == ("system/Patient.read", "system/Observation.read")
    assert PUBLISHING.scopes(2) == ("system/MeasureReport.crus",)
    assert PUBLISHING.scopes(1) == ("system/MeasureReport.read", "system/MeasureReport.write")


@pytest.mark.parametrize(
    ("capabilities", "supported", "version"),
    [
        (["permission-v2"], [], 2),
        (["permission-v1", "permission-v2"], [], 2),
        (["permission-v1"], ["system/*.rs"], 1),
        ([], ["system/*.rs"], 2),
        ([], ["system/*.read"], 1),
        ([], ["system/*.rs", "system/*.read"], 1),
        ([], ["openid", "system/*.*"], 1),
        ([], [], 1),
    ],
)
def test_the_version_is_what_the_server_says_else_the_older_one(
    capabilities: list[str], supported: list[str], version: int
) -> None:
    assert version_of(capabilities, supported) == version


@pytest.mark.parametrize(
    ("supported", "left"),
    [
        (["system/Patient.rs"], ("system/Patient.rs",)),
        (["system/*.rs"], READING.scopes(2)),
        (["system/*.cruds"], READING.scopes(2)),
        (["system/*.read"], READING.scopes(2)),
        (["system/Patient.*", "system/Observation.r"], ("system/Patient.rs",)),
        (["openid"], ()),
    ],
)
def test_only_what_a_server_lists_is_asked_for_the_second_time(supported: list[str], left: tuple[str, ...]) -> None:
    assert narrowed(READING.scopes(2), supported) == left


def test_other_scopes_are_kept_only_by_their_own_name() -> None:
    assert narrowed(["openid", "https://a.example/.default"], ["openid", "system/*.rs"]) == ("openid",)


@pytest.mark.parametrize(
    ("granted", "denied"),
    [
        (["system/Patient.rs", "system/Observation.rs"], set()),
        (["system/*.read"], set()),
        (["user/*.cruds"], set()),
        (["system/Patient.r", "system/Patient.s", "system/Observation.rs"], set()),
        (["system/Patient.rs"], {"Observation"}),
        (["system/Patient.read", "system/Observation.write"], {"Observation"}),
        (["system/Patient.rs", "system/Observation.c"], {"Observation"}),
        (["system/Condition.rs"], {"Patient", "Observation"}),
        (["default"], set()),
        ([], set()),
    ],
)
def test_a_type_without_its_permission_is_denied(granted: list[str], denied: set[str]) -> None:
    assert denied_types(READING, granted) == denied


@pytest.mark.parametrize(
    ("granted", "denied"),
    [
        (["system/MeasureReport.cruds"], set()),
        (["system/MeasureReport.*"], set()),
        (["system/MeasureReport.read", "system/MeasureReport.write"], set()),
        (["system/MeasureReport.rs"], {"MeasureReport"}),
        (["system/*.read"], {"MeasureReport"}),
        (["system/*.write"], {"MeasureReport"}),
    ],
)
def test_publishing_needs_looking_and_writing(granted: list[str], denied: set[str]) -> None:
    assert denied_types(PUBLISHING, granted) == denied


def test_a_scope_with_a_condition_allows_a_part_and_that_is_known() -> None:
    granted = ["system/Patient.rs", "system/Observation.rs?category=laboratory"]
    assert denied_types(READING, granted) == set()
    assert restricted_types(READING, granted) == {"Observation"}
    assert restricted_types(READING, [*granted, "system/*.rs"]) == set()
