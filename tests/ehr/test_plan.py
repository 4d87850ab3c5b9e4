"""How each resource type will be fetched, from what a server offers, what is known about it, and what a site wants."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from fhir_adapter.ehr.capability import Capability, TypeCapability
from fhir_adapter.ehr.code_search import in_portions, token
from fhir_adapter.ehr.plan import Level, StreamPlan, Wishes, plan
from fhir_adapter.ehr.vendors import NO_VENDOR, Fact, Kind, Vendor
from fhir_adapter.fhir.r4 import READ_TYPES

USUAL = {
    "Patient": {"_id", "identifier"},
    "Condition": {"patient", "code", "recorded-date"},
    "MedicationAdministration": {"patient", "code", "effective-time"},
    "Medication": {"code"},
    "Procedure": {"patient", "subject", "code", "date"},
    "Observation": {"patient", "code", "category", "date"},
    "AdverseEvent": {"subject", "event", "date"},
    "Encounter": {"patient", "date"},
}


def server(without: str = "", also: frozenset[str] = frozenset({"_lastUpdated", "_id"}), **more: object) -> Capability:
    """A server that offers what a study reads, except one type."""
    offered = {
        type: TypeCapability(search=True, read=True, history=True, search_params=frozenset(params) | also)
        for type, params in USUAL.items()
        if type != without
    }
    return Capability("4.0.1", "Some Server", offered, True, **more)  # type: ignore[arg-type]


def fact(kind: Kind, verified: bool = True, **more: object) -> Fact:
    about = {"says": "it does", "seen": "2026-11", "source": "a manual"}
    return Fact.model_validate({"kind": kind, "verified": verified, **about, **more})


def planned(
    type: str,
    people: tuple[str, ...] = (),
    *facts: Fact,
    wishes: Wishes | None = None,
    capability: Capability | None = None,
) -> StreamPlan:
    vendor = Vendor(key="some", name="Some", facts=facts) if facts else NO_VENDOR
    (found,) = plan(capability or server(), [type], people, vendor=vendor, wishes=wishes or Wishes())
    return found


def test_without_anything_special_every_type_is_searched_as_a_whole_for_what_changed() -> None:
    streams = plan(server(), READ_TYPES)
    assert {(stream.how, stream.since_param, stream.history, stream.post) for stream in streams} == {
        ("search", "_lastUpdated", True, False)
    }
    assert all(stream.reason == f"{stream.type} is searched as a whole." for stream in streams)


def test_the_parameters_have_the_names_of_r4() -> None:
    assert planned("AdverseEvent", ("a",)).person_param == "subject"
    assert planned("MedicationAdministration").date_param == "effective-time"
    assert planned("Condition").date_param == "recorded-date"
    assert planned("Patient", ("a",)).person_param == "_id"
    assert planned("Patient").date_param == ""


def test_a_date_parameter_that_the_server_does_not_list_is_not_used() -> None:
    capability = Capability("4.0.1", "", {"Observation": TypeCapability(search=True)}, False)
    assert planned("Observation", capability=capability).date_param == ""


def test_a_type_without_last_updated_is_fetched_in_full_and_says_so() -> None:
    found = planned("Observation", capability=server(also=frozenset()))
    assert found.since_param == ""
    assert "fetched in full each time" in found.reason


def test_what_a_missing_type_means_for_the_study_is_said_for_every_type() -> None:
    for type in READ_TYPES:
        found = planned(type, capability=server(without=type))
        assert found.how == "unsupported"
        assert found.reason.startswith(f"{type} is not offered by this server. ")
        assert "What it would have said" not in found.reason


def test_a_type_without_permission_is_not_searched_and_says_so() -> None:
    (found,) = plan(server(), ["AdverseEvent"], denied=frozenset({"AdverseEvent"}))
    assert found.how == "unsupported"
    assert "no permission to read it. Adverse events are unknown" in found.reason


# What is known about the maker of a server


def test_a_type_that_needs_a_patient_is_asked_for_each_even_when_nobody_was_listed() -> None:
    found = planned("Observation", (), fact("person-required", types=["Observation"]))
    assert (found.how, found.person_param, found.people) == ("person", "patient", ())
    assert found.for_people(["a", "b"]).people == ("a", "b")
    assert planned("Procedure", (), fact("person-required", types=["Observation"])).how == "search"
    assert found.unseen == ""


def test_what_is_not_verified_changes_nothing() -> None:
    hearsay = [
        fact("person-required", verified=False),
        fact("narrowing-required", verified=False, param="category", values=["laboratory"]),
        fact("no-last-updated", verified=False),
        fact("page-size", verified=False, limit=5),
        fact("totals-wrong", verified=False),
        fact("post-unusable", verified=False),
        fact("export-without", verified=False),
    ]
    for type in READ_TYPES:
        assert planned(type, (), *hearsay) == planned(type)
        wishes = Wishes("system", by_post=True)
        assert planned(type, (), *hearsay, wishes=wishes) == planned(type, wishes=wishes)


def test_what_was_shown_by_the_server_counts_for_the_type_it_was_shown_for() -> None:
    rumour = fact("narrowing-required", verified=False, param="category", values=["laboratory", "exam"])
    vendor = Vendor(facts=(rumour,)).believing(rumour, "Observation")
    observation, procedure = plan(server(), ["Observation", "Procedure"], ["a"], vendor=vendor)
    assert (observation.how, observation.code_param, observation.codes) == ("person", "category", ("laboratory,exam",))
    assert "without one of the usual values of category are not seen" in observation.reason
    assert procedure.codes == ()


def test_a_vendor_without_last_updated_wins_over_a_statement_that_lists_it() -> None:
    assert planned("Patient", (), fact("no-last-updated", types=["Patient"])).since_param == ""
    assert planned("Observation", (), fact("no-last-updated", types=["Patient"])).since_param == "_lastUpdated"


def test_a_site_may_want_a_type_in_full_and_totals_not_believed() -> None:
    found = planned("Observation", wishes=Wishes(in_full=("Observation",), totals=False))
    assert (found.since_param, found.trust_total) == ("", False)
    assert "fetched in full each time" in found.reason
    assert planned("Procedure", wishes=Wishes(in_full=("Observation",))).since_param == "_lastUpdated"


def test_page_size_totals_and_post_follow_the_vendor() -> None:
    found = planned(
        "Observation",
        (),
        fact("page-size", limit=200),
        fact("totals-wrong"),
        fact("post-unusable"),
        wishes=Wishes(by_post=True),
    )
    assert (found.page_size, found.trust_total, found.post) == (200, False, False)
    assert planned("Observation", wishes=Wishes(by_post=True)).post


# Search by code

TOKENS = [token("http://loinc.org", f"{number}-1") for number in range(100)]


def test_a_type_asked_for_by_code_says_what_is_not_seen() -> None:
    found = planned("Observation", wishes=Wishes(codes={"Observation": TOKENS[:2]}))
    assert (found.how, found.code_param, found.codes) == (
        "codes",
        "code",
        ("http://loinc.org|0-1,http://loinc.org|1-1",),
    )
    assert found.reason == (
        "Observation is searched by code: records that have only a text, or a code that the study does not know, "
        "are not seen, nor panels whose code is not known, whatever is in them, and follow-up may end earlier, as "
        "other records no longer show that somebody lived."
    )


def test_doses_that_point_to_a_medication_are_said_to_be_lost_by_code() -> None:
    found = planned("MedicationAdministration", wishes=Wishes(codes={"MedicationAdministration": TOKENS[:1]}))
    assert "are not seen, nor those that point to a Medication, and follow-up may end earlier" in found.reason


def test_codes_of_adverse_events_go_to_the_parameter_that_r4_has() -> None:
    assert planned("AdverseEvent", wishes=Wishes(codes={"AdverseEvent": TOKENS[:1]})).code_param == "event"


def test_panels_are_found_by_the_codes_inside_them_where_the_server_can_do_that() -> None:
    capability = server(also=frozenset({"combo-code", "_lastUpdated"}))
    found = planned("Observation", wishes=Wishes(codes={"Observation": TOKENS[:1]}), capability=capability)
    assert found.code_param == "combo-code"
    assert "panels" not in found.reason


def test_codes_are_asked_for_each_patient_when_the_patients_are_known() -> None:
    found = planned("Observation", ("a",), wishes=Wishes(codes={"Observation": TOKENS}))
    assert found.how == "person"
    assert len(found.codes) > 1
    assert f"by code in {len(found.codes)} portions" in found.reason


def test_a_server_that_cannot_search_by_code_is_asked_for_everything() -> None:
    capability = Capability(
        "4.0.1", "", {"Observation": TypeCapability(search=True, search_params=frozenset({"date"}))}, False
    )
    assert planned("Observation", wishes=Wishes(codes={"Observation": TOKENS}), capability=capability).how == "search"


def test_codes_of_the_study_are_enough_for_a_server_that_wants_a_category_or_a_code() -> None:
    needs = fact("narrowing-required", param="category", values=["laboratory"])
    assert planned("Observation", (), needs, wishes=Wishes(codes={"Observation": TOKENS[:1]})).code_param == "code"


@pytest.mark.parametrize("room", [1, 50, 200, 1200])
def test_every_code_is_in_exactly_one_portion_that_fits(room: int) -> None:
    portions = list(in_portions([*TOKENS, TOKENS[0]], room))
    assert [one for portion in portions for one in portion.split(",")] == TOKENS
    assert all(len(quote(portion, safe="")) <= room or "," not in portion for portion in portions)


def test_a_portion_leaves_an_address_below_1800_characters() -> None:
    about = "https://ehr.a-rather-long-hospital-name.example/api/FHIR/R4/Observation?_count=200&patient=" + "x" * 64
    dates = "&_lastUpdated=ge2026-11-22T10%3A00%3A00Z&_lastUpdated=le2026-11-22T10%3A00%3A00Z"
    longest = max(len(quote(portion, safe="")) for portion in in_portions(TOKENS))
    assert longest + len(about) + len(dates) + len("&code=") < 1800


def test_characters_that_mean_something_in_a_search_are_escaped() -> None:
    assert token("https://a.example/x|y", "1,2$3\\4") == "https://a.example/x\\|y|1\\,2\\$3\\\\4"
    assert token("", "abc") == "abc"


# Bulk export


@pytest.mark.parametrize(
    ("level", "exported"),
    [
        ("system", set(READ_TYPES)),
        ("group", set(READ_TYPES) - {"Medication"}),
        ("patient", set(READ_TYPES) - {"Medication"}),
    ],
)
def test_what_belongs_to_nobody_is_exported_with_the_whole_server_only(level: Level, exported: set[str]) -> None:
    streams = plan(server(), READ_TYPES, wishes=Wishes(level))
    assert {stream.type for stream in streams if stream.how == "export"} == exported
    assert {stream.how for stream in streams if stream.type not in exported} <= {"search"}


def test_a_type_that_a_vendor_leaves_out_of_its_export_is_searched() -> None:
    lacks = fact("export-without", types=["MedicationAdministration"])
    assert planned("MedicationAdministration", ("a",), lacks, wishes=Wishes("group")).how == "person"
    assert planned("Observation", ("a",), lacks, wishes=Wishes("group")).how == "export"


def test_a_type_that_is_listed_but_cannot_be_searched_can_be_exported() -> None:
    capability = Capability("4.0.1", "", {"Observation": TypeCapability(read=True)}, False)
    assert planned("Observation", capability=capability).how == "unsupported"
    exported = planned("Observation", capability=capability, wishes=Wishes("system"))
    assert (exported.how, exported.searchable) == ("export", False)


def test_a_server_for_export_alone_is_asked_for_every_type_although_it_lists_none_of_them() -> None:
    types = {"Patient": TypeCapability(operations=frozenset({"export"})), "Group": TypeCapability(read=True)}
    capability = Capability("4.0.1", "", types, False)
    streams = plan(capability, READ_TYPES, wishes=Wishes("group"))
    assert {(stream.how, stream.searchable) for stream in streams} == {("export", False)}
    assert {stream.how for stream in plan(capability, READ_TYPES)} == {"unsupported"}


def test_an_export_can_tell_what_changed_even_where_a_search_cannot() -> None:
    found = planned("Observation", wishes=Wishes("group"), capability=server(also=frozenset()))
    assert found.reason == "Observation is taken from a bulk export."
