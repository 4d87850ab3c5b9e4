"""Units for systemd: a service that does one run, and the timer that starts it."""

from __future__ import annotations

from collections.abc import Sequence

from fhir_adapter.unattended.cron import WEEKDAYS, Cron
from fhir_adapter.unattended.job import Job

_SERVICE = """\
# /etc/systemd/system/fhir-adapter.service
[Unit]
Description=One night's run of fhir-adapter
Wants=network-online.target
After=network-online.target
# A server that is not ready is asked again, four times at most.
StartLimitIntervalSec=6h
StartLimitBurst=5

[Service]
Type=oneshot
ExecStart={command}
WorkingDirectory={folder}
# The account that owns the output folder, which has to exist.
User=fhir-adapter
UMask=0077
# A private key that only root can read is handed over under this name: [auth] key_file = "private-key.pem"
#LoadCredential=private-key.pem:/etc/fhir-adapter/private-key.pem
# Only exit code 4 (the server is not ready) gets better by trying again.
Restart=on-failure
RestartSec=15min
RestartPreventExitStatus=1 2 3 5 6 7 130 143
# Stopped on purpose: it ends with what it was storing, which takes seconds.
SuccessExitStatus=143
TimeoutStopSec=5min
NoNewPrivileges=true
ProtectSystem=strict
ProtectHome=read-only
{writable}
CacheDirectory=fhir-adapter
CacheDirectoryMode=0700
Environment=MPLCONFIGDIR=%C/fhir-adapter
PrivateTmp=true
PrivateDevices=true
ProtectControlGroups=true
ProtectKernelModules=true
ProtectKernelTunables=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictSUIDSGID=true
LockPersonality=true
CapabilityBoundingSet=
LimitCORE=0
"""
_TIMER = """\
# /etc/systemd/system/fhir-adapter.timer
[Unit]
Description=When fhir-adapter runs

[Timer]
{calendar}
RandomizedDelaySec={jitter_s}s
# A night for which the machine was off is made up for.
Persistent=true

[Install]
WantedBy=timers.target
"""


def systemd_units(job: Job) -> str:
    """Both units, each under the path where it belongs."""
    service = _SERVICE.format(
        command=" ".join(_quoted(word).replace("$", "$$") for word in job.command),
        folder=str(job.folder).replace("%", "%%"),
        writable="\n".join(f"ReadWritePaths={_quoted(str(path))}" for path in job.writes_to),
    )
    calendar = "\n".join(f"OnCalendar={one}" for one in on_calendar(job.cron))
    return f"{service}\n{_TIMER.format(calendar=calendar, jitter_s=job.jitter_s)}"


def on_calendar(cron: Cron) -> tuple[str, ...]:
    """The calendar expressions that together are this schedule: systemd wants both day fields of one to agree."""
    weekdays = ",".join(WEEKDAYS[day].title() for day in cron.weekdays) + " "
    days = _listed(cron.days, 31)
    months, time_of_day = _listed(cron.months, 12), f"{_listed(cron.hours, 24)}:{_listed(cron.minutes, 60)}:00 UTC"
    if cron.either_day:
        return f"*-{months}-{days} {time_of_day}", f"{weekdays}*-{months}-* {time_of_day}"
    return (f"{weekdays if len(cron.weekdays) < 7 else ''}*-{months}-{days} {time_of_day}",)


def _listed(numbers: Sequence[int], full: int) -> str:
    return "*" if len(numbers) == full else ",".join(f"{number:02}" for number in numbers)


def _quoted(word: str) -> str:
    """One word of a unit file: `%` would be a specifier, a space would end it."""
    word = word.replace("%", "%%")
    if not any(letter in word for letter in " \t\"'\\;"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
