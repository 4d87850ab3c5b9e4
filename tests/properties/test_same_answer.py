"""The order of files, of resources within them and of pages does not matter: same records, same bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whole_runs import Resource, answers, bundles, resources, server_with, succeed, write_ndjson

PEOPLE = ("SYN-02", "SYN-07", "SYN-10", "shared")  # a shared Medication, a duplicate, merged spellings, corrections


def answered(folder: Path) -> dict[str, bytes]:
    """The files that follow from a folder of resources."""
    out = folder.parent / "out"
    succeed("fetch", "--folder", folder, "--out", out)
    succeed("analyze", "--out", out)
    return answers(out)


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The answer when everything comes as it was written."""
    folder = tmp_path_factory.mktemp("order") / "in"
    write_ndjson(folder / "everything.ndjson", resources(bundles(*PEOPLE)))
    return answered(folder)


def parts_of(found: Sequence[Resource], cuts: Sequence[int]) -> list[Sequence[Resource]]:
    ends = [0, *sorted(cut % len(found) for cut in cuts), len(found)]
    return [found[start:end] for start, end in pairwise(ends) if start < end]


def write(path: Path, part: Sequence[Resource], kind: str) -> None:
    if kind == "bundle":
        entry = [{"fullUrl": f"https://x.example/{one['resourceType']}/{one['id']}", "resource": one} for one in part]
        path.parent.mkdir(parents=True, exist_ok=True)
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entry}
        path.with_suffix(".json").write_text(json.dumps(bundle), encoding="utf-8")
    else:
        write_ndjson(path.with_suffix(f".{kind}"), part)


@settings(max_examples=6)
@given(
    shuffled=st.randoms(use_true_random=False),
    cuts=st.lists(st.integers(0, 10_000), max_size=5),
    kinds=st.lists(st.sampled_from(["ndjson", "ndjson.gz", "bundle"]), min_size=6, max_size=6),
    repeated=st.integers(0, 40),
)
def test_any_order_in_any_files_gives_the_same_bytes(
    shuffled: random.Random, cuts: list[int], kinds: list[str], repeated: int, in_order: dict[str, bytes]
) -> None:
    """Some resources come twice, letter for letter."""
    found = resources(bundles(*PEOPLE))
    found += shuffled.sample(found, repeated)
    shuffled.shuffle(found)
    with TemporaryDirectory() as home:
        for number, (part, kind) in enumerate(zip(parts_of(found, cuts), kinds, strict=False)):
            write(Path(home) / "in" / f"{shuffled.randrange(10**6)}-{number}", part, kind)
        assert answered(Path(home) / "in") == in_order


@settings(max_examples=3)
@given(seed=st.integers(0, 1000), overlap=st.integers(0, 5), page_size=st.integers(11, 200))
def test_any_order_of_pages_gives_the_same_bytes(
    seed: int, overlap: int, page_size: int, in_order: dict[str, bytes]
) -> None:
    loaded = bundles(*PEOPLE)
    random.Random(seed).shuffle(loaded)
    with (
        TemporaryDirectory() as home,
        server_with(loaded, page_size=page_size, overlap=overlap, shuffle_seed=seed) as sandbox,
    ):
        out = Path(home) / "out"
        succeed("fetch", "--server", sandbox.base_url, "--page-size", page_size, "--out", out)
        succeed("analyze", "--out", out)
        assert answers(out) == in_order
