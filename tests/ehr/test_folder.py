"""A folder of FHIR files, as hospitals and tools write them."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapter.ehr.folder import read_pages, scan
from fhir_adapter.ehr.ndjson import read_lines
from fhir_adapter.ehr.page import Page
from fhir_adapter.errors import FhirAdapterError, StreamIncomplete, UsageError


def patient(id: str, **more: object) -> dict[str, object]:
    return {"resourceType": "Patient", "id": id, **more}


def line(value: object) -> bytes:
    return json.dumps(value).encode()


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def pages_of(folder: Path, **options: int) -> list[Page]:
    return [page for file in scan(folder) for page in read_pages(file, **options)]


def ids(pages: list[Page]) -> list[str]:
    return [record.id for page in pages for record in page.records]


def asides(pages: list[Page]) -> list[tuple[str, str]]:
    return [(aside.id, aside.reason) for page in pages for aside in page.quarantined]


def bundle(*entries: object, type: str = "collection") -> dict[str, object]:
    return {"resourceType": "Bundle", "type": type, "entry": list(entries)}


def test_every_kind_of_file_is_read_recursively_and_in_the_order_of_names(tmp_path: Path) -> None:
    write(tmp_path / "c.json", line(patient("c")))
    write(tmp_path / "b" / "x.ndjson.gz", gzip.compress(line(patient("b1")) + b"\n" + line(patient("b2")) + b"\n"))
    write(tmp_path / "a.ndjson", line(patient("a1")) + b"\n" + line(patient("a2")) + b"\n")
    write(tmp_path / "d.JSON", line([patient("d1"), patient("d2")]))
    write(tmp_path / "e.json.gz", gzip.compress(line(bundle({"resource": patient("e")}))))
    write(tmp_path / "notes.txt", b"not FHIR")
    write(tmp_path / ".hidden.json", line(patient("hidden")))
    write(tmp_path / ".git" / "x.json", line(patient("hidden")))
    pages = pages_of(tmp_path)
    assert [page.stream for page in pages] == ["a.ndjson", "b/x.ndjson.gz", "c.json", "d.JSON", "e.json.gz"]
    assert ids(pages) == ["a1", "a2", "b1", "b2", "c", "d1", "d2", "e"]


def test_the_bytes_of_a_resource_are_kept_as_they_were_written(tmp_path: Path) -> None:
    odd = b'{"id":"a" , "resourceType":"Patient", "multipleBirthInteger":1.0, "note": "\\u00e9"}'
    write(tmp_path / "a.ndjson", odd + b"\r\n")
    write(tmp_path / "b.json", b'{"resourceType":"Bundle","entry":[ {"resource": ' + odd + b"} ]}")
    write(tmp_path / "c.json", b"\xef\xbb\xbf [ " + odd + b"\n]\n")
    assert [record.body for page in pages_of(tmp_path) for record in page.records] == [odd] * 3


def test_byte_order_mark_carriage_returns_blank_lines_and_a_missing_last_newline_are_fine(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + line(patient("a")) + b"\r\n\r\n  \n\n" + line(patient("b"))
    write(tmp_path / "x.ndjson", text)
    pages = pages_of(tmp_path)
    assert (ids(pages), asides(pages)) == (["a", "b"], [])


def test_a_bad_line_is_set_aside_with_its_number_and_the_others_are_kept(tmp_path: Path) -> None:
    bad = [
        b"oops",
        b'{"resourceType":"Patient"}',
        b'{"resourceType":"Patient","id":"x","n":NaN}',
        b"[" * 5,
        b"{}",
        b"\0",
    ]
    write(tmp_path / "x.ndjson", b"\n".join([line(patient("a")), *bad, line(patient("b"))]) + b"\n")
    pages = pages_of(tmp_path)
    assert ids(pages) == ["a", "b"]
    assert asides(pages) == [
        ("line-2", "not-a-json-object"),
        ("line-3", "no-id"),
        ("line-4", "not-a-json-object"),
        ("line-5", "not-a-json-object"),
        ("line-6", "no-resource-type"),
        ("line-7", "not-a-json-object"),
    ]
    assert {aside.stream for page in pages for aside in page.quarantined} == {"x.ndjson"}


def test_a_line_beyond_the_limit_is_set_aside_and_the_reading_goes_on(tmp_path: Path) -> None:
    long = line(patient("long", note="x" * 300_000))
    write(tmp_path / "x.ndjson", line(patient("a")) + b"\n" + long + b"\n" + line(patient("b")) + b"\n")
    pages = pages_of(tmp_path, max_bytes=1_000)
    assert ids(pages) == ["a", "b"]
    (aside,) = [aside for page in pages for aside in page.quarantined]
    assert (aside.id, aside.reason) == ("line-2", "too-long")
    assert len(aside.body) < 5_000


def test_a_line_without_an_end_is_bounded_too(tmp_path: Path) -> None:
    write(tmp_path / "x.ndjson", line(patient("a")) + b"\n" + b"x" * 300_000)
    assert asides(pages_of(tmp_path, max_bytes=1_000)) == [("line-2", "too-long")]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_have_about_the_size_asked_for_and_count_up(tmp_path: Path, size: int) -> None:
    write(tmp_path / "x.ndjson", b"\n".join(line(patient(f"p{n}")) for n in range(5)))
    write(tmp_path / "y.json", line([patient(f"p{n}") for n in range(5)]))
    for file in scan(tmp_path):
        pages = list(read_pages(file, page_resources=size))
        assert [page.number for page in pages] == list(range(1, len(pages) + 1))
        assert all(page.received <= size for page in pages)
        assert ids(pages) == [f"p{n}" for n in range(5)]


def test_a_file_that_ends_in_the_middle_of_a_line_is_incomplete_but_its_whole_pages_are_kept(tmp_path: Path) -> None:
    whole = b"".join(line(patient(f"p{n}")) + b"\n" for n in range(4))
    file = write(tmp_path / "x.ndjson", whole[:-5])
    pages: list[Page] = []
    with pytest.raises(StreamIncomplete, match="middle of a line") as caught:
        pages.extend(read_pages(next(scan(tmp_path)), page_resources=1))
    assert caught.value.exit_code == 5
    assert "x.ndjson" not in caught.value.message + caught.value.hint, "a file may be named after a patient"
    file.write_bytes(whole)
    assert len(ids(pages_of(tmp_path))) == 4


@pytest.mark.parametrize("keep", [0, 5, 20, 60, -9, -1])
@pytest.mark.parametrize("name", ["y.ndjson.gz", "y.json.gz"])
def test_a_compressed_file_that_was_cut_is_incomplete(tmp_path: Path, name: str, keep: int) -> None:
    packed = gzip.compress(
        b"".join(line(patient(f"p{n}")) + b"\n" for n in range(50))
        if "nd" in name
        else line([patient(f"p{n}") for n in range(9)])
    )
    write(tmp_path / "a.json", line(patient("a")))
    write(tmp_path / name, packed[:keep])
    with pytest.raises(StreamIncomplete, match="cut short or damaged"):
        pages_of(tmp_path)


def test_a_compressed_file_with_a_wrong_checksum_or_no_compression_at_all_is_incomplete(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(line(patient("b"))))
    packed[-8] ^= 1
    for content in (bytes(packed), line(patient("b"))):
        write(tmp_path / "a.json", line(patient("a")))
        write(tmp_path / "b.ndjson.gz", content)
        with pytest.raises(StreamIncomplete):
            pages_of(tmp_path)


def test_a_compressed_file_with_several_members_is_read_to_the_last(tmp_path: Path) -> None:
    write(tmp_path / "x.ndjson.gz", b"".join(gzip.compress(line(patient(id)) + b"\n") for id in "abc"))
    assert ids(pages_of(tmp_path)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text",
    [b"", b'{"resourceType":"Patient","id":"a"', b'[{"resourceType":"Patient","id":"a"}', b'{"resourceType":"Bu'],
)
def test_a_json_file_that_was_cut_is_incomplete(tmp_path: Path, text: bytes) -> None:
    write(tmp_path / "a.json", line(patient("a")))
    write(tmp_path / "b.json", text)
    with pytest.raises(
        StreamIncomplete, match=r"File 2 of the folder \(a json file\) is incomplete: the JSON is cut short"
    ):
        pages_of(tmp_path)


def test_a_json_file_that_is_whole_but_not_fhir_is_set_aside(tmp_path: Path) -> None:
    write(tmp_path / "a.json", line(patient("a")))
    for name, text in {"b": b'{"name":"package"}', "c": b'{"id":"x","n":NaN}', "d": b'"text"', "e": b"<html/>"}.items():
        write(tmp_path / f"{name}.json", text)
    pages = pages_of(tmp_path)
    assert ids(pages) == ["a"]
    assert [reason for _, reason in asides(pages)] == ["no-resource-type", *["not-a-json-object"] * 3]


@pytest.mark.parametrize("type", ["collection", "searchset", "transaction", "batch", "document", "history", "message"])
def test_a_bundle_of_any_type_is_unfolded(tmp_path: Path, type: str) -> None:
    entries = [{"resource": patient("a"), "request": {"method": "PUT", "url": "Patient/a"}}, {"resource": patient("b")}]
    write(tmp_path / "x.json", line(bundle(*entries, type=type)))
    assert ids(pages_of(tmp_path)) == ["a", "b"]


def test_bundles_in_lines_arrays_and_bundles_are_unfolded(tmp_path: Path) -> None:
    inner = bundle({"resource": patient("a")}, {"resource": bundle({"resource": patient("b")})})
    write(tmp_path / "x.ndjson", line(inner) + b"\n" + line(bundle({"resource": patient("c")})) + b"\n")
    write(tmp_path / "y.json", line([inner, patient("d")]))
    assert ids(pages_of(tmp_path)) == ["a", "b", "c", "a", "b", "d"]


def test_bundles_in_bundles_without_end_are_set_aside(tmp_path: Path) -> None:
    nested: dict[str, object] = patient("deep")
    for _ in range(9):
        nested = bundle({"resource": nested})
    write(tmp_path / "x.json", line([patient("a"), nested]))
    pages = pages_of(tmp_path)
    assert ids(pages) == ["a"]
    assert [reason for _, reason in asides(pages)] == ["nested-too-deep"]


def test_one_bad_entry_does_not_take_the_bundle_with_it(tmp_path: Path) -> None:
    good, also = line({"resource": patient("a")}), line({"resource": patient("b")})
    poison = b'{"resource":{"resourceType":"Patient","id":"x","n":NaN}}'
    entries = b",".join([good, b"null", b"{}", poison, also])
    write(tmp_path / "x.json", b'{"resourceType":"Bundle","type":"collection","entry":[' + entries + b"]}")
    pages = pages_of(tmp_path)
    assert ids(pages) == ["a", "b"]
    assert asides(pages) == [
        ("document-entry-2", "not-a-json-object"),
        ("document-entry-3", "no-resource"),
        ("document-entry-4", "not-a-json-object"),
    ]


def test_an_operation_outcome_is_a_remark_and_not_data(tmp_path: Path) -> None:
    said = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
    write(tmp_path / "x.ndjson", line(patient("a")) + b"\n" + line(said) + b"\n")
    (page,) = pages_of(tmp_path)
    assert (page.received, [(issue.severity, issue.code) for issue in page.issues]) == (1, [("error", "exception")])


def test_a_patient_known_by_urn_inside_a_bundle_is_found(tmp_path: Path) -> None:
    urn = "urn:uuid:0b1c-a"
    entries = [
        {
            "fullUrl": "urn:uuid:obs",
            "resource": {"resourceType": "Observation", "id": "o", "subject": {"reference": urn}},
        },
        {"fullUrl": urn, "resource": patient("p1")},
        {"resource": {"resourceType": "Observation", "id": "other", "subject": {"reference": "urn:uuid:unknown"}}},
    ]
    write(tmp_path / "x.json", line(bundle(*entries, type="transaction")))
    (page,) = pages_of(tmp_path)
    assert {record.id: record.person for record in page.records} == {"o": "p1", "p1": "p1", "other": ""}
    assert dict(page.aliases) == {urn: "Patient/p1", "urn:uuid:obs": "Observation/o"}
    assert b"urn:uuid:0b1c-a" in page.records[0].body


def test_a_urn_of_another_bundle_is_not_used(tmp_path: Path) -> None:
    urn = "urn:uuid:a"
    about = {"resourceType": "Observation", "id": "o", "subject": {"reference": urn}}
    write(tmp_path / "x.json", line([bundle({"fullUrl": urn, "resource": patient("p1")}), bundle({"resource": about})]))
    (page,) = pages_of(tmp_path)
    assert [record.person for record in page.records] == ["p1", ""]


def test_a_resource_without_an_id_is_filed_under_the_uuid_of_its_full_url(tmp_path: Path) -> None:
    person, about = (
        {"resourceType": "Patient"},
        {"resourceType": "Observation", "subject": {"reference": "urn:uuid:p-1"}},
    )
    entries = [{"fullUrl": "urn:uuid:p-1", "resource": person}, {"fullUrl": "urn:uuid:o-1", "resource": about}]
    write(tmp_path / "x.json", line(bundle(*entries, type="transaction")))
    (page,) = pages_of(tmp_path)
    assert [(record.reference, record.person) for record in page.records] == [
        ("Patient/p-1", "p-1"),
        ("Observation/o-1", "p-1"),
    ]
    assert page.records[0].body == line(person)


@pytest.mark.parametrize("content", [{}, {"readme.md": b"x"}, {"x.json": b"{}"}, {"x.ndjson": b"", "y.json": b"[1]"}])
def test_a_folder_without_fhir_ends_with_exit_code_2(tmp_path: Path, content: dict[str, bytes]) -> None:
    for name, text in content.items():
        write(tmp_path / name, text)
    with pytest.raises(UsageError, match="holds no FHIR resources") as caught:
        scan(tmp_path)
    assert caught.value.exit_code == 2


def test_a_folder_that_is_not_there_or_is_a_file_ends_with_exit_code_2(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        scan(tmp_path / "missing")
    with pytest.raises(UsageError, match="is a file"):
        scan(write(tmp_path / "x.json", b"{}"))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.json", line(patient("a")))
    gone = write(tmp_path / "b.json", line(patient("b")))
    files = list(scan(tmp_path))
    gone.unlink()
    with pytest.raises(UsageError, match="file 2 of the folder"):
        list(read_pages(files[1]))


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    write(folder / "a.json", line(patient("a")))
    for name in ("x.ndjson", "x.json", "x.ndjson.gz"):
        write(folder / name, content)
        try:
            pages = pages_of(folder)
        except FhirAdapterError:
            continue
        finally:
            (folder / name).unlink()
        assert "a" in ids(pages)


@given(st.lists(st.booleans(), max_size=8), st.data())
def test_a_file_cut_at_any_byte_never_gives_a_resource_that_was_not_there(
    tmp_path_factory: pytest.TempPathFactory, ends: list[bool], data: st.DataObject
) -> None:
    whole = b"".join(line(patient(f"p{n}")) + (b"\n" if end else b"\r\n") for n, end in enumerate(ends))
    cut = data.draw(st.integers(0, len(whole)))
    folder = tmp_path_factory.mktemp("cut")
    write(folder / "a.json", line(patient("a")))
    write(folder / "x.ndjson", whole[:cut])
    try:
        pages = pages_of(folder)
    except StreamIncomplete:
        return
    assert set(ids(pages)) <= {"a", *(f"p{n}" for n in range(len(ends)))}
    assert asides(pages) == []


@given(st.binary(max_size=200), st.integers(1, 20))
def test_lines_are_the_lines_of_the_file(content: bytes, limit: int) -> None:
    lines = list(read_lines(io.BytesIO(content), limit))
    expected = [
        (number, text)
        for number, raw in enumerate(content.split(b"\n"), start=1)
        if (text := (raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw).strip(b" \t\r\n"))
    ]
    assert [found.number for found in lines if not found.too_long and found.text] == [
        number for number, text in expected if number not in {found.number for found in lines if found.too_long}
    ]
    assert all(len(found.text) <= limit for found in lines if not found.too_long)
