"""Everything about certain people: a quick look finds what reading every line does, in every dialect and part."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapter.ehr import blocks, gather, parts, prefilter
from fhir_adapter.ehr.compressed import Compression
from fhir_adapter.ehr.folder import FolderFile, read_pages
from fhir_adapter.ehr.gather import Portion, Search, pages_by_file
from fhir_adapter.ehr.page import Page
from fhir_adapter.ehr.parts import Part
from fhir_adapter.errors import StreamIncomplete

Resource = dict[str, Any]
IDS = ["p1", "p10", "p1-1", "a.b", "PATIENT", "7", "x" * 64, "Patient"]


def observation(number: int, subject: Resource | None, **more: Any) -> Resource:
    about = {} if subject is None else {"subject": subject}
    return {"resourceType": "Observation", "id": f"o{number}", "status": "final", **about, **more}


def refers(reference: str) -> Resource:
    return {"reference": reference}


def compact(one: Resource) -> str:
    return json.dumps(one, ensure_ascii=False, separators=(",", ":"))


def spaced(one: Resource) -> str:
    return json.dumps(one, separators=(" , ", " : "))


def slashes_escaped(one: Resource) -> str:
    return compact(one).replace("/", "\\/")


def letters_escaped(one: Resource) -> str:
    """Any character may be written by its number, in big or small digits."""
    chance = random.Random(one["id"])
    forms: tuple[Callable[[str], str], ...] = (str, lambda c: f"\\u{ord(c):04x}", lambda c: f"\\u{ord(c):04X}")
    return re.sub(r"[A-Za-z0-9/.-]", lambda found: chance.choice(forms)(found[0]), compact(one))


def in_another_order(one: Resource) -> str:
    return compact(dict(reversed(one.items())))


DIALECTS = [compact, spaced, slashes_escaped, letters_escaped, in_another_order]
ENDS = ["\n", "\r\n", "\n\n"]


def file_of(folder: Path, content: bytes, name: str = "Observation.ndjson") -> FolderFile:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    ending = path.suffix.removeprefix(".")
    compression: Compression = "gz" if ending == "gz" else "zst" if ending == "zst" else ""
    return FolderFile(path, name, "json" if ending == "json" else "ndjson", compression)


def gathered(file: FolderFile, people: Iterable[str], *shared: str, every_line: bool = False) -> list[Page]:
    """The pages of a file, read as a whole."""
    search = Search(set(people), shared)
    part = Part(file, alike=not every_line and search.finds_alike(file))
    return taken(search.portions(part))


def taken(portions: Iterable[Portion]) -> list[Page]:
    return [page for _, pages in pages_by_file(portions) for page in pages]


def bodies(pages: Iterable[Page], people: Iterable[str]) -> list[bytes]:
    return [one.body for page in pages for one in page.records if one.person in people]


def read_in_full(file: FolderFile, people: Iterable[str]) -> list[bytes]:
    """The slow way: every line is decoded."""
    return bodies(read_pages(file), people)


def by_duckdb(file: FolderFile, people: Iterable[str]) -> set[str]:
    """Ids of the Observations about these people, as another program finds them."""
    question = """
        SELECT json->>'$.id' FROM read_ndjson_objects(?)
        WHERE regexp_extract(json->>'$.subject.reference', '(^|/)Patient/([A-Za-z0-9.-]+)(/_history/[^/]+)?$', 2) IN
            (SELECT unnest(?))
    """
    return {id for (id,) in duckdb.execute(question, [str(file.path), list(people)]).fetchall()}


def id_of(body: bytes) -> str:
    return str(json.loads(body)["id"])


references = st.sampled_from(IDS).flatmap(
    lambda id: st.sampled_from(
        [f"Patient/{id}", f"Patient/{id}/_history/3", f"https://ehr.example.org/fhir/Patient/{id}"]
    ).map(refers)
)
subjects = st.one_of(
    references,
    st.none(),
    st.just({"identifier": {"system": "urn:oid:1.2", "value": "p1"}}),
    st.just({"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}),
    st.just({"reference": "Group/p1", "display": "Patient/p1 is a member"}),
)
extras = st.fixed_dictionaries({}, optional={"note": st.just([{"text": '\\ "Patient/p1" <div> é 张'}])})
lines = st.lists(st.tuples(subjects, extras, st.sampled_from(DIALECTS), st.sampled_from(ENDS)), max_size=30)


@pytest.fixture(params=["words", "patterns", "small blocks"])
def finder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to find the lines, also where the library is there; and what one block teaches for the next."""
    if request.param == "patterns":
        monkeypatch.setattr(gather, "prefilter", prefilter.PatternFinder)
    if request.param == "small blocks":
        monkeypatch.setattr(blocks, "BLOCK_BYTES", 256)
        monkeypatch.setattr(gather, "_FEW", 1)
        monkeypatch.setattr(prefilter, "_TABLE", 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("folder")


@settings(deadline=None, max_examples=150)
@given(written=lines, people=st.sets(st.sampled_from(IDS), max_size=4), cut=st.booleans(), count=st.integers(1, 6))
@pytest.mark.usefixtures("finder")
def test_the_quick_way_finds_what_the_slow_one_and_another_program_find(
    folder: Path, written: list[Any], people: set[str], cut: bool, count: int
) -> None:
    text = "".join(
        dialect(observation(number, subject, **more)) + end
        for number, (subject, more, dialect, end) in enumerate(written)
    )
    content = (text.rstrip("\r\n") if cut else text).encode()
    if not content.strip():
        return
    file, search = file_of(folder, content), Search(people)
    everything = read_in_full(file, people)
    assert bodies(gathered(file, people), people) == everything
    assert {id_of(body) for body in everything} == by_duckdb(file, people)
    in_parts = [search.portions(Part(file, *part)) for part in blocks.ranges(len(content), count)]
    assert bodies(taken(chain.from_iterable(in_parts)), people) == everything


@settings(deadline=None)
@given(written=lines, people=st.sets(st.sampled_from(IDS), max_size=4))
@pytest.mark.parametrize("kind", [prefilter.WordFinder, prefilter.PatternFinder])
def test_a_block_is_usual_if_looking_at_every_line_of_it_finds_nothing_more(
    kind: type[prefilter.WordFinder] | type[prefilter.PatternFinder], written: list[Any], people: set[str]
) -> None:
    made = (
        dialect(observation(number, subject, **more)) + end
        for number, (subject, more, dialect, end) in enumerate(written)
    )
    text, finder = bytearray("".join(made).encode()), kind(people)
    block = blocks.Block(text, len(text), 0)
    assert finder.is_usual(block) == (finder.lines(block, exact=True) == finder.lines(block, exact=False))


@pytest.mark.usefixtures("finder")
@pytest.mark.parametrize("size", [64, 300, 4_096])
def test_lines_of_any_length_pass_through_a_buffer_of_any_size(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
    about = [refers(f"Patient/p{number % 7}") for number in range(200)]
    made = [compact(observation(n, subject, note="n" * (n * 37 % 1500))) for n, subject in enumerate(about)]
    file = file_of(tmp_path, ("\ufeff" + "\n".join(made) + "\n").encode())
    assert bodies(gathered(file, {"p3", "p5"}), {"p3", "p5"}) == read_in_full(file, {"p3", "p5"})


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gz", "zst"])
def test_compressed_files_are_read_through_all_their_members(
    tmp_path: Path, pack: Callable[[bytes], bytes], request: pytest.FixtureRequest
) -> None:
    made = [(compact(observation(n, refers(f"Patient/p{n % 5}"))) + "\n").encode() for n in range(400)]
    content = pack(b"".join(made[:150])) + pack(b"".join(made[150:]))
    ending = "gz" if pack is gzip.compress else "zst"
    file = file_of(tmp_path, content, f"Observation.ndjson.{ending}")
    assert len(bodies(gathered(file, {"p3"}), {"p3"})) == 80
    cut = file_of(tmp_path / "cut", content[:-9], f"Observation.ndjson.{ending}")
    with pytest.raises(StreamIncomplete, match="cut short or damaged"):
        gathered(cut, {"p3"})


def test_without_the_quick_library_gzip_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "isal", None)
    monkeypatch.setitem(sys.modules, "ahocorasick_rs", None)
    text = "".join(compact(observation(n, refers(f"Patient/p{n % 5}"))) + "\n" for n in range(50))
    file = file_of(tmp_path, gzip.compress(text.encode()), "Observation.ndjson.gz")
    assert len(bodies(gathered(file, {"p3"}), {"p3"})) == 10


def test_a_bundle_on_a_line_and_a_bundle_in_a_file_are_unfolded_whoever_they_are_about(tmp_path: Path) -> None:
    urn = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
    entries = [
        {"fullUrl": urn, "resource": {"resourceType": "Patient", "id": "p1"}},
        {"resource": observation(1, refers(urn))},
        {"resource": observation(2, refers("Patient/p2"))},
    ]
    bundle = compact({"resourceType": "Bundle", "id": "b", "type": "collection", "entry": entries})
    lines = file_of(tmp_path / "a", (compact(observation(9, refers("Patient/p3"))) + "\n" + bundle + "\n").encode())
    pretty = file_of(tmp_path / "b", json.dumps(json.loads(bundle), indent=2).encode(), "p1.json")
    for file in (lines, pretty):
        assert [id_of(body) for body in bodies(gathered(file, {"p1"}), {"p1"})] == ["p1", "o1"]


def test_what_cannot_be_read_is_told_by_its_place_in_the_file(tmp_path: Path) -> None:
    first = compact(observation(1, refers("Patient/p1")))
    file = file_of(tmp_path, f"{first}\n{{broken\n{first[:-1]}\n".encode())
    (page,) = gathered(file, {"p1"})
    assert [(one.id, one.reason) for one in page.quarantined] == [
        (f"byte-{len(first) + 1}", "not-a-json-object"),
        (f"byte-{len(first) + 9}", "not-a-json-object"),
    ]


def test_a_file_that_ends_in_the_middle_of_a_line_is_incomplete(tmp_path: Path) -> None:
    text = compact(observation(1, refers("Patient/p1"))) + "\n" + compact(observation(2, refers("Patient/p1")))[:-5]
    with pytest.raises(StreamIncomplete, match="ends in the middle of a line"):
        gathered(file_of(tmp_path, text.encode()), {"p1"})


def test_a_line_that_is_too_long_is_set_aside_and_the_lines_after_it_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 512)
    monkeypatch.setattr(gather, "MAX_RESOURCE_BYTES", 600)
    before, after = (compact(observation(n, refers("Patient/p1"))) for n in (1, 2))
    for end in ("\n", ""):
        text = "\n".join([before, "x" * 5_000, after]) + end
        (page,) = gathered(file_of(tmp_path, text.encode()), {"p1"})
        assert [record.id for record in page.records] == ["o1", "o2"]
        assert [(one.id, one.reason) for one in page.quarantined] == [(f"byte-{len(before) + 1}", "too-long")]


