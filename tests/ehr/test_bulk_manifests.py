"""Manifests and files that are not what they should be: nothing of it may look like a whole export."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exports import Night, read, read_deletions
from exportserver import NOW, ExportServer, deletion, ndjson, outcome, refuses, resource
from faultserver import Request, answer, chunked, fault_server, sends

from fhir_adapter.ehr.bulk import ExportOrder
from fhir_adapter.errors import IncompleteError

Json = dict[str, Any]
MANIFEST_TYPE = "Content-Type: application/json"


def is_refused(night: Night) -> IncompleteError:
    """Nothing of it is used, and the server may forget it."""
    error = night.error()
    assert isinstance(error, IncompleteError)
    assert night.memory == {}
    assert len(night.server.deletes) == 1
    return error


# The manifest


@pytest.mark.parametrize("type", ["../../evil/Patient", "/etc/passwd", "Patient/x", "FooBar", ""])
def test_a_type_that_fhir_does_not_have_is_refused(type: str, server: ExportServer, night: Night) -> None:
    server.change = lambda manifest: manifest["output"].append({"type": type, "url": f"{server.origin}/files/x"})
    is_refused(night)
    assert list(night.folder.parent.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"done"',
        b"{}",
        b'{"transactionTime": "yesterday", "output": []}',
        b'{"transactionTime": "2026-11-22T01:59:00Z", "output": {}}',
        b'{"transactionTime": "2026-11-22T01:59:00Z", "output": [{"type": "Patient"}]}',
        b'{"transactionTime": "2026-11-22T01:59:00Z", "output": [{"type": "Patient", "url": "http://[x"}]}',
        b'{"transactionTime": "2026-11-22T01:59:00Z", "output": [], "outputOrganizedBy": "Patient"}',
    ],
)
def test_what_is_not_a_manifest_is_refused(body: bytes, server: ExportServer, night: Night) -> None:
    server.instead["status"] = [answer(body, MANIFEST_TYPE)]
    is_refused(night)


def test_a_type_that_is_silently_left_out_is_missing(server: ExportServer, night: Night) -> None:
    """Seen in the field: Patient left out while another file is empty."""
    server.files = {"Observation.1": server.files["Observation.1"], "Condition.1": b""}
    server.counts = False
    export = night.export(ExportOrder("system", ("Patient", "Observation", "Condition")))
    assert export.missing == ("Patient", "Condition")
    assert read(export, "Observation").incomplete is None
    for type in export.missing:
        assert read(export, type).incomplete is not None
        assert read(export, type, lambda type: False).incomplete is not None
        confirmed = read(export, type, lambda type: True)
        assert (confirmed.ids, confirmed.incomplete, len(confirmed.pages)) == ([], None, 1)
        assert confirmed.pages[0].cursor is not None


def test_an_empty_file_of_which_the_manifest_says_that_it_is_empty_is_believed(
    server: ExportServer, night: Night
) -> None:
    server.files["Patient.1"] = b""
    export = night.export()
    assert (export.missing, export.announced["Patient"]) == ((), 0)
    assert read(export, "Patient").incomplete is None


def paged(server: ExportServer, links: dict[str, str | None], **other: str) -> None:
    """Patients on the first page of the manifest, Observations on /page2; `links` say what `next` is where."""

    def page(path: str, part: int) -> Callable[[Request], bytes]:
        def render(_: Request) -> bytes:
            manifest = ExportServer.manifest(server)
            manifest["output"] = manifest["output"][part : part + 1]
            if other and part:
                manifest |= other
            if links.get(path):
                manifest["link"] = [{"relation": "next", "url": links[path]}]
            return answer(json.dumps(manifest).encode(), MANIFEST_TYPE, NOW)

        return render

    server.routes = {"/page1": page("/page1", 0), "/page2": page("/page2", 1)}
    server.alive["/page1"] = 0
    place = answer(b"", f"Content-Location: {server.origin}/page1", status="202 Accepted")
    server.instead["kickoff"] = [place, place]


def test_pages_of_the_manifest_are_followed(server: ExportServer, night: Night) -> None:
    paged(server, {"/page1": "/page2"})
    export = night.export()
    assert (read(export, "Patient").ids, read(export, "Observation").ids) == (["p1", "p2"], ["o0", "o1", "o2"])


@pytest.mark.parametrize("loop", ["/page1", "/page2"])
def test_pages_of_the_manifest_that_go_round_in_a_circle_are_refused(
    loop: str, server: ExportServer, night: Night
) -> None:
    paged(server, {"/page1": "/page2", "/page2": loop})
    assert "no end" in night.error().message


def test_pages_of_two_transaction_times_are_never_mixed(server: ExportServer, night: Night) -> None:
    paged(server, {"/page1": "/page2"}, transactionTime="2026-11-22T05:00:00Z")
    assert "transactionTime" in night.error().message


def test_a_page_of_the_manifest_elsewhere_is_not_asked_for(server: ExportServer, night: Night) -> None:
    with fault_server(sends(answer(b"{}"))) as elsewhere:
        paged(server, {"/page1": f"{elsewhere.origin}/page2"})
        assert night.error().exit_code == 5
        assert elsewhere.connections == 0


def test_a_page_of_the_manifest_that_has_expired_makes_a_new_export(server: ExportServer, night: Night) -> None:
    paged(server, {"/page1": "/page2"})
    server.instead["page2"] = [answer(b"<html>"), refuses("410 Gone")]
    assert read(night.export(), "Observation").ids == ["o0", "o1", "o2"]
    assert len(server.kickoffs) == 2


def test_a_file_that_is_listed_twice_is_one_file(server: ExportServer, night: Night) -> None:
    server.change = lambda manifest: manifest["output"].append(manifest["output"][0])
    export = night.export()
    assert export.announced["Patient"] == 2
    assert read(export, "Patient").ids == ["p1", "p2"]
    assert len(server.downloads("Patient.1")) == 1


@pytest.mark.parametrize("other", [{"type": "Observation"}, {"count": 99}])
def test_a_file_that_is_listed_as_two_different_things_is_neither(
    other: Json, server: ExportServer, night: Night
) -> None:
    server.change = lambda manifest: manifest["output"].append(manifest["output"][0] | other)
    is_refused(night)


@pytest.mark.parametrize(
    ("count", "announced"), [("2", 2), (2, 2), (None, None), (-1, None), ("two", None), (2.5, None)]
)
def test_counts_are_read_as_they_are_written(
    count: object, announced: int | None, server: ExportServer, night: Night
) -> None:
    server.change = lambda manifest: manifest["output"][0].update(count=count)
    assert night.export().announced["Patient"] == announced


# Counts


@pytest.mark.parametrize("count", [3, 1, 0, "500"])
def test_a_file_with_another_number_of_resources_than_announced_is_incomplete(
    count: object, server: ExportServer, night: Night
) -> None:
    server.change = lambda manifest: manifest["output"][0].update(count=count)
    patients = read(night.export(), "Patient")
    assert patients.ids == ["p1", "p2"]
    assert patients.incomplete is not None
    assert str(count) in patients.incomplete.message
    assert {page.announced for page in patients.pages} == {int(str(count))}
    assert [page.cursor for page in patients.pages] == [None]
    assert len(server.downloads("Patient.1")) == 1  # it has come just as the server has it


def test_remarks_among_the_resources_are_no_resources(server: ExportServer, night: Night) -> None:
    remark = outcome("warning", "informational", "Maria")
    server.files["Patient.1"] = ndjson([resource("Patient", "p1"), remark, resource("Patient", "p2")])
    export = night.export()
    patients = read(export, "Patient")
    assert (patients.ids, patients.incomplete) == (["p1", "p2"], None)
    assert export.announced["Patient"] == 2
    assert [issue.severity for page in patients.pages for issue in page.issues] == ["warning"]


def test_an_error_among_the_resources_makes_them_incomplete(server: ExportServer, night: Night) -> None:
    server.files["Patient.1"] = ndjson([resource("Patient", "p1"), outcome("error", "exception", "Maria")])
    patients = read(night.export(), "Patient")
    assert patients.incomplete is not None
    assert "exception" in patients.incomplete.message
    assert "Maria" not in patients.incomplete.message


def test_resources_of_another_type_are_set_aside(server: ExportServer, night: Night) -> None:
    server.files["Patient.1"] = ndjson([resource("Observation", f"o{n}") for n in range(3)])
    patients = read(night.export(), "Patient")
    assert patients.ids == []
    assert patients.reasons == ["wrong-type-in-file"] * 3
    assert patients.incomplete is not None


def test_lines_that_are_no_resources_are_set_aside_one_by_one(server: ExportServer, night: Night) -> None:
    good = json.dumps(resource("Patient", "p1")).encode()
    server.files["Patient.1"] = b"\n".join([good, b"{", b'{"resourceType":"Patient"}', b"\xff", good]) + b"\n"
    patients = read(night.export(), "Patient")
    assert patients.ids == ["p1", "p1"]
    assert patients.reasons == ["not-a-json-object", "no-id", "not-a-json-object"]
    assert patients.pages[-1].cursor is None  # nobody knows what they were: they have to be asked for again


# Files


def test_line_ends_blank_lines_and_a_byte_order_mark_do_not_matter(server: ExportServer, night: Night) -> None:
    good = [json.dumps(resource("Patient", id)).encode() for id in ("p1", "p2")]
    server.files["Patient.1"] = b"\xef\xbb\xbf" + good[0] + b"\r\n\r\n  \n" + good[1] + b"\r\n"
    assert read(night.export(), "Patient").ids == ["p1", "p2"]


@pytest.mark.parametrize("cut", [1, 20])
def test_a_file_that_is_cut_is_fetched_again(cut: int, server: ExportServer, night: Night) -> None:
    whole = server.files["Patient.1"]
    compressed = gzip.compress(whole)
    server.instead["Patient.1"] = [
        answer(whole[:-cut], length=len(whole)),
        answer(compressed[:-cut], "Content-Encoding: gzip"),
        answer(compressed[:-cut]),
        chunked(whole[:-cut], ended=False),
        answer(whole[: -cut - 1], length=-1),
    ]
    patients = read(night.export(), "Patient")
    assert (patients.ids, patients.incomplete) == (["p1", "p2"], None)
    assert len(server.downloads("Patient.1")) == 6


def test_a_file_that_stays_cut_is_incomplete(server: ExportServer, night: Night) -> None:
    server.files["Patient.1"] = server.files["Patient.1"][:-9]
    patients = read(night.export(), "Patient")
    assert patients.ids == ["p1"]
    assert patients.incomplete is not None
    assert len(server.downloads("Patient.1")) == 3


@pytest.mark.parametrize(("times", "whole"), [(2, True), (3, False)])
def test_a_body_without_an_end_that_is_cut_at_a_line_is_found_by_its_count(
    times: int, whole: bool, server: ExportServer, night: Night
) -> None:
    content = server.files["Patient.1"]
    server.instead["Patient.1"] = [answer(content[: content.index(b"\n") + 1], length=-1)] * times
    assert (read(night.export(), "Patient").incomplete is None) is whole


@pytest.mark.parametrize(
    ("counted", "framed", "whole"),
    [(True, True, True), (True, False, True), (False, True, True), (False, False, False)],
)
def test_a_last_line_without_an_end_needs_a_proof_that_it_is_the_last(
    counted: bool, framed: bool, whole: bool, server: ExportServer, night: Night
) -> None:
    server.counts = counted
    content = server.files["Patient.1"].rstrip()
    server.files["Patient.1"] = content
    server.routes["/files/Patient.1"] = lambda _: answer(content, length=None if framed else -1)
    patients = read(night.export(), "Patient")
    assert (patients.incomplete is None) is whole


def test_a_file_that_nobody_gets_makes_its_type_incomplete_and_no_other(server: ExportServer, night: Night) -> None:
    server.instead["Patient.1"] = [refuses("500 Error")] * 6
    export = night.export()
    patients = read(export, "Patient")
    assert (patients.ids, patients.incomplete is not None) == ([], True)
    assert read(export, "Observation").incomplete is None


# Links


def test_a_link_that_has_expired_is_made_anew_and_what_is_here_is_kept(server: ExportServer, night: Night) -> None:
    def signs_anew(manifest: Json) -> None:
        for file in manifest["output"]:
            file["url"] += f"?signature={len(server.asked)}"

    server.change = signs_anew
    server.instead["Observation.1"] = [refuses("403 Forbidden")]
    export = night.export()
    assert read(export, "Observation").ids == ["o0", "o1", "o2"]
    assert read(export, "Patient").ids == ["p1", "p2"]
    assert (len(server.kickoffs), len(server.downloads("Patient.1"))) == (1, 1)


@pytest.mark.parametrize("status", ["400 Bad", "401 Unauthorized", "403 Forbidden", "404 Not Found", "410 Gone"])
def test_a_file_that_is_refused_is_tried_with_a_fresh_link_then_with_a_new_export(
    status: str, server: ExportServer, night: Night
) -> None:
    server.instead["Observation.1"] = [refuses(status)] * 3
    assert read(night.export(), "Observation").ids == ["o0", "o1", "o2"]
    assert len(server.kickoffs) == 2
    assert [one.target for one in server.deletes] == ["/fhir/jobs/1"]


def test_a_file_that_is_refused_again_and_again_makes_its_type_incomplete(server: ExportServer, night: Night) -> None:
    server.instead["Observation.1"] = [refuses("404 Not Found")] * 9
    export = night.export()
    assert read(export, "Observation").incomplete is not None
    assert read(export, "Patient").incomplete is None
    assert len(server.kickoffs) == 2


def test_a_fresh_manifest_of_another_time_makes_a_new_export(server: ExportServer, night: Night) -> None:
    def changes(manifest: Json) -> None:
        if server.downloads():
            manifest["transactionTime"] = "2026-11-22T05:00:00Z"

    server.change = changes
    server.instead["Observation.1"] = [refuses("403 Forbidden")]
    export = night.export()
    assert export.transaction_time == "2026-11-22T05:00:00Z"
    assert (len(server.kickoffs), len(server.downloads("Patient.1"))) == (2, 2)


def test_links_that_are_known_to_have_expired_are_not_tried(server: ExportServer, night: Night) -> None:
    """The night's clock runs an hour between two files; the links work for ten minutes."""
    server.manifest_headers = ("Expires: Sun, 22 Nov 2026 02:10:00 GMT",)
    content = server.files["Patient.1"]

    def takes_an_hour(_: Request) -> bytes:
        night.clock += 3_600
        return answer(content)

    server.routes["/files/Patient.1"] = takes_an_hour
    export = night.export()
    assert read(export, "Observation").ids == ["o0", "o1", "o2"]
    assert len(server.asked_for("/jobs/", "GET")) == 3
    assert len(server.downloads("Observation.1")) == 1


