"""Everything that follows the fetch: map → judge → analyse → report → publish, up to a stage, written together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from fhir_adapter.analysis.adjudication import counts
from fhir_adapter.analysis.estimates import estimate
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.ehr.deliver import Delivery
from fhir_adapter.mapping.site_maps import SiteMap
from fhir_adapter.mapping.study import StudyFolder
from fhir_adapter.output_folder import OutputFolder
from fhir_adapter.pipeline import publish
from fhir_adapter.pipeline.build import Cohort, build
from fhir_adapter.pipeline.moment import Known
from fhir_adapter.progress import Progress
from fhir_adapter.publish.adjudication_table import agreement_file
from fhir_adapter.publish.analysis_tables import analysis_files
from fhir_adapter.settings import Settings
from fhir_adapter.store import StreamLedger, View

Stage = Literal["build", "analyze", "report", "publish"]
STAGES: tuple[Stage, ...] = ("build", "analyze", "report", "publish")
_PART = {"build": "cohort", "analyze": "analysis", "report": "report", "publish": "publish"}


@dataclass(frozen=True)
class Results:
    """What one run has made: the cohort, its estimates, and what was delivered (None when nothing was to be)."""

    cohort: Cohort
    estimates: tuple[Estimate, ...]
    ledger: tuple[StreamLedger, ...]
    delivery: Delivery | None


def make_results(
    known: Known,
    folder: StudyFolder,
    settings: Settings,
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
    cohort = build(store, folder)
    flow = [(row.step, row.n_left) for row in cohort.flow]
    estimates = estimate(cohort.judgements, cohort.times, flow, folder.study)
    parts: dict[str, dict[str, bytes]] = {"cohort": cohort.files()}
    sent = publish.Sent()
    if "analyze" in stages:
        parts["analysis"] = analysis_files(cohort.times, estimates, cohort.study)
        parts["analysis"]["agreement.json"] = agreement_file(cohort.agreement)
    if "report" in stages:
        parts["report"] = _report(cohort, estimates, ledger, store)
    if "publish" in stages:
        inputs, changed = {"landing-store": store.content_hash(), **folder.inputs}, store.changed_at()
        sent = publish.send(publish.Material(cohort, estimates, inputs, changed, settings, individual), out, say)
        parts["publish"] = sent.files
    about_run = _about_run(cohort, ledger, started_at, parts, store)
    about_run |= {"delivered": sent.told, "asked": {"study": settings.study, "set": dict(settings.set)}}
    about_run["asked"] |= {"adverse_events": str(settings.adverse_events or ""), "sha256": folder.side_car.sha256}
    about_run["asked"] |= {"conceptmaps": _about_maps(folder.site_maps, settings.conceptmaps)}
    about_run["asked"] |= {"adjudication": {"file": str(settings.adjudication or ""), "sha256": folder.rulings.sha256}}
    about_run |= {"as_of": known.told, "adjudication": counts(cohort.decided)}
    written = (json.dumps(about_run, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
    outdated = tuple(_PART[stage] for stage in STAGES if stage not in stages)
    out.replace({**parts, "run.json": written}, without=outdated)
    if sent.problem:
        raise sent.problem
    return Results(cohort, estimates, ledger, sent.delivery)


def _about_maps(maps: Sequence[SiteMap], folder: Path | None) -> dict[str, Any]:
    """Which ConceptMaps of the site were read, and how much they decide."""
    files = {one.path.name: {"sha256": one.sha256, "decided": one.decided, "replacing": one.replacing} for one in maps}
    return {"folder": str(folder or ""), "files": files}


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
            people=cohort.judgements,
            others=cohort.excluded,
            times=cohort.times,
            flow=cohort.flow,
            ledger=ledger,
            remarks=[stream.reason for stream in ledger if stream.complete and stream.reason],
            contradictions=cohort.contradictions,
            unmapped=cohort.unmapped,
            not_used=cohort.set_aside,
            human=human_review(cohort.decided, cohort.agreement, cohort.study),
        )
    )


def _about_run(
    cohort: Cohort,
    ledger: Sequence[StreamLedger],
    started_at: str,
    parts: Mapping[str, Mapping[str, bytes]],
    store: View,
) -> dict[str, Any]:
    """What ran, on what, with which version and parameters. Counts and hashes only: no patient data."""
    study = cohort.study
    return {
        "software": publish.SOFTWARE,
        "started_at": started_at,
        "source": store.source,
        "study": {"id": study.id, "version": study.version, "fingerprint": study.fingerprint},
        "parameters": json.loads(study.parameters.model_dump_json()),
        "content_sha256": store.content_hash(),
        "changed_at": store.changed_at(),
        "ledger": [asdict(stream) for stream in ledger],
        "people": {"included": len(cohort.judgements), "excluded": len(cohort.excluded)},
        "files": {
            f"{part}/{name}": hashlib.sha256(content).hexdigest()
            for part, files in sorted(parts.items())
            for name, content in sorted(files.items())
        },
    }
