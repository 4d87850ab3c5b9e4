"""Commands of the site that are told how a run has ended: counts on standard input, the outcome in the environment.

A hook that fails is told about and changes nothing: the exit code of a run speaks of the run.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence

import msgspec

from fhir_adapter.errors import UsageError
from fhir_adapter.settings import PREFIX, Hooks
from fhir_adapter.unattended.logs import tell
from fhir_adapter.unattended.record import Ending

# Settings may hold credentials; no hook needs them.
_KEPT_FROM_HOOKS = (PREFIX, "CREDENTIALS_DIRECTORY")


def check_hooks(hooks: Hooks) -> None:
    """`UsageError` when a program that is to be told cannot be found: better now than after a night."""
    for key, command in (("on_success", hooks.on_success), ("on_failure", hooks.on_failure)):
        if command and shutil.which(command[0]) is None:
            raise UsageError(
                f"the program of `hooks.{key}` cannot be found or run", "name it with its path, and its arguments apart"
            )


def run_hook(hooks: Hooks, ending: Ending) -> None:
    """Run the hook for this ending, if the site has one."""
    name, command = ("on_failure", hooks.on_failure) if ending.exit_code else ("on_success", hooks.on_success)
    if not command:
        return
    problem = _run(command, msgspec.json.encode(ending), _environment(ending), hooks.timeout_s)
    if problem:
        tell("hook_failed", f"the hook {name} failed: {problem}", logging.WARNING, hook=name)
    else:
        tell("hook_ended", hook=name)


def _run(command: Sequence[str], told: bytes, environment: Mapping[str, str], timeout_s: float) -> str:
    """Run one command to its end; returns what went wrong, or nothing."""
    try:
        process = subprocess.Popen(  # noqa: S603 (the site's own command, without a shell)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
    except OSError as problem:
        return os.strerror(problem.errno or 0)
    try:
        process.communicate(told, timeout=timeout_s)
    except BaseException as problem:  # also when we are told to stop: no hook outlives us
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(problem, subprocess.TimeoutExpired):
            return f"it was stopped after {timeout_s:g} s"
        raise
    return f"exit code {process.returncode}" if process.returncode else ""


def _environment(ending: Ending) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_KEPT_FROM_HOOKS)}
    return kept | {
        "FHIR_ADAPTER_COMMAND": ending.command,
        "FHIR_ADAPTER_EXIT_CODE": str(ending.exit_code),
        "FHIR_ADAPTER_OUTCOME": "failure" if ending.exit_code else "success",
        "FHIR_ADAPTER_PROBLEM": ending.problem,
    }
