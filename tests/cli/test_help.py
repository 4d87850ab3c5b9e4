"""Help answers at once: what is heavy is imported when a command needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from whole_runs import command, run_process

HEAVY = (
    *("apscheduler", "fhir", "httpx", "joserfc", "lifelines", "matplotlib"),
    *("pandas", "prometheus_client", "pyarrow", "rich", "scipy", "uvicorn"),
)
VERBS = (
    *("demo", "init", "run", "fetch", "build", "analyze", "report", "publish", "results"),
    *("schedule", "explain", "unmapped", "diff", "check", "status", "sandbox"),
)
SHOW_HELP = """
import sys
from fhir_adapter import cli
sys.argv = ["fhir-adapter", *sys.argv[1:]]
try:
    cli.main()
except SystemExit as end:
    assert not end.code, end.code
print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("run", "--help"), ("schedule", "--help"), ("explain", "unmapped", "--help")],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", SHOW_HELP, *arguments], capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    assert "Usage: fhir-adapter" in shown.stdout
    assert set(HEAVY) & set(shown.stderr.split()) == set()


def test_help_lists_every_command_and_the_exit_codes() -> None:
    shown = run_process("--help", env={"TERM": "dumb", "NO_COLOR": "1", "LC_ALL": "C"})
    assert (shown.code, shown.err) == (0, "")
    for verb in VERBS:
        assert f"\n  {verb} " in shown.out
    assert "Exit codes: 0 ok" in shown.out


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_explains_itself(verb: str) -> None:
    shown = command(verb, "--help")
    assert (shown.code, shown.err) == (0, "")
    assert len(shown.out.splitlines()[2].split()) > 3


@pytest.mark.parametrize(
    "arguments", [("frobnicate",), ("run", "--fodler", "x"), ("explain",), ("run", "--page-size", "x")]
)
def test_a_command_that_cannot_be_understood(arguments: tuple[str, ...]) -> None:
    shown = command(*arguments)
    assert shown.code == 2
    assert "Traceback" not in shown.told
