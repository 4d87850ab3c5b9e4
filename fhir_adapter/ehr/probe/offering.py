"""What else a server offers, as far as it says itself or looking does no harm: history, export, writing, its clock."""

from __future__ import annotations

from collections.abc import Sequence

from fhir_adapter.ehr.capability import Capability
from fhir_adapter.ehr.plan import Level, StreamPlan
from fhir_adapter.ehr.probe.finding import Finding, ok, warn
from fhir_adapter.ehr.probe.question import ONE, ask
from fhir_adapter.ehr.transport import Transport

# Tokens live for minutes, and an assertion for at most five: a clock that is further off is refused sooner or later.
_SKEW_NOTICED_S, _SKEW_REFUSED_S = 30.0, 300.0


def probe_clock(capability: Capability, now: float) -> Finding:
    """How far the clocks are apart. `now` is this machine's, in seconds since 1970."""
    name = "clock"
    if capability.answered_at is None:
        return warn(name, "the server does not tell the time", "What changed is then fetched in full each time.")
    ahead = now - capability.answered_at
    seen = f"this machine's clock is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"
    if abs(ahead) < _SKEW_NOTICED_S:
        return ok(name, "both clocks agree")
    refused = abs(ahead) >= _SKEW_REFUSED_S
    means = "Requests for tokens may be refused." if refused else "That does no harm yet: instants are the server's."
    return warn(name, seen, means, "Let this machine keep its time by NTP.")


def probe_history(transport: Transport, streams: Sequence[StreamPlan]) -> Finding:
    """Does the server tell what was deleted?"""
    name = "deletions"
    sweeps = "Deletions are noticed when everything is compared, every few runs (`sweep_every`)."
    if not any(stream.history for stream in streams):
        return warn(name, "the server offers no history of a type", sweeps)
    if in_parts := [stream.type for stream in streams if stream.history and stream.how in ("person", "codes")]:
        return warn(name, f"a history does not tell who leaves a part of a type: {', '.join(in_parts)}", sweeps)
    told = [stream for stream in streams if stream.tells_deletions]
    if not told:
        return warn(name, "no type is asked for in a way that a history could complete", sweeps)
    reply = ask(transport, f"{told[0].type}/_history", ONE)
    if reply.bundle is None or reply.bundle.type != "history":
        return warn(name, f"the history of {told[0].type}: {reply.refusal or 'something else came'}", sweeps)
    return ok(name, "the server tells them by its history")


def note_export(capability: Capability, level: Level) -> Finding:
    """What the server says about bulk export; nothing is ordered."""
    name, levels = "$export", ", ".join(sorted(capability.export_levels))
    if level and level not in capability.export_levels:
        listed = f"only {levels}" if levels else "no bulk export"
        means = "The order may be refused; a run then ends without it."
        return warn(name, f"the server lists {listed}, and the settings ask for {level}", means, "See `bulk`.")
    if level:
        return ok(name, f"offered: {levels}; used: {level}")
    return ok(name, f"offered: {levels}; not used (see `bulk`)" if levels else "not offered; searches do the work")


def note_writing(capability: Capability) -> Finding:
    """How MeasureReports will be written, by what the server says."""
    name, offered = "publishing", capability.of("MeasureReport")
    if not capability.types:
        return warn(
            name, "the server does not list what it offers", "What it refuses shows when something is published."
        )
    if offered is None or not (offered.update or offered.create):
        means = "The results cannot be published there; a run would end with an error after everything else."
        return warn(
            name, "MeasureReports cannot be written to this server", means, "Set `publish_to`, or use --no-publish."
        )
    ways = ["under ids of ours"] if offered.update_create else ["under ids of the server"]
    ways += ["conditional update"] if offered.conditional_update else []
    ways += ["all in one transaction"] if capability.transaction else ["one after the other"]
    return ok(name, f"MeasureReports are written {', '.join(ways)}, as far as the server says")
