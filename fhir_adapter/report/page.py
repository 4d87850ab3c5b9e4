"""The report: one self-contained HTML page with its figures, and the figures as files of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from fhir_adapter.analysis import wording
from fhir_adapter.analysis.estimates import remarks
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.flow import FlowRow
from fhir_adapter.cohort.study import Study
from fhir_adapter.report import subgroup_tables, tables
from fhir_adapter.report.definitions import definitions, in_force, scales
from fhir_adapter.report.figures import inline, survival_png, survival_svg
from fhir_adapter.report.human_review import HumanReview
from fhir_adapter.report.inputs import Curve, LedgerRow, RunFacts

ENDPOINTS = ("PFS", "OS")
_HEADLINES = ("baseline.n", "followup.median", "response.orr", "response.cr", "pfs.12m", "os.12m")


def render(
    study: Study,
    estimates: Iterable[Estimate],
    curves: Mapping[str, Curve | None],
    flow: Iterable[FlowRow],
    notes: Iterable[str],
    ledger: Iterable[LedgerRow],
    facts: RunFacts,
    human: HumanReview | None = None,
) -> dict[str, bytes]:
    """File name → content: `index.html`, `km-pfs.svg`, `km-os.svg`, `km.png`. Equal input gives equal bytes.

    `curves` are the Kaplan-Meier curves by endpoint (`PFS`, `OS`); one that is missing or None has nobody in it.
    `notes` are sentences for the reader, beside those that follow from the estimates. `human` is what people decided.
    """
    month, least = float(study.parameters.month_days), study.parameters.min_cell
    shown = {endpoint: curves.get(endpoint) for endpoint in ENDPOINTS}
    figures = {endpoint: survival_svg(endpoint, curve, month, least) for endpoint, curve in shown.items()}
    page = _page(study, tuple(estimates), figures, tuple(flow), tuple(notes), tuple(ledger), facts, human)
    return {
        "index.html": page.encode("utf-8"),
        **{f"km-{endpoint.lower()}.svg": svg for endpoint, svg in figures.items()},
        "km.png": survival_png(shown, month, least),
    }


def _page(
    study: Study,
    estimates: Sequence[Estimate],
    figures: Mapping[str, bytes],
    flow: Sequence[FlowRow],
    notes: Sequence[str],
    ledger: Sequence[LedgerRow],
    facts: RunFacts,
    human: HumanReview | None,
) -> str:
    digits = study.parameters.digits

    whole = [one for one in estimates if not subgroup_tables.is_of_subgroup(one)]

    def of(*families: str) -> list[Estimate]:
        return [one for one in whole if one.id.split(".")[0] in families]

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = resources.files(__package__).joinpath("index.html.j2").read_text("utf-8")
    return environment.from_string(template).render(
        study=study,
        facts=facts,
        cut=study.parameters.data_cut.isoformat() if study.parameters.data_cut else "none",
        headlines=list(_headlines(estimates, digits)),
        incomplete=[row.stream for row in ledger if not row.complete],
        ledger=tables.ledger(ledger),
        attrition=tables.attrition(flow, study),
        baseline=tables.baseline(of("baseline"), study),
        before=tables.statistics(of("failure", "washout", "vein_to_vein"), study),
        response=tables.statistics(of("response"), study),
        duration=tables.survival(of("dor", "docr"), study),
        followup=tables.statistics(of("followup"), study),
        # The figures are our own SVG; matplotlib escapes every text in them.
        figures={endpoint: Markup(inline(svg)) for endpoint, svg in figures.items()},  # noqa: S704
        survival={endpoint: tables.survival(of(endpoint.lower()), study) for endpoint in figures},
        other_endpoints=tables.survival(of("relapse", "nrm", "efs", "ttp", "ttnt"), study),
        subgroups=subgroup_tables.levels(estimates, study),
        comparisons=subgroup_tables.comparisons(estimates, study),
        toxicity=tables.toxicity(of("crs", "icans", "toxicity"), digits),
        scales=scales(study),
        human=human,
        definitions=definitions(study),
        parameters=in_force(study.parameters),
        notes=[*notes, *_notes(whole, facts, digits)],
        empty=any(one.id == "baseline.n" and not one.n for one in estimates),
        unsaid=list(_unsaid(whole).items()),
    )


def _headlines(estimates: Iterable[Estimate], digits: int) -> Iterator[tuple[str, str, str]]:
    """(label, value, interval or range) of the figures that a reader looks for first."""
    by_id = {estimate.id: estimate for estimate in estimates}
    for name in _HEADLINES:
        if estimate := by_id.get(name):
            between = wording.interval(estimate, digits)
            around = wording.span(estimate, digits)
            beside = f"{wording.level(estimate)} CI {between}" if between else around and f"range {around}"
            yield estimate.label, wording.result(estimate, digits), beside


def _unsaid(estimates: Iterable[Estimate]) -> dict[str, list[str]]:
    """What cannot be estimated, by reason."""
    by_reason: dict[str, list[str]] = {}
    for estimate in estimates:
        if estimate.not_estimable:
            by_reason.setdefault(estimate.not_estimable, []).append(estimate.label)
    return by_reason


def _notes(estimates: Sequence[Estimate], facts: RunFacts, digits: int) -> Iterator[str]:
    yield from remarks(estimates)
    followed = next((one.value for one in estimates if one.id == "followup.median"), None)
    for one in estimates:
        if one.timepoint_months is None or one.not_estimable or one.endpoint not in ENDPOINTS:
            continue
        if followed is not None and followed < one.timepoint_months:
            yield (
                f"{one.label}: half of the people were followed for less than {one.timepoint_months} months. The "
                f"estimate rests on few: events {one.events or 0}, people still at risk {one.at_risk or 0}."
            )
    if facts.contradictions:
        yield (
            f"{facts.contradictions} contradictions between records were found; the people leave the endpoints "
            "concerned (cohort/contradictions.csv)."
        )
    if facts.unmapped:
        yield f"{facts.unmapped} codes or texts are not known to the study (cohort/unmapped.csv)."
    if facts.rejected:
        yield f"{facts.rejected} facts could not be used (cohort/rejects.csv)."
