"""Numbers 58 to 68 and 74 to 82: what resources hold, brought by a server or in a folder, down to the cohort."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest
from faultserver import GZIP, chunked
from front import FHIR, framed
from made_up_chart import LAB, PATIENT, Bring, from_a_folder, from_a_server, lab, spelled, text, with_value
from served_hospital import Hospital, Night
from whole_runs import Resource, bundles, command, resource, resources, succeed, write_ndjson

ANC = resource("Observation/SYN-12-anc-20250207")
MODIFIER = [{"url": "https://ehr.example/negates", "valueBoolean": True}]


@pytest.fixture(params=["server", "folder"])
def bring(request: pytest.FixtureRequest, hospital: Hospital, tmp_path: Path) -> Bring:
    """Brings odd resources along with the chart of one patient, by either way in."""
    return from_a_server(hospital) if request.param == "server" else from_a_folder(tmp_path)


@pytest.mark.parametrize("end", [b"\n", b""])
def test_58_a_line_of_50_megabytes(end: bytes, tmp_path: Path) -> None:
    """An NDJSON line of 50 MB, or one that never ends: quarantined, memory stays below 100 MiB; the file is incomplete,
    unless `unreadable_lines` allows for it.
    """
    write_ndjson(tmp_path / "in" / "Patient.ndjson", resources(bundles("SYN-12", "shared")))
    with (tmp_path / "in" / "Observation.ndjson").open("wb") as file:
        file.write(text(LAB | {"id": "before"}) + b"\n" + b'{"resourceType":"Observation","note":"')
        for _ in range(50):
            file.write(b"x" * (1 << 20))
        file.write(end + (text(LAB | {"id": "after"}) + b"\n" if end else b""))
    tracemalloc.start()
    night = Night(command("fetch", "--folder", tmp_path / "in", "--out", tmp_path / "out"), tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20
    assert night.ended.code == 5
    assert night.reasons == ["too-long"]
    assert {"Observation/before"} | ({"Observation/after"} if end else set()) <= set(night.held)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_59_characters_split_over_chunks(size: int, zipped: bool, hospital: Hospital) -> None:
    """A UTF-8 character split over two chunks, plain or compressed: it arrives whole."""
    plain = framed(lambda body: chunked(body, FHIR, size=size))
    compressed = framed(lambda body: chunked(gzip.compress(body), FHIR, GZIP, size=size))
    hospital.front.on("Patient", compressed if zipped else plain, for_ever=True)
    night = hospital.fetch()
    hospital.is_whole(night)
    assert "潘思敏".encode() in night.held["Patient/SYN-12"]


def test_60_bytes_that_are_no_text(bring: Bring) -> None:
    """Invalid UTF-8, half a surrogate pair, NUL: quarantined."""
    chart = bring(
        spelled("utf8", b'"vendor":"\xff"'),
        spelled("half", b'"vendor":"\\ud800"'),
        spelled("escaped-nul", b'"vendor":"\\u0000"'),
        spelled("nul", b'"vendor":"\x00"'),
    )
    assert sorted(chart.reasons.values()) == [
        "control-character",
        "invalid-utf8",
        "not-a-json-object",
        "not-a-json-object",
    ]
    assert chart.kept == set()


def test_61_a_key_that_is_there_twice(bring: Bring) -> None:
    """Duplicate keys of a JSON object: quarantined, because nobody knows which one was meant."""
    chart = bring(spelled("twice", b'"status":"amended"'), spelled("deep", b'"note":[{"text":"a","text":"b"}]'))
    assert chart.reasons == {"odd-twice": "duplicate-key", "odd-deep": "duplicate-key"}


def test_62_numbers_nobody_has_measured(bring: Bring) -> None:
    """NaN, Infinity, 1e400, 5,000 digits: quarantined; -0.0 is read as 0."""
    numbers = (b"NaN", b"Infinity", b"-Infinity", b"1e400", b"9" * 5000, b"1." + b"0" * 5000)
    zero = text(ANC | {"id": "odd-zero", "valueQuantity": {"value": 0, "unit": "10*9/L"}})
    chart = bring(
        *(with_value(f"number-{place}", number) for place, number in enumerate(numbers)),
        zero.replace(b'"value":0', b'"value":-0.0'),
    )
    assert sorted(chart.reasons.values()) == ["not-a-json-object"] * 3 + ["number-out-of-range"] * 3
    assert chart.kept == {"odd-zero"}
    assert chart.lab("odd-zero")["value"] == "0"


def test_63_the_digits_of_a_number(bring: Bring) -> None:
    """A value 1.50: kept as 1.50 in the landing store."""
    precise = text(ANC | {"id": "odd-precise", "valueQuantity": {"value": "*", "unit": "10*9/L"}})
    chart = bring(precise.replace(b'"*"', b"1.50"))
    assert b'"value":1.50' in chart.body("odd-precise")
    assert chart.lab("odd-precise")["value"] == "1.5"
    assert chart.lab("odd-precise")["as_reported"] == "1.50 10*9/L"


def test_64_nesting_without_end(bring: Bring) -> None:
    """100,000 nested arrays, 200 nested extensions: quarantined, no crash."""
    chart = bring(
        spelled("arrays", b'"vendor":' + b"[" * 100_000 + b"]" * 100_000),
        spelled("extensions", b'"extension":' + b'[{"url":"u","extension":' * 200 + b"[]" + b"}]" * 200),
    )
    assert len(chart.reasons) == 2
    assert chart.reasons["odd-extensions"] == "nested-too-deeply"
    assert chart.kept == set()


def test_65_elements_nobody_knows(bring: Bring) -> None:
    """An unknown element or extension: kept. An unknown modifierExtension, at any depth: quarantined."""
    chart = bring(
        lab("element", vendorElement={"a": [1]}),
        lab("extension", extension=[{"url": "https://ehr.example/colour", "valueString": "blue"}]),
        lab("modifier", modifierExtension=MODIFIER),
        lab("deep-modifier", component=[{"code": {"text": "x"}, "modifierExtension": MODIFIER}]),
    )
    assert chart.kept == {"odd-element", "odd-extension"}
    assert b'"vendorElement":{"a":[1]}' in chart.body("odd-element")
    assert chart.lab("odd-element")["value"] == chart.lab("odd-extension")["value"] == "345"
    assert set(chart.reasons.values()) == {"unknown-modifier-extension"}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("1977", "1977"),
        ("1977-07", "1977-07"),
        ("1850-01-01", "1850-01-01"),
        ("2021-02-29", ""),
        ("1977-7-6", ""),
    ],
)
def test_66_birth_dates(written: str, shown: str, tmp_path: Path) -> None:
    """A birth date of 2020, 2020-05, 1850-01-01, 2021-02-29, 2020-5-4: the Patient stays; the date is as exact as it is
    written, and unknown when it is none.
    """
    chart = from_a_folder(tmp_path)(instead=PATIENT | {"birthDate": written})
    assert chart.reasons == {}
    assert "Patient/SYN-12" in chart.night.held
    assert [row["birth_date"] for row in chart.rows("subjects")] == [shown]


def test_67_times_of_every_spelling(bring: Bring) -> None:
    """A dateTime without zone or seconds, with 24:00, :60, nine digits of a second, +14:00: read. One that no calendar
    or clock shows: quarantined.
    """
    understood = {
        "2024-12-11T10:00:00": "2024-12-11",
        "2024-12-11T10:00": "2024-12-11",
        "2024-12-11T24:00:00Z": "2024-12-12",
        "2024-12-11T10:00:60Z": "2024-12-11",
        "2024-12-11T10:00:00.123456789Z": "2024-12-11",
        "2024-12-11T10:00:00+14:00": "2024-12-11",
    }
    invalid = ("2024-02-30", "2024-12-11 10:00", "2024-12-11T25:00:00Z", "11.12.2024", "2024-12-11T10:61:00Z")
    chart = bring(
        *(lab(f"time-{place}", effectiveDateTime=one) for place, one in enumerate(understood)),
        *(lab(f"invalid-{place}", effectiveDateTime=one) for place, one in enumerate(invalid)),
    )
    assert [chart.lab(f"odd-time-{place}")["date"] for place in range(len(understood))] == list(understood.values())
    assert chart.reasons == {f"odd-invalid-{place}": "invalid-date" for place in range(len(invalid))}


def test_68_dates_that_stand_for_none(bring: Bring) -> None:
    """The dates 0001-01-01 and 9999-12-31: taken as missing and counted."""
    chart = bring(*(lab(date, effectiveDateTime=date) for date in ("0001-01-01", "9999-12-31")))
    assert chart.kept == {"odd-0001-01-01", "odd-9999-12-31"}
    assert chart.lab("odd-0001-01-01") == chart.lab("odd-9999-12-31") == {}
    assert chart.rejected["no-usable-date"] == 2


def test_74_a_value_below_a_limit(bring: Bring) -> None:
    """A quantity with the comparator `<`: kept with it; an unknown comparator: quarantined."""

    def below(id: str, sign: str) -> bytes:
        return text(ANC | {"id": id, "valueQuantity": {"value": 0.1, "comparator": sign, "unit": "10*9/L"}})

    chart = bring(below("odd-below", "<"), below("odd-strange", "<<"))
    assert (chart.lab("odd-below")["comparator"], chart.lab("odd-below")["value"]) == ("<", "0.1")
    assert chart.reasons == {"odd-strange": "code-not-in-value-set"}


def test_75_answers_without_a_number(bring: Bring) -> None:
    """valueString "positive", valueCodeableConcept, dataAbsentReason: counted as unusable, with the reason."""
    chart = bring(
        lab("string", valueQuantity=None, valueString="positive"),
        lab("concept", valueQuantity=None, valueCodeableConcept={"text": "positive"}),
        lab("absent", valueQuantity=None, dataAbsentReason={"text": "unknown"}),
    )
    assert len(chart.kept) == 3
    assert chart.rejected["lab-without-number"] == 3


def test_76_codes_nobody_knows(bring: Bring) -> None:
    """A code without system, a local code, a display alone: listed in `unmapped.csv`, not guessed."""
    chart = bring(
        lab("bare", code={"coding": [{"code": "2532-0"}]}),
        lab("local", code={"coding": [{"system": "https://ehr.example/codes", "code": "XY"}]}),
        lab("display", code={"coding": [{"display": "Frobnitz"}]}),
    )
    assert {(row["system"], row["code"], row["text"]) for row in chart.rows("unmapped")} == {
        ("", "2532-0", ""),
        ("https://ehr.example/codes", "XY", ""),
        ("", "", "Frobnitz"),
    }
    assert all(chart.lab(f"odd-{id}") == {} for id in ("bare", "local", "display"))


def test_77_records_that_do_not_stand(bring: Bring) -> None:
    """Status entered-in-error or cancelled: left out and counted. Preliminary: flagged. Unknown: quarantined."""
    chart = bring(
        lab("error", status="entered-in-error"),
        lab("cancelled", status="cancelled"),
        lab("preliminary", status="preliminary"),
        lab("strange", status="perhaps"),
    )
    assert chart.lab("odd-error") == chart.lab("odd-cancelled") == {}
    assert chart.lab("odd-preliminary")["flags"] == "preliminary"
    # The chart itself has one of each.
    assert (chart.rejected["status-entered-in-error"], chart.rejected["status-cancelled"]) == (2, 2)
    assert chart.reasons == {"odd-strange": "code-not-in-value-set"}


def linked(id: str, kind: str, other: str) -> Resource:
    return {"resourceType": "Patient", "id": id, "link": [{"type": kind, "other": {"reference": other}}]}


def test_78_merged_patients(tmp_path: Path) -> None:
    """Patients replaced by each other: in a chain they are one person; in a circle, or replaced by a Patient who is not
    there, they are set aside with what is about them.
    """
    chain = [linked("a", "replaced-by", "Patient/b"), linked("b", "replaced-by", "Patient/c")]
    end = [{"resourceType": "Patient", "id": "c"}]
    circle = [linked("one", "replaced-by", "Patient/two"), linked("two", "replaced-by", "Patient/one")]
    lost = [linked("lost", "replaced-by", "Patient/nowhere")]
    write_ndjson(tmp_path / "in" / "Patient.ndjson", [*chain, *end, *circle, *lost])
    write_ndjson(tmp_path / "in" / "Observation.ndjson", [_about("a"), _about("two"), _about("lost")])
    (tmp_path / "site.toml").write_text('folder_people = "everybody"\n', encoding="utf-8")
    succeed("fetch", "--config", tmp_path / "site.toml", "--folder", tmp_path / "in", "--out", tmp_path / "out")
    succeed("build", "--out", tmp_path / "out")
    flow = (tmp_path / "out" / "cohort" / "flow.csv").read_text("utf-8").splitlines()
    assert "person,merged_into_another,6,2,4" in flow
    assert "person,patient_unusable,4,3,1" in flow
    rejects = (tmp_path / "out" / "cohort" / "rejects.csv").read_text("utf-8")
    assert "patient-links-unusable,Observation,2" in rejects


def _about(patient: str) -> Resource:
    return LAB | {"id": f"of-{patient}", "subject": {"reference": f"Patient/{patient}"}}


def test_81_ids_that_are_none(bring: Bring, tmp_path: Path) -> None:
    """Ids of 65 characters, with `/`, `..`, empty, with other letters: quarantined; no path is made of an id."""
    ids = ("a" * 65, "a/b", "../../x", "..", "", "ünï", "C:\\x")
    chart = bring(*(text(LAB | {"id": id}) for id in ids))
    assert sorted(set(chart.reasons.values())) == ["bad-id", "no-id"]
    assert len(chart.reasons) == len(ids)
    names = {path.name for path in tmp_path.rglob("*")}
    assert not names & {"x", "b", "ünï", "C:\\x", "a" * 65}


def test_82a_references_of_every_kind(hospital: Hospital) -> None:
    """References, versioned, absolute to this server, absolute to another, `javascript:`, `#contained`: the first two
    are resolved, the others never fetched, and what they stand in is set aside.
    """
    subjects = {
        "versioned": "Patient/SYN-12/_history/1",
        "own": f"{hospital.front.base_url}/Patient/SYN-12",
        "elsewhere": "https://ehr.invalid/Patient/SYN-12",
        "other-path": f"{hospital.front.origin}/other/Patient/SYN-12",
        "script": "javascript:alert(1)",
        "contained": "#p",
    }
    contained = [{"resourceType": "Patient", "id": "p"}]
    chart = from_a_server(hospital)(
        *(lab(id, subject={"reference": subject}, contained=contained) for id, subject in subjects.items())
    )
    assert {id for id in subjects if chart.lab(f"odd-{id}")} == {"versioned", "own"}
    assert chart.rejected["patient-on-another-server"] == 2
    assert chart.rejected["about-no-patient"] == 2


def test_82b_references_inside_a_bundle(tmp_path: Path) -> None:
    """A reference by `urn:uuid:` inside a Bundle: resolved."""
    urn = "urn:uuid:0b5a1c3e-1111-4222-8333-444455556666"
    entries = [{"fullUrl": urn, "resource": PATIENT}, {"resource": LAB | {"subject": {"reference": urn}}}]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    chart = from_a_folder(tmp_path)(text(bundle), instead=PATIENT)
    assert chart.lab(str(LAB["id"]))["value"] == "345"
    assert "about-no-patient" not in chart.rejected
