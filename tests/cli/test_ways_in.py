"""The same answer by every way in: a server, a folder of Bundles, a folder of NDJSON files, flags or TOML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from whole_runs import (
    STUDY12,
    Resource,
    Served,
    answers,
    bundles,
    by_type,
    people,
    resources,
    succeed,
    write_ndjson,
)

EVERYBODY = [f"SYN-{number:02d}" for number in range(1, 13)]


def _one_file_a_type(folder: Path, found: list[Resource]) -> None:
    for type, some in by_type(found).items():
        write_ndjson(folder / f"{type}.ndjson", some)


def _in_parts(folder: Path, found: list[Resource]) -> None:
    """As a bulk export writes them: numbered parts in sub-folders, some of them gzipped."""
    for type, some in by_type(found).items():
        for part in range(0, len(some), 97):
            ending = "ndjson.gz" if part % 2 else "ndjson"
            write_ndjson(folder / f"export-{part % 3}" / f"{type}.{part:05d}.{ending}", some[part : part + 97])


def test_everybody_of_the_study_is_found_on_a_server(served: Served) -> None:
    assert people(served.out) == EVERYBODY


def test_a_folder_of_bundles_answers_as_the_server_did(served: Served, tmp_path: Path) -> None:
    succeed("run", "--folder", STUDY12, "--out", tmp_path / "out")
    assert answers(tmp_path / "out") == answers(served.out)


@pytest.mark.parametrize("write", [_one_file_a_type, _in_parts], ids=["one file a type", "many parts"])
def test_a_folder_of_resources_answers_as_the_server_did(
    write: Callable[[Path, list[Resource]], None], served: Served, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder, resources(bundles()))
    succeed("fetch", "--folder", folder, "--out", tmp_path / "out")
    succeed("analyze", "--out", tmp_path / "out")
    assert answers(tmp_path / "out") == answers(served.out)


def test_the_same_keys_in_a_toml_file_give_the_same(served: Served, tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    config.write_text(
        f'server = "{served.sandbox.base_url}"\nout = "{tmp_path / "out"}"\npublish = false\npage-size = 37\n',
        encoding="utf-8",
    )
    succeed("fetch", "--config", config)
    succeed("analyze", "--config", config)
    assert answers(tmp_path / "out") == answers(served.out)
