"""What a fetch will ask for: who, by which way, and which settings a server cannot serve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from lyingserver import LyingServer

from fhir_adapter.ehr.plan import StreamPlan
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import AccessError, UsageError
from fhir_adapter.pipeline.checking import Expected, check_server, foresee
from fhir_adapter.pipeline.planning import FetchPlan, plan_fetch
from fhir_adapter.settings import Settings

NOW = "2026-11-22T12:00:00Z"
EXPORT = {"operation": [{"name": "export"}]}
GROUP = {"resourceType": "Group", "id": "g1", "type": "person", "actual": True}
MEMBERS = {"Group/g1": {**GROUP, "member": [{"entity": {"reference": "Patient/p2"}}]}}


class Credentials(httpx.Auth):
    """Everything was granted but one type."""

    denied_types = frozenset({"AdverseEvent"})
    granted_scopes = frozenset({"system/Patient.rs"})


def transport_to(server: LyingServer, auth: httpx.Auth | None = None) -> Transport:
    return Transport(server.base, auth=auth, max_tries=1, sleep=lambda _: None, wire=httpx.MockTransport(server))


def planned(server: LyingServer | None = None, **settings: Any) -> FetchPlan:
    server = server or LyingServer()
    plan = plan_fetch(transport_to(server), Settings(server=server.base, **settings), NOW)
    assert server.changes == []
    return plan


def streams(plan: FetchPlan) -> dict[str, StreamPlan]:
    return {stream.type: stream for stream in plan.streams}


def refused(server: LyingServer | None = None, **settings: Any) -> str:
    with pytest.raises(UsageError) as problem:
        planned(server, **settings)
    assert problem.value.hint
    return problem.value.message


def test_everybody_takes_one_request_to_plan() -> None:
    server = LyingServer()
    plan = planned(server)
    assert plan.population.everybody
    assert [one.url.path for one in server.asked] == ["/fhir/metadata"]
    assert plan.notes == ("Everybody whom the server lets us see is asked for.",)
    assert (plan.export_level, plan.vendor.key) == ("", "none")


def test_the_patients_of_a_file_are_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "patients.txt"
    file.write_text("p1\nPatient/p3\n", encoding="utf-8")
    plan = planned(patients=file)
    assert streams(plan)["Observation"].people == ("p1", "p3")
    assert streams(plan)["Patient"].how == "person"


def test_the_members_of_a_group_are_asked_for() -> None:
    assert streams(planned(LyingServer(more=MEMBERS), group="g1"))["Observation"].people == ("p2",)


def test_the_patients_of_a_list_are_asked_for() -> None:
    found = {"resourceType": "List", "id": "l1", "mode": "working", "entry": [{"item": {"reference": "Patient/p3"}}]}
    plan = planned(LyingServer(more={"List/l1": found}), list="l1")
    assert (plan.population.kind, plan.population.people) == ("list", ("p3",))


def test_a_membership_that_was_over_before_the_run_does_not_count() -> None:
    member = {"entity": {"reference": "Patient/p1"}, "period": {"end": "2026-11-21"}}
    assert "lists no patients" in refused(LyingServer(more={"Group/g1": {**GROUP, "member": [member]}}), group="g1")


def test_a_server_without_patients_cannot_serve_a_study() -> None:
    assert "no Patient resources" in refused(LyingServer({"no-Patient"}))


def test_a_type_without_permission_is_not_searched() -> None:
    server = LyingServer()
    plan = plan_fetch(transport_to(server, Credentials()), Settings(server=server.base), NOW)
    assert streams(plan)["AdverseEvent"].how == "unsupported"


# By code


def test_types_are_asked_for_by_the_codes_of_the_study() -> None:
    plan = streams(planned(by_code=("Observation",)))
    assert (plan["Observation"].how, plan["Observation"].code_param) == ("codes", "code")
    assert "http://loinc.org|751-8" in ",".join(plan["Observation"].codes).split(",")
    assert plan["Procedure"].how == "search"


def test_codes_of_another_study_folder_are_read_too(tmp_path: Path) -> None:
    assert "there is no study at" in refused(by_code=("Observation",), study=str(tmp_path / "none"))


@pytest.mark.parametrize(
    "settings", [{"by_code": ("Observations",)}, {"in_full": ("Basic",)}, {"by_code": ("Patient",)}]
)
def test_a_type_that_cannot_be_meant_is_not_ignored(settings: dict[str, Any]) -> None:
    assert f"the setting `{next(iter(settings))}` names" in refused(**settings)


# Bulk export


def test_bulk_export_is_off_unless_it_is_wanted() -> None:
    assert planned(LyingServer(rest=EXPORT)).export_level == ""


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        ({}, "system"),
        ({"group": "g1"}, ""),
        ({"bulk": "patient"}, "patient"),
        ({"bulk": "group", "group": "g1"}, "group"),
    ],
)
def test_the_level_of_the_export_fits_who_is_asked_for(settings: dict[str, Any], level: str) -> None:
    plan = planned(LyingServer(rest=EXPORT, more=MEMBERS), **{"bulk": "auto", **settings})
    assert plan.export_level == level
    assert (streams(plan)["Observation"].how == "export") == bool(level)
    assert bool(level) or "No bulk export fits" in plan.notes[-1]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"bulk": "group"}, "no Group is named"),
        ({"bulk": "system", "group": "g1"}, "exports everybody"),
        ({"bulk": "patient", "list": "l1"}, "exports everybody"),
    ],
)
def test_an_export_of_other_people_than_meant_is_refused(settings: dict[str, Any], told: str) -> None:
    assert told in refused(LyingServer(rest=EXPORT, more=MEMBERS), **settings)


def test_members_that_only_the_export_shows_are_no_obstacle_to_it() -> None:
    server = LyingServer(more={"Group/g1": GROUP})
    plan = planned(server, bulk="group", group="g1")
    assert plan.population.hidden
    assert "shows in its bulk export alone" in plan.notes[0]
    assert "lists no patients" in refused(server, group="g1")


def test_a_server_for_export_alone_says_which_setting_it_needs(tmp_path: Path) -> None:
    rest = {"resource": [{"type": "Patient", "operation": [{"name": "export"}]}]}
    with pytest.raises(UsageError) as problem:
        planned(LyingServer(rest=rest))
    assert problem.value.hint == "it offers bulk export (patient): set `bulk`"
    plan = planned(LyingServer(rest=rest), bulk="auto")
    assert {stream.how for stream in plan.streams} == {"export"}
    assert "FAIL" not in checked(LyingServer(rest=rest), bulk="auto", out=tmp_path / "out").values()


# Makers of servers


def test_what_is_only_said_about_a_maker_is_believed_when_the_server_shows_it() -> None:
    epic = {"software": {"name": "Epic"}}
    plan = planned(LyingServer({"needs-patient", "needs-category"}, statement=epic))
    assert plan.vendor.key == "epic"
    assert streams(plan)["Observation"].code_param == "category"
    assert "are not seen" in streams(plan)["Observation"].reason
    assert streams(planned(LyingServer({"needs-patient"}, statement=epic)))["Observation"].codes == ()


def test_a_site_may_switch_the_field_notes_off() -> None:
    epic = {"software": {"name": "Epic"}}
    assert streams(planned(LyingServer(statement=epic)))["Procedure"].since_param == ""
    assert streams(planned(LyingServer(statement=epic), vendor="none"))["Procedure"].since_param == "_lastUpdated"
    assert "`epik` is not known" in refused(vendor="epik")


def test_a_maker_whose_export_is_always_whole_is_not_asked_for_what_changed() -> None:
    assert not planned(LyingServer(more=MEMBERS), vendor="epic", bulk="group", group="g1").export_incremental
    assert planned(LyingServer(rest=EXPORT), bulk="auto").export_incremental


# What it will take


def expected(server: LyingServer, **settings: Any) -> dict[str, Expected]:
    found = foresee(transport_to(server), Settings(server=server.base, **settings), NOW)
    assert server.changes == []
    return {one.stream.type: one for one in found.expected}


def test_a_search_takes_as_many_requests_as_it_has_pages() -> None:
    found = expected(LyingServer(), page_size=5)["Observation"]
    assert (found.resources, found.requests, found.at_least) == (12, 3, False)
    assert expected(LyingServer(people=0))["Observation"].requests == 1


def test_searches_by_patient_take_one_request_for_each_at_least() -> None:
    found = expected(LyingServer({"needs-patient"}))["Observation"]
    assert (found.stream.how, found.resources, found.requests, found.at_least) == ("person", None, 3, True)
    found = expected(LyingServer(more=MEMBERS), group="g1", by_code=("Observation",))["Observation"]
    assert found.requests == len(found.stream.codes) > 1


def test_what_is_not_known_is_not_guessed() -> None:
    found = expected(LyingServer({"counts-nothing", "ignores-summary"}))["Observation"]
    assert (found.resources, found.requests, found.at_least) == (None, 1, True)
    found = expected(LyingServer(rest=EXPORT), bulk="auto")["Observation"]
    assert (found.resources, found.requests) == (None, None)


def test_a_type_that_is_not_served_is_a_problem_and_not_a_guess() -> None:
    found = expected(LyingServer({"breaks-Observation"}))["Observation"]
    assert (found.requests, found.problem) == (None, "it was refused (HTTP 422)")


# Checks beside the searches


def checked(server: LyingServer, auth: httpx.Auth | None = None, **settings: Any) -> dict[str, str]:
    """The verdict on each subject."""
    found = check_server(transport_to(server, auth), Settings(server=server.base, publish=False, **settings), NOW)
    assert server.changes == []
    return {one.subject: one.verdict for one in found.findings}


def test_permissions_that_were_not_granted_are_told(tmp_path: Path) -> None:
    assert checked(LyingServer(), Credentials(), out=tmp_path / "out")["scopes"] == "WARN"
    granted = Credentials()
    granted.denied_types = frozenset()
    assert checked(LyingServer(), granted, out=tmp_path / "out")["scopes"] == "OK"
    assert "scopes" not in checked(LyingServer(), out=tmp_path / "out")


def test_a_server_that_wants_a_login_is_told_from_one_that_does_not(tmp_path: Path) -> None:
    smart = {".well-known/smart-configuration": {"token_endpoint": "https://ehr.example/token"}}
    assert checked(LyingServer(), out=tmp_path / "out")["SMART"] == "OK"
    assert checked(LyingServer(more=smart), out=tmp_path / "out")["SMART"] == "WARN"


def test_a_disk_that_is_too_small_ends_the_check_with_7(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_adapter.output_folder.OutputFolder.free_bytes", lambda _: 10)
    server = LyingServer()
    found = check_server(transport_to(server), Settings(server=server.base, publish=False, out=tmp_path / "out"), NOW)
    (disk,) = [one for one in found.findings if one.subject == "disk"]
    assert (disk.verdict, found.exit_code) == ("FAIL", 7)
    assert not (tmp_path / "out").exists()


def test_probes_that_make_no_sense_are_refused() -> None:
    server = LyingServer()
    settings = Settings(server=server.base, publish=False)
    with pytest.raises(UsageError, match="nothing is published"):
        check_server(transport_to(server), settings, NOW, writes=True)
    with pytest.raises(UsageError, match="no bulk export to order"):
        check_server(transport_to(server), settings, NOW, export=True)


def test_credentials_that_are_refused_end_a_plan() -> None:
    transport = Transport("https://ehr.example/fhir", wire=httpx.MockTransport(lambda _: httpx.Response(401)))
    with pytest.raises(AccessError):
        plan_fetch(transport, Settings(server="https://ehr.example/fhir"), NOW)
