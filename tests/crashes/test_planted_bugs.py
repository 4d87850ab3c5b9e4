"""Do the tests catch what they are for? Each of these plants a bug and wants to see them fail."""

from __future__ import annotations

import subprocess
import sys

import pytest
from harmed_runs import HERE, environment, harmed


@pytest.mark.parametrize(
    ("planted", "scenario"), [("cursor-before-rows", "server-2"), ("publish-without-rename", "folder-2")]
)
def test_a_bug_that_only_an_accident_shows_is_caught(planted: str, scenario: str) -> None:
    assert harmed(scenario, "killed", planted).problems


@pytest.mark.parametrize(
    ("planted", "tests"),
    [
        ("unsafe-gunzip", ["ehr/test_decompression.py"]),
        ("unsafe-gunzip", ["faults/test_bodies.py", "-k", "test_11a"]),
        ("no-host-check", ["ehr/test_url_policy.py"]),
        ("no-host-check", ["faults/test_origins.py", "-k", "test_29a"]),
    ],
    ids=lambda given: given if isinstance(given, str) else given[0],
)
def test_a_bug_in_what_guards_the_way_in_is_caught(planted: str, tests: list[str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "planted", *tests]
    ended = subprocess.run(command, cwd=HERE, env=environment(planted), capture_output=True, check=False)

    assert (ended.returncode, b"FAILURES" in ended.stdout) == (pytest.ExitCode.TESTS_FAILED, True), ended.stdout
