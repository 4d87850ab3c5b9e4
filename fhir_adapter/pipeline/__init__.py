"""The river: fetch → map → judge → analyse → publish. The only place that knows the order.

`run` does everything; `continue_from_store` does what follows the fetch, up to a stage. Each stage can be run again
alone from what is in the landing store, and the same store, study and software give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fhir_adapter.engine import Engine, opened
from fhir_adapter.mapping.study import StudyFolder
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline.fetch import AS_EVERY_NIGHT, Fetched, Manner, reached
from fhir_adapter.pipeline.moment import known
from fhir_adapter.pipeline.site import study_of
from fhir_adapter.progress import Progress
from fhir_adapter.settings import Settings
from fhir_adapter.store import Store

if TYPE_CHECKING:
    from fhir_adapter.pipeline.results import Results, Stage

__all__ = ["Manner", "Results", "Stage", "continue_from_store", "fetch_only", "run", "with_last_parameters"]


def run(settings: Settings, started_at: str, say: Progress, manner: Manner = AS_EVERY_NIGHT) -> Results:
    """Everything in order. `started_at` is an instant; nothing else depends on the clock."""
    from fhir_adapter.pipeline.results import make_results  # all that a fetch alone can do without

    folder = study_of(settings)
    with (
        _engine(settings) as engine,
        _landed(settings, engine, started_at, say, manner, folder) as (out, store, fetched),
    ):
        fetched.require_complete()
        return make_results(known(store), folder, settings, engine, out, started_at, "publish", say)


def fetch_only(settings: Settings, started_at: str, say: Progress, manner: Manner = AS_EVERY_NIGHT) -> Fetched:
    """Bring the landing store up to date."""
    with _engine(settings) as engine, _landed(settings, engine, started_at, say, manner) as (_, _, fetched):
        pass
    fetched.require_complete()
    return fetched


def _engine(settings: Settings) -> AbstractContextManager[Engine]:
    """Who does the work, once for everything that a command does."""
    return opened(settings.engine, settings.workers, settings.spark_master)


@contextmanager
def _landed(
    settings: Settings,
    engine: Engine,
    started_at: str,
    say: Progress,
    manner: Manner,
    study: StudyFolder | None = None,
) -> Iterator[tuple[OutputFolder, Store, Fetched]]:
    """The output folder, held for this run, and its store after the fetch."""
    out = OutputFolder(settings.out)
    out.check()
    with (
        reached(settings, started_at, say, manner, study, engine) as land,
        out.locked(),
        Store.open(out.store, settings.source) as store,
    ):
        yield out, store, land(store)


def continue_from_store(
    settings: Settings, started_at: str, last: Stage, say: Progress, as_of: str = "", *, individual: bool = False
) -> Results:
    """Map, judge, analyse, ... up to the stage `last`, from what the last fetch left, or an earlier one (`as_of`).

    `individual` asks for reports about single people beside those of the cohort.
    """
    from fhir_adapter.pipeline.results import make_results

    if last == "publish":
        settings = with_last_parameters(settings, say)
    folder = study_of(settings)
    out = OutputFolder(settings.out)
    with _engine(settings) as engine, out.locked(), Store.reopen(out.store) as store:
        moment = known(store, as_of)
        return make_results(moment, folder, settings, engine, out, started_at, last, say, individual=individual)


def with_last_parameters(settings: Settings, say: Progress) -> Settings:
    """The settings, with the study and the parameters that the results in the output folder were made with.

    Whoever explains or publishes results means those results. What is said now still wins.
    """
    written = OutputFolder(settings.out).read("run.json")
    if written is None:
        return settings
    last = json.loads(written).get("asked", {})
    files = {
        "adverse_events": last.get("adverse_events"),
        "adjudication": last.get("adjudication", {}).get("file"),
        "conceptmaps": last.get("conceptmaps", {}).get("folder"),
    }
    same = {name: Path(path) for name, path in files.items() if path and getattr(settings, name) is None}
    study = settings.study if "study" in settings.model_fields_set else last.get("study", settings.study)
    parameters = {**last.get("set", {}), **settings.set}
    kept = {key: value for key, value in last.get("set", {}).items() if key not in settings.set}
    if kept:
        say("as in the last run: " + ", ".join(f"{key}={value}" for key, value in sorted(kept.items())))
    return settings.model_copy(update={**same, "study": study, "set": parameters})
