"""`schedule`: every night, here or by somebody else's scheduler."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperCommand

from fhir_adapter.cli.app import app
from fhir_adapter.cli.options import Config, LogFormat, Quiet, Verbose, settings_from
from fhir_adapter.cli.telling import telling
from fhir_adapter.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from fhir_adapter.settings import Settings

_MEANING = 'minute hour day month weekday, in UTC (default: "0 2 * * *", every night at 02:00).'
Cron = Annotated[str | None, typer.Option(metavar="EXPR", help=f"When to run: {_MEANING}")]
Jitter = Annotated[int | None, typer.Option(metavar="SECONDS", help="Delay each run at random, by at most this.")]

nights = typer.Typer(rich_markup_mode=None)
app.add_typer(nights, name="schedule")


@nights.callback(invoke_without_command=True)
def schedule(
    context: typer.Context,
    config: Config = None,
    cron: Cron = None,
    jitter: Jitter = None,
    now: Annotated[bool, typer.Option("--now", help="Run once at the start, too.")] = False,
    log_format: LogFormat = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Do a whole run whenever it is due, here in the foreground, until Ctrl-C or SIGTERM; see also `schedule print`.

    Each run is a process of its own. One that is still going is not doubled, and is let end what it is storing when the
    scheduler is stopped, which then ends with 130 or 143.
    """
    if context.invoked_subcommand:
        return
    settings = settings_from(config, True, {"cron": cron, "jitter": jitter, "log_format": log_format})
    flags = ("--log-format", settings.log_format, *(["--quiet"] * quiet), *(["--verbose"] * verbose))
    with telling(settings.log_format, quiet, verbose=not quiet):
        _run_forever(settings, config, flags, now)


def _run_forever(settings: Settings, config: Path | None, flags: tuple[str, ...], now: bool) -> None:
    """What can be found wrong is found before the first night."""
    from fhir_adapter.output_folder import OutputFolder
    from fhir_adapter.pipeline.site import study_of
    from fhir_adapter.unattended.job import job_of
    from fhir_adapter.unattended.record import NextRun, forget_next_run, write_next_run
    from fhir_adapter.unattended.scheduler import Nights, run_forever
    from fhir_adapter.unattended.watch import check_telling

    job, out = job_of(settings, config, flags), OutputFolder(settings.out)
    study_of(settings)
    check_telling(settings)
    out.prepare()

    def remember(due: datetime) -> None:
        write_next_run(out, NextRun(due.isoformat(timespec="seconds"), str(job.cron)))

    try:
        run_forever(job.cron, Nights(job.command), jitter_s=job.jitter_s, now=now, on_next=remember)
    finally:
        forget_next_run(out)


class _Print(TyperCommand):
    """`--cron` alone asks for a crontab; with an expression it says when to run, as everywhere else."""

    def parse_args(self, context: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # its context is typer's own
        following = [*args[1:], "-"]
        pairs = zip(args, following, strict=False)
        words = ["--crontab" if word == "--cron" and after.startswith("-") else word for word, after in pairs]
        return super().parse_args(context, words)


@nights.command("print", cls=_Print)
def print_units(
    context: typer.Context,
    systemd: Annotated[bool, typer.Option("--systemd", help="A service and its timer for systemd.")] = False,
    crontab: Annotated[
        bool, typer.Option("--crontab", help="A line for cron; `--cron` without an expression is the same.")
    ] = False,
    k8s: Annotated[bool, typer.Option("--k8s", help="A CronJob for Kubernetes.")] = False,
    config: Config = None,
    cron: Cron = None,
    jitter: Jitter = None,
) -> None:
    """Print what systemd, cron or Kubernetes need to start the runs instead; nothing is installed.

    Paths are those of this installation and of the folder in which this is asked.
    """
    from fhir_adapter.unattended.crontab import crontab as lines_for_cron
    from fhir_adapter.unattended.job import job_of
    from fhir_adapter.unattended.kubernetes import kubernetes_cron_job
    from fhir_adapter.unattended.systemd import systemd_units

    crontab = crontab or bool(cron and not systemd and not k8s)
    writers = ((systemd, systemd_units), (crontab, lines_for_cron), (k8s, kubernetes_cron_job))
    wanted = [write for asked, write in writers if asked]
    if len(wanted) != 1:
        raise UsageError("print one of them at a time", "--systemd, --crontab or --k8s")
    before = context.parent.params if context.parent else {}
    config = config or before.get("config")
    given = {"cron": cron or before.get("cron"), "jitter": before.get("jitter") if jitter is None else jitter}
    settings = settings_from(config, False, given)
    print(wanted[0](job_of(settings, config)), end="")