def test_links_that_were_expired_from_birth_are_tried_all_the_same(server: ExportServer, night: Night) -> None:
    server.manifest_headers = ("Expires: Thu, 01 Jan 1970 00:00:00 GMT",)
    assert read(night.export(), "Patient").ids == ["p1", "p2"]
    assert len(server.asked_for("/jobs/", "GET")) == 2


def test_a_login_page_instead_of_a_file_is_a_link_that_does_not_work(server: ExportServer, night: Night) -> None:
    page = answer(b"<!DOCTYPE html><html>sign in</html>", "Content-Type: text/html")
    server.instead["Patient.1"] = [page]
    assert read(night.export(), "Patient").ids == ["p1", "p2"]


# Remarks and deletions


@pytest.mark.parametrize("name", ["error", "outcome"])
@pytest.mark.parametrize(
    ("severity", "whole"),
    [("error", False), ("fatal", False), ("warning", True), ("information", True), ("success", True)],
)
def test_what_the_server_says_went_wrong_is_read(
    name: str, severity: str, whole: bool, server: ExportServer, night: Night
) -> None:
    server.files["error.1"] = ndjson([outcome(severity, "processing", "Maria")])
    server.change = lambda manifest: manifest.update({name: manifest.pop("error")})
    export = night.export()
    assert (export.problems == ()) is whole
    remarks = read_deletions(export)
    assert [issue.severity for issue in remarks.pages[0].issues] == [severity]
    assert (remarks.incomplete is None) is whole
    assert "Maria" not in str(remarks.incomplete)


