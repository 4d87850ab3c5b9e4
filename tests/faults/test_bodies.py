"""Numbers 8 to 20: bodies that are cut, damaged, too big, too slow, or no FHIR at all."""

from __future__ import annotations

import gzip
import tracemalloc
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from faultserver import GZIP, answer, bomb, chunked, drips, is_silent, resets, sends
from front import FHIR, Trick, does, framed, says, then
from served_hospital import Hospital
from whole_runs import bundles, command, files, resources, write_ndjson

from fhir_adapter.ehr.decompression import decoder_for
from fhir_adapter.ehr.failures import Broken
from fhir_adapter.ehr.folder import read_pages, scan
from fhir_adapter.errors import StreamIncomplete

LOGIN = b"<!DOCTYPE html><html><body>Please sign in, Wang Xiaoming</body></html>"


def packed(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def is_repeated(hospital: Hospital, trick: Trick) -> None:
    """One broken answer on the second page: asked for again, and nothing of it is kept twice or lost."""
    hospital.front.on("Observation", trick, page=2)
    night = hospital.fetch()
    hospital.is_whole(night)
    assert hospital.front.pages("Observation") == [1, 2, 2, 3, 4, 5, 6, 7, 8]
    ledger = night.ledger["Observation"]
    assert (ledger.received, ledger.stored) == (120, 120)


def is_refused(hospital: Hospital, trick: Trick, says: str) -> None:
    """The same broken answer every time: incomplete, and the next night heals it."""
    hospital.front.on("Observation", trick, page=2, for_ever=True)
    hospital.is_incomplete(hospital.fetch(max_tries=2), "Observation", says)


def test_08_a_reset_at_byte_1000(hospital: Hospital) -> None:
    """The connection is reset after 1,000 bytes of a page: the page is asked for again, no half page is stored."""
    is_repeated(hospital, then(lambda body: resets(answer(body, FHIR)[:1000])))


def test_09_a_body_shorter_than_its_content_length(hospital: Hospital) -> None:
    """`Content-Length` is larger than the body: the page is asked for again."""
    is_repeated(hospital, framed(lambda body: answer(body, FHIR, length=len(body) + 1)))


@pytest.mark.parametrize("missing", [1, 2, 100, 5000])
def test_10a_a_body_without_a_length_that_was_cut(missing: int, hospital: Hospital) -> None:
    """A body that ends with the connection (no length) is cut: the JSON is not whole, so it is asked for again."""
    is_repeated(hospital, framed(lambda body: answer(body[:-missing], FHIR, length=-1)))


def test_10b_chunks_without_an_end(hospital: Hospital) -> None:
    """A chunked body without its last chunk: the page is asked for again."""
    is_repeated(hospital, framed(lambda body: chunked(body, FHIR, ended=False)))


def test_10c_a_file_of_lines_cut_at_any_byte(tmp_path: Path) -> None:
    """An NDJSON file of a folder cut at any byte: incomplete, or (cut between lines) whole lines; never half a line."""
    some = [one for one in resources(bundles("SYN-12")) if one["resourceType"] in ("Patient", "Procedure", "Condition")]
    write_ndjson(tmp_path / "in" / "Patient.ndjson", some)
    (file,) = scan(tmp_path / "in")
    whole = file.path.read_bytes()
    lines = whole.splitlines()
    refused = 0
    for cut in range(len(whole)):
        file.path.write_bytes(whole[:cut])
        try:
            received = [record.body for page in read_pages(file) for record in page.records]
        except StreamIncomplete:
            refused += 1
            continue
        assert received == lines[: len(received)], cut
        assert len(received) == len(whole[:cut].splitlines()), cut
    assert refused == len(whole) - 2 * len(lines)  # who cuts before or after the end of a line leaves whole lines


def test_10d_a_folder_with_a_file_that_was_cut(tmp_path: Path) -> None:
    """An NDJSON file of a folder that ends in the middle of a line: that file is incomplete, nothing is published."""
    write_ndjson(tmp_path / "in" / "Patient.ndjson", resources(bundles("SYN-12")))
    whole = (tmp_path / "in" / "Patient.ndjson").read_bytes()
    (tmp_path / "in" / "Patient.ndjson").write_bytes(whole[:-40])
    ended = command("run", "--folder", tmp_path / "in", "--out", tmp_path / "out")
    assert ended.code == 5
    assert "it ends in the middle of a line" in ended.err
    assert files(tmp_path / "out") == {}


def test_11a_a_compressed_page_cut_at_any_byte(hospital: Hospital) -> None:
    """A gzip body cut at any byte (every 7th and all others): refused every time."""
    url = f"{hospital.sandbox.base_url}/Observation?_count=15"
    with urllib.request.urlopen(url) as response:
        whole = packed(response.read())
    for cut in range(len(whole)):
        decoder = decoder_for("gzip", 1 << 20, 200.0)
        with pytest.raises(Broken):  # noqa: PT012 - either of them may notice
            list(decoder.feed(whole[:cut]))
            decoder.finish()


@pytest.mark.parametrize("frame", [answer, chunked, lambda part, *headers: answer(part, *headers, length=-1)])
def test_11b_compressed_pages_cut_on_the_wire(frame: Any, hospital: Hospital) -> None:
    """Gzip bodies cut on the wire, with a length, in chunks, or ended by the connection: asked for again each time."""
    for page in range(1, 8):
        cuts = [_cut(frame, (place + page / 8) / 12) for place in range(12)]
        # Here the JSON is whole, and only the trailer of the compressed body is missing.
        trailers = [_cut(frame, 1, missing) for missing in (1, 8)]
        hospital.front.on("Observation", *cuts, *trailers, page=page)
    hospital.is_whole(hospital.fetch(max_tries=15, deadline_s=10_000))
    assert len(hospital.front.pages("Observation")) == 8 + 7 * 14


def _cut(frame: Any, share: float, missing: int = 0) -> Trick:
    """The true body, compressed, of which only a share comes, and that without its last bytes."""

    def cut(body: bytes) -> bytes:
        whole = packed(body)
        return bytes(frame(whole[: int(share * len(whole)) - missing], FHIR, GZIP))

    return framed(cut)


def test_11c_a_compressed_file_cut_at_any_byte(tmp_path: Path) -> None:
    """A gzipped NDJSON file of a folder cut at any byte: incomplete every time."""
    write_ndjson(tmp_path / "in" / "Patient.ndjson.gz", resources(bundles("SYN-12"))[:4])
    (file,) = scan(tmp_path / "in")
    whole = file.path.read_bytes()
    for cut in range(len(whole)):
        file.path.write_bytes(whole[:cut])
        with pytest.raises(StreamIncomplete, match="cut short or damaged"):
            list(read_pages(file))


def test_12_a_wrong_checksum(hospital: Hospital) -> None:
    """A gzip body with a wrong CRC: refused."""
    is_refused(
        hospital, framed(lambda body: answer(_bad_checksum(packed(body)), FHIR, GZIP)), "damaged compressed body"
    )


def _bad_checksum(whole: bytes) -> bytes:
    return whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:]


