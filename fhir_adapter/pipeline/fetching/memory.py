"""What the store remembers of earlier runs about a stream, and whether it still answers today's question."""

from __future__ import annotations

import hashlib

import msgspec

from fhir_adapter.ehr.history import WHOSE
from fhir_adapter.ehr.plan import StreamPlan
from fhir_adapter.ehr.window import Window
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

_DUE = "due"


class StreamMemory:
    """Cursors and sweeps of the streams in one run. `whom` names the population, `full` forgets all cursors."""

    def __init__(self, store: Store, run: int, settings: Settings, whom: str, *, full: bool, say: Progress) -> None:
        self._store, self._run, self._settings = store, run, settings
        self._whom, self._full, self._say = whom, full, say

    def window(self, plan: StreamPlan) -> Window:
        """Since when to ask. Who asks something else than last time asks from the beginning."""
        asked, key = self._fingerprint(plan), f"asked {plan.type}"
        before = self._store.recall(key)
        if self._full or asked != before:
            if before and not self._full:
                self._say(f"{plan.type}: what is asked for has changed since the last run, so everything is fetched")
            self._store.forget_cursors(plan.type)
            self._store.remember(key, asked)
        cursors = self._store.cursors(plan.type)
        if plan.tells_deletions and "" in cursors and WHOSE not in cursors:
            cursors = self._begin_deletions(plan.type, cursors)
        if not cursors:
            self._begin_anew(plan.type)
        return Window(plan.since_param, cursors, self._settings.overlap_s, self._settings.horizon_s)

    def forget(self, plan: StreamPlan) -> Window:
        """The window of a stream that has to be asked for from the beginning."""
        self._store.forget_cursors(plan.type)
        return self.window(plan)

    def is_sweep_due(self, plan: StreamPlan) -> bool:
        """Is it time to ask which resources are there at all?"""
        last = self._store.recall(_swept(plan.type)) or _DUE
        if last == _DUE:
            return True
        return not plan.tells_deletions and self._run - int(last) >= self._settings.sweep_every

    def swept(self, type: str) -> None:
        """Everything of this type was seen in this run, and what was not is gone."""
        self._store.remember(_swept(type), str(self._run))

    def _begin_deletions(self, type: str, cursors: dict[str, str]) -> dict[str, str]:
        """So far deletions were found out otherwise, if at all: once more by a sweep, from now on by asking."""
        self._store.land(self._run, type, [], [], cursor=(WHOSE, cursors[""]))
        self._store.remember(_swept(type), _DUE)
        return {**cursors, WHOSE: cursors[""]}

    def _begin_anew(self, type: str) -> None:
        """A run that ends before its sweep leaves it to the next one; but from nothing nothing can be missing."""
        self._store.remember(_swept(type), _DUE if self._store.count(type) else str(self._run))

    def _fingerprint(self, plan: StreamPlan) -> str:
        question = (self._whom, sorted(plan.params), plan.code_param, sorted(plan.codes))
        return hashlib.sha256(msgspec.json.encode(question)).hexdigest()


def _swept(type: str) -> str:
    return f"swept {type}"
