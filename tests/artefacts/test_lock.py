"""The lock file installs the same bytes everywhere, from whatever registry a site uses."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

SPARK_LOCK = (ROOT / "requirements-spark.lock").read_text(encoding="utf-8")


def entries(lock: str) -> list[str]:
    return [entry for entry in re.split(r"\n(?=\S)", lock.strip()) if not entry.startswith("#")]


ENTRIES = entries(LOCK) + entries(SPARK_LOCK)
LOCKED = [Requirement(entry.partition("\\")[0]) for entry in ENTRIES]
WANTED = [
    Requirement(text)
    for text in PROJECT["project"]["dependencies"]
    + PROJECT["project"]["optional-dependencies"]["dev"]
    + PROJECT["project"]["optional-dependencies"]["fast"]
    + PROJECT["project"]["optional-dependencies"]["spark"]
    + PROJECT["build-system"]["requires"]
]


def test_the_locks_name_no_host_and_no_index() -> None:
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted-host|@ ", LOCK + SPARK_LOCK)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.partition("=")[0])
def test_every_locked_package_is_exact_and_has_hashes(entry: str) -> None:
    requirement = Requirement(entry.partition("\\")[0])
    assert re.fullmatch(r"==[^*,]+", str(requirement.specifier))
    assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_what_the_project_asks_for_is_locked_once_for_every_python(wanted: Requirement, version: str) -> None:
    environment = {**default_environment(), "python_version": version, "python_full_version": f"{version}.0"}
    found = [
        locked
        for locked in LOCKED
        if canonicalize_name(locked.name) == canonicalize_name(wanted.name)
        and (locked.marker is None or locked.marker.evaluate(environment))
    ]
    assert len(found) == 1
    assert str(found[0].specifier).removeprefix("==") in wanted.specifier
