"""Number 100: no terminal, a dumb one, one without colours, another encoding."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from whole_runs import Ended, bundles, resources, run_process, succeed, write_ndjson

C_LOCALE = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "dumb, without colours": {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "20"},
    "the C locale": {**C_LOCALE, "TERM": ""},
    "a Windows code page": {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
}


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one patient, with her Chinese name in every text, and what was fetched from it."""
    home = tmp_path_factory.mktemp("潘思敏")
    found = resources(bundles("SYN-12", "shared"))
    for one in found:
        if one["resourceType"] == "MedicationAdministration":
            one["note"] = [{"text": "静脉滴注 → 2 小时"}]
    write_ndjson(home / "in" / "Patient.ndjson", found)
    succeed("fetch", "--folder", home / "in", "--out", home / "out")
    succeed("build", "--out", home / "out")
    return home


def is_plain(ended: Ended) -> None:
    assert ended.code == 0, ended.told
    assert "\x1b" not in ended.told
    assert "Traceback" not in ended.told


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def test_100a_other_terminals(environment: dict[str, str], fetched: Path, tmp_path: Path) -> None:
    """No TTY, `TERM=dumb`, `NO_COLOR`, the C locale, a Windows code page: plain text, no crash, files in UTF-8."""
    shutil.copytree(fetched / "out", tmp_path / "out", symlinks=True)
    is_plain(run_process("explain", "SYN-12", "--out", "out", cwd=tmp_path, env=environment))
    is_plain(run_process("build", "--out", "out", cwd=tmp_path, env=environment))
    for table in (fetched / "out" / "cohort").iterdir():
        assert (tmp_path / "out" / "cohort" / table.name).read_bytes() == table.read_bytes()


def test_100b_a_folder_with_a_name_that_the_terminal_cannot_show(fetched: Path) -> None:
    """A path in another script on a terminal of plain ASCII: a sentence about it, no crash."""
    missing = run_process("fetch", "--folder", fetched / "不存在", "--out", fetched / "out", env=C_LOCALE)
    assert missing.code == 2
    assert "Traceback" not in missing.told