def test_13_two_gzip_members(hospital: Hospital) -> None:
    """A gzip body of two members: both are read."""
    members = framed(lambda body: answer(packed(body[:500]) + packed(body[500:]), FHIR, GZIP))
    hospital.front.on("Observation", members, for_ever=True)
    hospital.is_whole(hospital.fetch())
    assert len(hospital.front.pages("Observation")) == 8


def test_14_a_plain_body_that_is_said_to_be_gzip(hospital: Hospital) -> None:
    """`Content-Encoding: gzip` on a plain body: refused, and the message names the header."""
    is_refused(hospital, framed(lambda body: answer(body, FHIR, GZIP)), "not gzip, as its header says")


def test_15_a_gzip_bomb(hospital: Hospital) -> None:
    """A gzip body of 300 KB that unpacks to 300 MiB: stopped at the limit, in less than 100 MiB of memory."""
    data = answer(bomb(300), FHIR, GZIP)
    hospital.front.on("Observation", does(sends(data)), page=2, for_ever=True)
    tracemalloc.start()
    night = hospital.fetch()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert hospital.front.pages("Observation") == [1, 2]
    assert peak < 100 << 20
    hospital.is_incomplete(night, "Observation", "compressed more than 200 times")


def test_16_a_drip(hospital: Hospital) -> None:
    """One byte now and then: stopped by the deadline of the request (exit 4), what was fetched is saved."""
    hospital.front.on("Observation", then(lambda body: drips(answer(body, FHIR), 0.1)), page=2, for_ever=True)
    night = hospital.fetch(deadline_s=0.5, concurrency=1)
    assert night.ended.code == 4
    assert "the limit for one request" in night.ended.err
    assert sum(key.startswith("Observation/") for key in night.held) == 15
    hospital.heals(night)


def test_17_an_answer_that_never_starts(hospital: Hospital) -> None:
    """The server takes the request and says nothing: asked again after `timeout_s`."""
    hospital.front.on("Observation", does(is_silent), page=2)
    hospital.is_whole(hospital.fetch(timeout_s=0.2))
    assert hospital.front.pages("Observation").count(2) == 2


@pytest.mark.parametrize("data", [b"", b"\x00\xffgarbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-"])
def test_18_no_http_at_all(data: bytes, hospital: Hospital) -> None:
    """An empty reply, a garbage status line, half a head: asked for again."""
    is_repeated(hospital, does(sends(data)))


def test_19a_a_page_for_people_once(hospital: Hospital) -> None:
    """A login or maintenance page in HTML with status 200: asked for again."""
    is_repeated(hospital, says("200 OK", "Content-Type: text/html", body=LOGIN))


@pytest.mark.parametrize("type", ["text/html", "application/fhir+json"])
def test_19b_a_page_for_people_for_ever(type: str, hospital: Hospital) -> None:
    """HTML with status 200 for ever: incomplete, "HTML or XML came instead of FHIR"; its text is not repeated."""
    hospital.front.on("Observation", says("200 OK", f"Content-Type: {type}", body=LOGIN), page=2, for_ever=True)
    night = hospital.fetch(max_tries=2)
    assert "Xiaoming" not in night.ended.told
    hospital.is_incomplete(night, "Observation", "HTML or XML came instead of FHIR JSON")


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ([], "a JSON array"),
        ("Wang Xiaoming", "a JSON string"),
        (None, "a bare JSON value"),
        ({"resourceType": "Patient", "id": "SYN-99"}, "another JSON object"),
    ],
)
def test_20_json_that_is_no_bundle(body: Any, seen: str, hospital: Hospital) -> None:
    """A JSON array, string, null or another resource with status 200: incomplete, and says what came."""
    hospital.front.on("Observation", says("200 OK", FHIR, body=body), page=2, for_ever=True)
    night = hospital.fetch()
    assert "Xiaoming" not in night.ended.told
    hospital.is_incomplete(night, "Observation", seen)