def test_resources_that_belong_to_nobody_come_along_and_those_that_name_nobody_are_counted(tmp_path: Path) -> None:
    made = [{"resourceType": "Medication", "id": "m1"}, observation(1, {"identifier": {"value": "p1"}})]
    file = file_of(tmp_path, "".join(compact(one) + "\n" for one in made).encode(), "mixed.ndjson")
    (page,) = gathered(file, {"p1"}, "Medication")
    assert [record.reference for record in page.records] == ["Medication/m1"]
    assert page.remark == "1 resources that name no patient were left out"


class Big:
    """A file that is too big to be looked at line by line, with some lines in its middle written in another way."""

    def __init__(self, folder: Path, odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(parts, "_PLACES", 2)
        monkeypatch.setattr(blocks, "BLOCK_BYTES", 1_024)
        monkeypatch.setattr(parts, "BLOCK_BYTES", 1_024)
        usual = [compact(observation(n, refers(f"Patient/p{n % 50}"), note="n" * 60)) for n in range(1_000)]
        self.file = file_of(folder, "\n".join([*usual[:700], *[odd] * 300, *usual[700:], ""]).encode())


def test_a_big_file_that_changes_its_ways_is_incomplete_until_every_line_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = letters_escaped(observation(5_000, refers("Patient/p7")))
    by_identifier = compact(observation(5_001, {"identifier": {"value": "p7"}}))
    assert len(bodies(gathered(Big(tmp_path / "a", odd, monkeypatch).file, {"p7"}), {"p7"})) == 320
    changed = Big(tmp_path / "b", by_identifier, monkeypatch).file
    with pytest.raises(StreamIncomplete, match="every_line = true"):
        gathered(changed, {"p7"})
    assert len(bodies(gathered(changed, {"p7"}, every_line=True), {"p7"})) == 20
