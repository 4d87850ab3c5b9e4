"""Whether a fetch from this server will work, before it is tried: the plan, what probes have seen, what to expect.

Nothing is written, neither on this machine nor, unless that is asked for, on the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from fhir_adapter.ehr.auth import Wanted
from fhir_adapter.ehr.bulk.order import ExportOrder, Level
from fhir_adapter.ehr.plan import StreamPlan
from fhir_adapter.ehr.population import Population
from fhir_adapter.ehr.probe.finding import Finding, fail, ok, warn
from fhir_adapter.ehr.probe.offering import note_export, note_writing, probe_clock, probe_history
from fhir_adapter.ehr.probe.searching import probe_searches
from fhir_adapter.ehr.probe.trial import Trial, try_streams
from fhir_adapter.ehr.probe.writing import probe_export, probe_writes
from fhir_adapter.ehr.statement import Node
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.ehr.window import read_instant
from fhir_adapter.errors import AccessError, FhirAdapterError, ServerRefused, UsageError
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline.connection import connected
from fhir_adapter.pipeline.planning import FetchPlan, plan_fetch
from fhir_adapter.settings import Settings

# Every resource is kept as it came, once; the database needs about as much again for its index and journal.
_DISK_PER_BYTE = 2
_WRITING = Wanted(read=(), write=("Basic",))


@dataclass(frozen=True)
class Expected:
    """One stream: its plan as it turned out, how many resources and requests it will take (None: not known), and why it
    will not work (empty: it will). `at_least`: there may be more requests than that.
    """

    stream: StreamPlan
    resources: int | None = None
    requests: int | None = None
    at_least: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Checked:
    """All that is known before a fetch. `exit_code` is 0 if it can work, else what the fetch would end with."""

    server: str
    plan: FetchPlan
    expected: tuple[Expected, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def exit_code(self) -> int:
        return min((finding.exit_code for finding in self.findings if finding.exit_code), default=0)


def foresee(transport: Transport, settings: Settings, started_at: str) -> Checked:
    """The plan of a fetch and what it will take: one or two small searches for each type."""
    plan = plan_fetch(transport, settings, started_at)
    trials = try_streams(transport, plan.streams, plan.population.people)
    return Checked(transport.base_url, plan, _expectations(trials, plan.population, settings.page_size))


def check_server(
    transport: Transport, settings: Settings, started_at: str, *, writes: bool = False, export: bool = False
) -> Checked:
    """Everything that `foresee` tells, and what probes have seen.

    `writes` lets a Basic resource be created and deleted where results are published, `export` an export be ordered and
    cancelled. Raises what makes the rest pointless: no access, no answer, no FHIR server.
    """
    plan = plan_fetch(transport, settings, started_at)
    trials = try_streams(transport, plan.streams, plan.population.people)
    findings = [
        *_troubles(trials),
        *probe_searches(transport, trials, settings.page_size),
        probe_history(transport, plan.streams),
        probe_clock(plan.capability, read_instant(started_at)),
        *_permissions(transport, settings),
        note_export(plan.capability, plan.export_level),
        *([probe_export(transport, _order(plan))] if export else []),
        *_publishing(plan, settings, writes=writes),
        *_output(settings, trials),
    ]
    expected = _expectations(trials, plan.population, settings.page_size)
    return Checked(transport.base_url, plan, expected, tuple(findings))


def _order(plan: FetchPlan) -> ExportOrder:
    """The smallest export of the level that is planned, or of the first one that is offered."""
    levels = [plan.export_level] if plan.export_level else sorted(plan.capability.export_levels - {"group"})
    if not levels:
        raise UsageError("there is no bulk export to order", "set `bulk` (and `group`), or leave out --probe-export")
    return ExportOrder(cast(Level, levels[0]), ("Patient",), plan.population.name)


def _troubles(trials: Sequence[Trial]) -> list[Finding]:
    """Types that the plan wants to search and the server does not serve."""
    found = []
    for trial in trials:
        if trial.stream.how not in ("unsupported", "export") and trial.refusal:
            means = "The stream would be incomplete, and nothing would be published."
            if trial.is_forbidden:
                todo = f"Ask for a scope such as system/{trial.stream.type}.rs."
                found.append(fail(trial.stream.type, trial.refusal, means, todo, AccessError.exit_code))
            else:
                found.append(fail(trial.stream.type, f"its search: {trial.refusal}", means, "Ask the administrators."))
    return found


def _permissions(transport: Transport, settings: Settings) -> list[Finding]:
    """What the server says about logging in, and what was granted."""
    found = []
    denied, granted = sorted(transport.denied_types), transport.granted_scopes
    if denied:
        means = "What they would have said stays unknown."
        found.append(warn("scopes", f"not granted: {', '.join(denied)}", means, "Ask the administrators for them."))
    elif granted:
        found.append(ok("scopes", f"everything that is read is granted ({len(granted)} scopes)"))
    offers = _smart_capabilities(transport)
    if offers is None:
        found.append(ok("SMART", "the server has no SMART configuration"))
    elif settings.auth.method == "none":
        means = "Requests go without credentials; so far they were answered."
        found.append(warn("SMART", "the server has a SMART configuration, the settings no [auth]", means))
    else:
        found.append(ok("SMART", f"the server has a SMART configuration{f' ({offers})' if offers else ''}"))
    return found


def _smart_capabilities(transport: Transport) -> str | None:
    """The ways of proving who we are that the SMART configuration lists; None when there is none."""
    try:
        answer = transport.get(".well-known/smart-configuration", headers={"Accept": "application/json"})
        configuration = Node(msgspec.json.decode(answer.body))
    except (ServerRefused, AccessError, msgspec.DecodeError):
        return None
    ways = sorted(configuration.texts("token_endpoint_auth_methods_supported"))
    return ", ".join(ways) if ways or configuration.text("token_endpoint") else None


def _publishing(plan: FetchPlan, settings: Settings, *, writes: bool) -> list[Finding]:
    if not settings.destination:
        if writes:
            raise UsageError("nothing is published, so nothing is to be written", "leave out --probe-writes")
        return [ok("publishing", "off: documents are only written to files")]
    found = []
    if settings.destination == settings.server:
        found.append(note_writing(plan.capability))
    if writes:
        with connected(settings.destination, settings, _WRITING) as transport:
            found += probe_writes(transport)
    return found


def _output(settings: Settings, trials: Sequence[Trial]) -> list[Finding]:
    """Whether there is a place for what will come."""
    out = OutputFolder(settings.out)
    try:
        out.check()
    except FhirAdapterError as problem:
        return [fail("output folder", problem.message, "Nothing can be kept.", problem.hint, problem.exit_code)]
    found = []
    if out.is_locked():
        means = "A fetch would end at once; this check does not disturb it."
        found.append(warn("output folder", "another run is working in it", means, "Wait for it to end."))
    free = out.free_bytes()
    needed = _DISK_PER_BYTE * sum(trial.size * (trial.total or 0) for trial in trials if trial.stream.how != "person")
    seen = f"{_readable(free)} free, at least {_readable(needed)} needed" if needed else f"{_readable(free)} free"
    if needed > free:
        found.append(fail("disk", seen, "The fetch would stop when the disk is full.", "Make room, or set `out`.", 7))
    else:
        found.append(ok("disk", seen))
    return found


def _readable(bytes: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if bytes < 1000:
            return f"{bytes:.0f} {unit}"
        bytes /= 1000
    return f"{bytes:.0f} TB"


def _expectations(trials: Sequence[Trial], population: Population, page_size: int) -> tuple[Expected, ...]:
    patients = next((trial.total for trial in trials if trial.stream.type == "Patient"), None)
    people = len(population.people) or (patients if population.everybody else None)
    return tuple(_expected(trial, people, page_size) for trial in trials)


def _expected(trial: Trial, people: int | None, page_size: int) -> Expected:
    """A search by patient takes at least one request for each; any other as many as it has pages."""
    stream = trial.stream
    if stream.how == "unsupported":
        return Expected(stream, requests=0)
    if stream.how == "export":
        return Expected(stream)
    if trial.refusal:
        return Expected(stream, problem=trial.refusal)
    portions = max(1, len(stream.codes))
    if stream.how == "person":
        return Expected(stream, None, None if people is None else people * portions, at_least=True)
    size = min(page_size, stream.page_size or page_size)
    if trial.total is None or portions > 1:
        return Expected(stream, None, portions, at_least=True)
    return Expected(stream, trial.total, max(1, -(-trial.total // size)))
