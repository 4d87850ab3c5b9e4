"""Runs that several tests look at; nobody may change what they have left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from whole_runs import STUDY12, Analysed, Ran, Served, bundles, run_process, server_with, succeed


@pytest.fixture(scope="session")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """`fhir-adapter demo`, as a user would start it in a folder of their own."""
    home = tmp_path_factory.mktemp("demo")
    return Ran(run_process("demo", "--out", "shown", cwd=home), home / "shown")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`fhir-adapter run --server` against a server that holds the reference study."""
    out = tmp_path_factory.mktemp("served") / "out"
    with server_with(bundles()) as sandbox:
        yield Served(succeed("run", "--server", sandbox.base_url, "--out", out), out, sandbox)


@pytest.fixture(scope="session")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Analysed:
    """Asks the reference study again under other parameters, given with `--set` on the command line."""
    out = tmp_path_factory.mktemp("analysed") / "out"
    succeed("fetch", "--folder", STUDY12, "--out", out)
    return Analysed(out)