@pytest.mark.parametrize("content", [b'{"resourceType":"Patient"}\n', b"nonsense\n"])
def test_a_remark_that_cannot_be_read_counts_as_an_error(content: bytes, server: ExportServer, night: Night) -> None:
    server.files["error.1"] = content
    assert night.export().problems


def test_remarks_that_cannot_be_had_count_as_an_error(server: ExportServer, night: Night) -> None:
    server.files["error.1"] = ndjson([outcome("warning", "processing")])
    server.instead["error.1"] = [refuses("404 Not Found")] * 9
    assert read_deletions(night.export()).incomplete is not None


@pytest.mark.parametrize("count", [1, 2])
def test_deletions_may_be_counted_by_line_or_one_by_one(count: int, server: ExportServer, night: Night) -> None:
    server.files["deleted.1"] = ndjson([deletion("Patient/a", "Patient/b")])
    server.change = lambda manifest: manifest["deleted"][0].update(count=count)
    assert read_deletions(night.export()).incomplete is None


def test_deletions_that_do_not_add_up_are_incomplete(server: ExportServer, night: Night) -> None:
    server.files["deleted.1"] = ndjson([deletion("Patient/a", "Patient/b")])
    server.change = lambda manifest: manifest["deleted"][0].update(count=7)
    deletions = read_deletions(night.export())
    assert deletions.deleted == ["Patient/a", "Patient/b"]
    assert deletions.incomplete is not None


# Where files are


def test_a_file_elsewhere_is_not_asked_for_unless_the_settings_list_its_host(
    server: ExportServer, tmp_path: Path
) -> None:
    whole = server.files["Patient.1"]
    with fault_server(sends(answer(whole))) as elsewhere:
        server.change = lambda manifest: manifest["output"][0].update(url=f"{elsewhere.origin}/p.ndjson?sig=1")
        refused = read(Night(server, tmp_path / "a").export(), "Patient").incomplete
        assert refused is not None
        assert elsewhere.origin in refused.message
        assert elsewhere.connections == 0
        listed = Night(server, tmp_path / "b", options={"download_hosts": [elsewhere.origin]})
        assert read(listed.export(), "Patient").ids == ["p1", "p2"]
