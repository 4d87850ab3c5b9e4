"""The types that a server gives in bulk: one export for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

import msgspec

from fhir_adapter.ehr.bulk import Export, ExportOrder, run_export
from fhir_adapter.ehr.failures import Forbidden
from fhir_adapter.ehr.plan import StreamPlan
from fhir_adapter.ehr.transport import Transport
from fhir_adapter.errors import IncompleteError, ServerRefused
from fhir_adapter.pipeline.fetching.landing import Landing
from fhir_adapter.pipeline.fetching.memory import StreamMemory
from fhir_adapter.pipeline.planning import FetchPlan
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

_REST = "export"  # the stream of what an export tells about no type in particular
_LACKED = "the export did not have it, so it was searched for"
_NOT_HELD = "the server says that it does not export it, and cannot be searched for it"


class Exporting:
    """One export of one run. Afterwards `lacked` are the plans of types that have to be searched for all the same,
    `unknown` the types that cannot be had at all, and `in_full` tells whether all of every other type came.
    """

    def __init__(
        self, transport: Transport, plan: FetchPlan, settings: Settings, store: Store, memory: StreamMemory
    ) -> None:
        self.lacked: tuple[StreamPlan, ...] = ()
        self.unknown: tuple[str, ...] = ()
        self.in_full = False
        self._transport, self._plan, self._settings = transport, plan, settings
        self._store, self._memory = store, memory

    def land(self, streams: Sequence[StreamPlan], folder: Path, landing: Landing, say: Progress) -> None:
        """Order these types, and land what comes. `folder` keeps the files until all of it is landed."""
        since = self._since(streams)
        types = tuple(stream.type for stream in streams)
        level = cast(Literal["system", "group", "patient"], self._plan.export_level)
        order = ExportOrder(level, types, self._plan.population.name, since)
        wait = self._settings.max_wait_s
        try:
            export = run_export(self._transport, order, self._store, folder, say, max_wait_s=wait)
        except (ServerRefused, Forbidden):
            if self._settings.bulk != "auto":
                raise
            say("the server does not take the order of an export, so searches do the work")
            self.lacked = tuple(map(self._searched, streams))
            return
        except IncompleteError as problem:
            landing.fail(_REST, problem.message)
            landing.close(_REST)
            return
        self.in_full = not since
        lacked = [stream for stream in streams if stream.type in export.missing and stream.searchable]
        self.lacked = tuple(map(self._searched, lacked))
        self.unknown = tuple(one.type for one in streams if one.type in export.refused and not one.searchable)
        self._land(export, streams, landing)

    def _land(self, export: Export, streams: Sequence[StreamPlan], landing: Landing) -> None:
        for stream in streams:
            if stream.type in export.missing and stream.searchable:
                landing.remark(stream.type, _LACKED)
            elif stream.type in self.unknown:
                landing.pass_by(stream.type, f"{stream.type}: {_NOT_HELD}")
            else:
                pages = export.pages(stream.type, self._may_be_empty)
                landing.land(stream.type, pages, self._settings.unreadable_lines)
        landing.land(_REST, export.deletions())
        export.finish()

    def _may_be_empty(self, type: str) -> bool:
        """Nobody can be asked whether there is really nothing. Among what has changed since that is the rule."""
        return not self.in_full or type in self._settings.export_may_lack

    def _since(self, streams: Sequence[StreamPlan]) -> str:
        """The moment from which every type has to be asked for; empty: from the beginning. An export does not show what
        is gone, so from time to time everything is asked for.
        """
        windows = [msgspec.structs.replace(self._memory.window(stream), param="_since") for stream in streams]
        moments = [window.since("") for window in windows]
        unchanged = self._plan.export_incremental and not self._plan.population.hidden
        if not unchanged or "" in moments or any(map(self._memory.is_sweep_due, streams)):
            return ""
        return min(moments)

    def _searched(self, stream: StreamPlan) -> StreamPlan:
        """How to search for a type that the export lacks."""
        by_person = not self._plan.population.everybody and stream.person_param
        return msgspec.structs.replace(stream, how="person" if by_person else "codes" if stream.codes else "search")
