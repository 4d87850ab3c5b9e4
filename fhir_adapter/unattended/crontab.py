"""A line for cron."""

from __future__ import annotations

import shlex

from fhir_adapter.unattended.job import Job


def crontab(job: Job) -> str:
    """The lines to add with `crontab -e`. Of two runs at once the second ends by itself: the folder is locked."""
    command = f"cd {shlex.quote(str(job.folder))} && {shlex.join((*job.command, '--quiet'))}"
    return "\n".join(
        (
            "# crontab of the account that owns the output folder; cron mails it what goes wrong.",
            "# A cron that does not know CRON_TZ (Debian's) uses the time zone of the machine: set that to UTC,",
            "# or a night may have this hour twice, or not at all.",
            "CRON_TZ=UTC",
            # In a crontab a bare % ends the command.
            f"{job.cron} {command.replace('%', chr(92) + '%')}",
            "",
        )
    )
