"""Number 7: resource types that a server does not have. Unknown is not the same as none."""

from __future__ import annotations

from front import Asked, Json, changed, says
from served_hospital import Hospital, Night
from whole_runs import command, files

MEANING = "Adverse events are unknown from this source, which is not the same as none."


def is_metadata(asked: Asked) -> bool:
    return asked.request.target.endswith("/metadata")


def lacks_adverse_events(statement: Json) -> None:
    (rest,) = statement["rest"]
    rest["resource"] = [one for one in rest["resource"] if one["type"] != "AdverseEvent"]


def says_what_is_lost(hospital: Hospital, why: str) -> Night:
    """`check` warns and ends with 0; the fetch takes everything else, and its ledger says why it does not know."""
    checked = command("check", "--server", hospital.front.base_url, "--out", hospital.out)
    assert checked.code == 0
    assert f"WARN  AdverseEvent              AdverseEvent {why}" in checked.out
    assert MEANING in " ".join(checked.out.split())
    night = hospital.fetch()
    assert night.ended.code == 0, night.ended.told
    stream = night.ledger["AdverseEvent"]
    assert (stream.received, stream.announced, stream.complete) == (0, None, True)
    assert stream.reason.startswith(f"AdverseEvent {why}")
    assert MEANING in stream.reason
    return night


def test_07a_a_type_that_the_server_does_not_list(hospital: Hospital) -> None:
    """The CapabilityStatement lists no AdverseEvent: `check` warns, the type is told to be unknown and never empty."""
    hospital.front.when(is_metadata, changed(lacks_adverse_events), for_ever=True)
    says_what_is_lost(hospital, "is not offered by this server.")
    assert hospital.front.pages("AdverseEvent") == []


def test_07b_a_type_that_is_listed_and_answered_with_404(hospital: Hospital) -> None:
    """HTTP 404 on a listed type: `check` warns, the type is told to be unknown and never empty."""
    hospital.front.on("AdverseEvent", says("404 Not Found"), for_ever=True)
    says_what_is_lost(hospital, "is listed by this server, and searching it is")


def test_07c_a_type_that_is_not_found_any_more(hospital: Hospital) -> None:
    """HTTP 404 on a type that an earlier run has fetched: incomplete; what was fetched stays."""
    hospital.is_whole(hospital.fetch())
    hospital.front.on("AdverseEvent", says("404 Not Found"), for_ever=True)
    night = hospital.fetch()
    assert night.ended.code == 5
    assert [one.stream for one in night.ledger.values() if not one.complete] == ["AdverseEvent"]
    assert any(reference.startswith("AdverseEvent/") for reference in night.held)
    assert files(night.out) == {}


def test_07d_a_type_that_is_not_listed_any_more(hospital: Hospital) -> None:
    """A type that an earlier run has fetched is not listed any more: incomplete; what was fetched stays."""
    hospital.is_whole(hospital.fetch())
    hospital.front.when(is_metadata, changed(lacks_adverse_events), for_ever=True)
    night = hospital.fetch()
    assert night.ended.code == 5
    assert "What earlier runs fetched of it is out of date." in night.ledger["AdverseEvent"].reason
    assert any(reference.startswith("AdverseEvent/") for reference in night.held)
