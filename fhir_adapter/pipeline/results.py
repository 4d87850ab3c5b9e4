"""Everything that follows the fetch: map → judge → analyse → report → publish, up to a stage, written together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from fhir_adapter.analysis.adjudication import counts
from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.ehr.deliver import Delivery
from fhir_adapter.engine import Engine
from fhir_adapter.generation import Generation
from fhir_adapter.mapping.study import StudyFolder
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline import publish
from fhir_adapter.pipeline.build import Cohort, build
from fhir_adapter.pipeline.moment import Known
from fhir_adapter.progress import Progress
from fhir_adapter.publish.adjudication_table import agreement_file
from fhir_adapter.publish.analysis_tables import write_analysis
from fhir_adapter.settings import Settings
from fhir_adapter.store import StreamLedger, View

Stage = Literal["build", "analyze", "report", "publish"]
STAGES: tuple[Stage, ...] = ("build", "analyze", "report", "publish")
_PART = {"build": "cohort", "analyze": "analysis", "report": "report", "publish": "publish"}


@dataclass(frozen=True)
class Results:
    """What one run has made: the cohort, its estimates (none before they are asked for), and what was delivered (None
    when nothing was to be).
    """

    cohort: Cohort
    estimates: tuple[Estimate, ...]
    ledger: tuple[StreamLedger, ...]
    delivery: Delivery | None


def make_results(
    known: Known,
    folder: StudyFolder,
    settings: Settings,
    engine: Engine,
    out: OutputFolder,
    started_at: str,
    last: Stage,
    say: Progress,
    *,
    individual: bool = False,
) -> Results:
    """Everything after the fetch, written together. Parts that are not made again are taken away: they are old."""
    store, ledger = known.view, tuple(known.view.ledger(known.run.run))
    stages = STAGES[: STAGES.index(last) + 1]
    outdated = tuple(_PART[stage] for stage in STAGES if stage not in stages)
    with out.renewal(without=outdated) as new:
        cohort = build(store, folder, engine=engine, say=say, place=new.part("cohort"), whole=individual)
        estimates: tuple[Estimate, ...] = ()
        sent = publish.Sent()
        if "analyze" in stages:
            flow = [(row.step, row.n_left) for row in cohort.flow]
            estimates = estimate(cohort.people, cohort.times, flow, folder.study)
            write_analysis(new.part("analysis"), cohort.times, estimates, cohort.study)
            new.write("analysis/agreement.json", agreement_file(cohort.agreement))
        if "report" in stages:
            _write(new, "report", _report(cohort, estimates, ledger, store))
        if "publish" in stages:
            inputs, changed = {"landing-store": store.content_hash(), **folder.inputs}, store.changed_at()
            sent = publish.send(publish.Material(cohort, estimates, inputs, changed, settings, individual), out, say)
            _write(new, "publish", sent.files)
        about = _about_run(known, cohort, ledger, started_at) | _asked(settings, folder)
        about |= {"delivered": sent.told, "files": new.sha256}
        new.write("run.json", (json.dumps(about, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode())
    if sent.problem:
        raise sent.problem
    return Results(cohort, estimates, ledger, sent.delivery)


def _write(new: Generation, part: str, files: Mapping[str, bytes]) -> None:
    for name in sorted(files):
        new.write(f"{part}/{name}", files[name])


def _report(
    cohort: Cohort, estimates: Sequence[Estimate], ledger: Sequence[StreamLedger], store: View
) -> dict[str, bytes]:
    from fhir_adapter.report.human_review import human_review
    from fhir_adapter.report.inputs import Material, RunFacts
    from fhir_adapter.report.page import render

    facts = RunFacts(
        software=publish.SOFTWARE,
        source=store.source,
        changed_at=store.changed_at(),
        content_sha256=store.content_hash(),
    )
    return render(
        Material(
            study=cohort.study,
            facts=facts,
            estimates=estimates,
            people=cohort.people,
            courses=cohort.courses,
            times=cohort.times,
            flow=cohort.flow,
            ledger=ledger,
            remarks=[stream.reason for stream in ledger if stream.complete and stream.reason],
            tallies=cohort.tallies,
            human=human_review(cohort.decided, cohort.agreement, cohort.study),
        )
    )


def _about_run(known: Known, cohort: Cohort, ledger: Sequence[StreamLedger], started_at: str) -> dict[str, Any]:
    """What ran, on what, with which version, and how much was found. Counts and hashes only: no patient data."""
    study, store = cohort.study, known.view
    return {
        "software": publish.SOFTWARE,
        "started_at": started_at,
        "as_of": known.told,
        "source": store.source,
        "study": {"id": study.id, "version": study.version, "fingerprint": study.fingerprint},
        "parameters": json.loads(study.parameters.model_dump_json()),
        "content_sha256": store.content_hash(),
        "changed_at": store.changed_at(),
        "ledger": [asdict(stream) for stream in ledger],
        "people": {"included": len(cohort.people), "excluded": cohort.tallies.excluded},
        "adjudication": counts(cohort.decided),
    }


def _asked(settings: Settings, folder: StudyFolder) -> dict[str, Any]:
    """What was asked for, so that whoever explains or publishes these results later means the same."""
    maps = {
        one.path.name: {"sha256": one.sha256, "decided": one.decided, "replacing": one.replacing}
        for one in folder.site_maps
    }
    return {
        "asked": {
            "study": settings.study,
            "set": dict(settings.set),
            "adverse_events": str(settings.adverse_events or ""),
            "sha256": folder.side_car.sha256,
            "conceptmaps": {"folder": str(settings.conceptmaps or ""), "files": maps},
            "adjudication": {"file": str(settings.adjudication or ""), "sha256": folder.rulings.sha256},
        }
    }
