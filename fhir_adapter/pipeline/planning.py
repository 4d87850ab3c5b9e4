"""What will be asked of a server, before anything is fetched: who, which types, and how. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from fhir_adapter.ehr.capability import Capability, fetch_capability
from fhir_adapter.ehr.code_search import token
from fhir_adapter.ehr.failures import Forbidden
from fhir_adapter.ehr.plan import Level, StreamPlan, Wishes, plan
from fhir_adapter.ehr.population import Population, fetch_group, fetch_list, read_people
from fhir_adapter.ehr.probe.question import ONE, ask
from fhir_adapter.ehr.probe.trial import first_patient, question_for
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.ehr.vendors import Vendor, recognise
from fhir_adapter.errors import UsageError
from fhir_adapter.mapping.codes_read import codes_read
from fhir_adapter.mapping.study import read_study
from fhir_adapter.pipeline.types_read import types_read
from fhir_adapter.settings import Settings

_TOO_WIDE = frozenset({400, 422})


@dataclass(frozen=True)
class FetchPlan:
    """How one server will be read: `streams` for `population`.

    `export_level` is that of the bulk export (empty: none); `export_incremental` says whether it may be asked for what
    changed. `notes` are sentences about what was decided and why.
    """

    capability: Capability
    vendor: Vendor
    population: Population
    streams: tuple[StreamPlan, ...]
    export_level: Level = ""
    export_incremental: bool = True
    notes: tuple[str, ...] = ()


def plan_fetch(transport: Transport, settings: Settings, started_at: str) -> FetchPlan:
    """Ask the server what it offers and who is meant, and decide. `started_at` is an instant.

    Raises `UsageError` for settings that this server cannot serve, and what the transport raises.
    """
    types = types_read(settings)
    _check_types(settings, types)
    capability = fetch_capability(transport)
    vendor = recognise(capability, transport.base_url, settings.vendor)
    level, note = _export_level(settings, capability, vendor)
    population = _fetch_population(transport, settings, started_at[:10], level)
    wishes = Wishes(level, settings.search_by_post, _codes(settings), settings.in_full, settings.trust_totals)

    def planned(vendor: Vendor) -> tuple[StreamPlan, ...]:
        denied = transport.denied_types
        return tuple(plan(capability, types, population.people, vendor=vendor, wishes=wishes, denied=denied))

    streams = planned(vendor)
    believed = _believed(transport, vendor, streams, population)
    streams = streams if believed == vendor else planned(believed)
    if not any(stream.type == "Patient" and stream.how != "unsupported" for stream in streams):
        raise UsageError("this server offers no Patient resources", _without_patients(capability))
    notes = tuple(filter(None, (population.sentence, note)))
    return FetchPlan(capability, believed, population, streams, level, not believed.about("export-whole"), notes)


def _without_patients(capability: Capability) -> str:
    if levels := ", ".join(sorted(capability.export_levels)):
        return f"it offers bulk export ({levels}): set `bulk`"
    return "without patients there is nothing to build"


def _check_types(settings: Settings, types: Sequence[str]) -> None:
    """A type that the study does not read would be ignored in silence."""
    for key in ("by_code", "in_full"):
        for type in getattr(settings, key):
            if type not in types:
                message = f"the setting `{key}` names `{type}`, which is not read"
                raise UsageError(message, f"types: {', '.join(types)}")


def _export_level(settings: Settings, capability: Capability, vendor: Vendor) -> tuple[Level, str]:
    """The level of bulk export to use, and a sentence about it."""
    named = bool(settings.patients or settings.list)
    if settings.bulk == "off":
        return "", ""
    if settings.bulk == "auto":
        works = vendor.about("export-levels")
        offered = capability.export_levels & (frozenset(works.values) if works else capability.export_levels)
        wanted = ("group",) if settings.group else () if named else ("system", "patient")
        level = next((level for level in wanted if level in offered), "")
        return cast(Level, level), "" if level else "No bulk export fits who is asked for, so searches do the work."
    if settings.bulk == "group" and not settings.group:
        raise UsageError("`bulk` is group, and no Group is named", "name it with --group")
    if settings.bulk != "group" and (named or settings.group):
        message = f"`bulk` is {settings.bulk}, which exports everybody, and the settings name some patients"
        raise UsageError(message, "set `bulk` to auto, group or off")
    return settings.bulk, ""


def _fetch_population(transport: Transport, settings: Settings, today: str, level: Level) -> Population:
    if settings.patients:
        return read_people(settings.patients)
    if settings.list:
        return fetch_list(transport, settings.list, today)
    if not settings.group:
        return Population()
    try:
        return fetch_group(transport, settings.group, today)
    except (UsageError, Forbidden):
        if level != "group":
            raise
        return Population("group", name=settings.group, hidden=True)


def _codes(settings: Settings) -> Mapping[str, Sequence[str]]:
    """What the study reads of the types that the site wants to be asked for by code."""
    if not settings.by_code:
        return {}
    read = codes_read(read_study(settings.study, settings.set, settings.conceptmaps).terms)
    without = [type for type in settings.by_code if type not in read]
    if without:
        message = f"the setting `by_code` names `{without[0]}`, which has no codes that a study reads"
        raise UsageError(message, f"types: {', '.join(read)}")
    return {type: [token(system, code) for system, code in read[type]] for type in settings.by_code}


def _believed(transport: Transport, vendor: Vendor, streams: Sequence[StreamPlan], population: Population) -> Vendor:
    """The vendor, with what is only said about it and the server has shown: that a search needs one parameter more."""
    for stream in streams:
        rumour = vendor.hearsay("narrowing-required", stream.type)
        if rumour is None or stream.how not in ("search", "person") or stream.codes:
            continue
        somebody = population.people[0] if population.people else first_patient(transport)
        question = (*ONE, *question_for(stream, somebody))
        narrowed = (*question, (rumour.param, ",".join(rumour.values)))
        if ask(transport, stream.type, question).status in _TOO_WIDE and ask(transport, stream.type, narrowed).bundle:
            vendor = vendor.believing(rumour, stream.type)
    return vendor
