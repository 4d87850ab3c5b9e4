"""The report: one self-contained HTML page with its figures, and the figures as files of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from jinja2 import Template
from markupsafe import Markup

from fhir_adapter.analysis import wording
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.report import attrition, grades, quality, subgroup_tables, tables
from fhir_adapter.report.cautions import cautions
from fhir_adapter.report.definitions import definitions, in_force, scales
from fhir_adapter.report.drawing import Picture
from fhir_adapter.report.gallery import Gallery, gallery
from fhir_adapter.report.html import style_sheet, templates
from fhir_adapter.report.inputs import Material
from fhir_adapter.report.summary import summary

# Where there is a response better than a complete one, both count as complete.
_COMPLETE, _STRINGENT = "response.cr", "response.cr_or_better"
_HEADLINES = ("baseline.n", "followup.median", "response.orr", _COMPLETE, "pfs.{}m", "os.{}m")
_FEW_STREAMS = 25


def render(material: Material) -> dict[str, bytes]:
    """File name → content: `index.html` and every figure as SVG and as PNG. Equal input gives equal bytes."""
    pictures = gallery(material)
    files = {"index.html": _page(material, pictures).encode("utf-8")}
    for one in pictures.all:
        files |= {f"{one.name}.svg": one.svg, f"{one.name}.png": one.png}
    return files


def _page(material: Material, pictures: Gallery) -> str:
    study, by_id = material.study, material.by_id
    graded = grades.grade_rows(material.people, study)
    return _template().render(
        style=style_sheet(__package__),
        study=study,
        facts=material.facts,
        cut=study.parameters.data_cut.isoformat() if study.parameters.data_cut else "",
        incomplete=material.incomplete,
        empty=material.is_empty,
        headlines=list(_headlines(material)),
        summary=summary(material),
        cautions=cautions(material),
        pictures=pictures,
        ledger=tables.ledger(material.ledger),
        many_streams=len(material.ledger) >= _FEW_STREAMS,
        received=sum(row.received for row in material.ledger),
        attrition=attrition.attrition(material.flow, study),
        baseline=tables.baseline(material.of("baseline"), study),
        failure=tables.shares(material.of("failure"), study),
        lengths=tables.lengths(material.of("washout", "vein_to_vein"), study),
        response=tables.shares(material.of("response"), study),
        followup=tables.survival(material.of("followup"), study),
        survival={name: tables.survival(material.of(name.lower()), study) for name in ("PFS", "OS")},
        duration=tables.endpoints(material.of("dor", "docr"), study),
        other_endpoints=tables.endpoints(material.of("efs", "ttp", "ttnt", "relapse", "nrm"), study),
        subgroups=subgroup_tables.levels(material.estimates, study),
        comparisons=subgroup_tables.comparisons(material.estimates, study),
        grades=grades.by_grade(graded, study),
        toxicity=grades.rates(graded, by_id, study),
        scales=scales(study),
        unknown_codes=quality.unknown_codes(material),
        undetermined=quality.undetermined(material),
        contradictions=quality.contradictions(material),
        set_aside=quality.set_aside(material.tallies.not_used),
        human=material.human,
        unsaid=list(_unsaid(material.whole).items()),
        definitions=definitions(study),
        parameters=in_force(study.parameters),
    )


@cache
def _template() -> Template:
    return templates(__package__, drawn=_drawn).get_template("index.html.j2")


def _drawn(one: Picture) -> Markup:
    return Markup(one.inline)  # noqa: S704 - what matplotlib wrote: it escapes every text


def _headlines(material: Material) -> Iterator[tuple[str, str, str]]:
    """(label, value, interval or range) of the figures that a reader looks for first."""
    digits, by_id = material.study.parameters.digits, material.by_id
    last = max(material.study.parameters.timepoints_months, default=0)
    names = [name if name != _COMPLETE or _STRINGENT not in by_id else _STRINGENT for name in _HEADLINES]
    for name in names:
        estimate = by_id.get(name.format(last))
        if estimate and (not material.is_empty or name == _HEADLINES[0]):
            between = wording.interval(estimate, digits)
            around = wording.span(estimate, digits)
            beside = f"{wording.level(estimate)} CI {between}" if between else around and f"range {around}"
            yield estimate.label, wording.result(estimate, digits), beside


def _unsaid(estimates: Iterable[Estimate]) -> dict[str, list[str]]:
    """What cannot be estimated, the value or its interval alone, by reason."""
    by_reason: dict[str, list[str]] = {}
    for estimate in estimates:
        if estimate.not_estimable:
            by_reason.setdefault(estimate.not_estimable, []).append(estimate.label)
        elif estimate.no_interval:
            by_reason.setdefault(f"Interval: {estimate.no_interval}", []).append(estimate.label)
    return by_reason
