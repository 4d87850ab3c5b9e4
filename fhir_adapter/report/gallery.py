"""Every figure of the report, made from the same material as its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fhir_adapter.analysis.subgroups import members
from fhir_adapter.analysis.survival import curve
from fhir_adapter.cohort.estimate import Endpoint
from fhir_adapter.cohort.subgroup import Subgroup
from fhir_adapter.report.bars import response_bars, toxicity_bars
from fhir_adapter.report.drawing import Picture
from fhir_adapter.report.figures import TITLES, Panel, survival_picture
from fhir_adapter.report.flow_diagram import flow_diagram
from fhir_adapter.report.grades import grade_rows
from fhir_adapter.report.inputs import Curve, Material
from fhir_adapter.report.states import states
from fhir_adapter.report.swimmer import MOST_LANES, lanes_of, swimmer

ENDPOINTS: tuple[Endpoint, ...] = ("PFS", "OS")


@dataclass(frozen=True, slots=True)
class Gallery:
    """The figures by what they show; `courses` shows everybody apart, `states` everybody together when there are many.

    `courses_withheld`: the study withholds small numbers, so no single person is shown.
    """

    flow: Picture
    courses: Picture | None
    states: Picture | None
    courses_withheld: bool
    response: Picture
    survival: dict[str, Picture]
    both: Picture
    subgroups: tuple[tuple[str, tuple[Picture, ...]], ...]
    toxicity: Picture | None

    @property
    def all(self) -> tuple[Picture, ...]:
        found = (self.flow, self.courses, self.states, self.response, *self.survival.values(), self.both)
        grouped = (one for _, pictures in self.subgroups for one in pictures)
        return tuple(one for one in (*found, *grouped, self.toxicity) if one)


def gallery(material: Material) -> Gallery:
    """All figures; one about people is left out where there are none."""
    study = material.study
    withheld = bool(study.parameters.min_cell)
    many = len(material.people) > MOST_LANES
    lanes = () if many or withheld else lanes_of(material.courses, material.times, study)
    rows = [row for row in grade_rows(material.people, study) if row.is_assessed]
    rates = [one for one in material.of("response") if one.numerator or one.id == "response.orr"]
    return Gallery(
        flow=flow_diagram(material.flow, study),
        courses=swimmer(lanes) if lanes else None,
        states=states(material.times, study) if many and not withheld else None,
        courses_withheld=withheld and bool(material.people),
        response=response_bars(rates, study),
        survival={endpoint: _survival(material, f"km-{endpoint.lower()}", endpoint) for endpoint in ENDPOINTS},
        both=_survival(material, "km", *ENDPOINTS),
        subgroups=tuple(_groups(material)),
        toxicity=toxicity_bars(rows, study) if rows else None,
    )


def _survival(material: Material, name: str, *endpoints: Endpoint) -> Picture:
    """The curves of everybody, side by side."""
    study = material.study
    panels = [Panel(endpoint, {"": curve(material.times, endpoint, study)}) for endpoint in endpoints]
    title = " and ".join(TITLES[endpoint] for endpoint in endpoints)
    return _picture(material, name, f"{title}, Kaplan-Meier", panels)


def _groups(material: Material) -> Iterator[tuple[str, tuple[Picture, ...]]]:
    """For each subgroup of the study the curves of its levels, of the people that belong to just one of them."""
    for subgroup in material.study.subgroups:
        of_level = _people_of(material, subgroup)
        panels = [_by_level(material, subgroup, of_level, endpoint) for endpoint in ENDPOINTS]
        if any(any(panel.curves.values()) for panel in panels):
            yield subgroup.label, tuple(_grouped(material, subgroup, panel) for panel in panels)


def _grouped(material: Material, subgroup: Subgroup, panel: Panel) -> Picture:
    name = f"km-{panel.endpoint.lower()}-by-{subgroup.column.replace('_', '-')}"
    return _picture(material, name, f"{TITLES[panel.endpoint]} by {subgroup.label}", [panel])


def _people_of(material: Material, subgroup: Subgroup) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {level: set() for level in subgroup.levels}
    for member in members(material.people, subgroup):
        if len(member.levels) == 1:
            found[member.levels[0]].add(member.person.subject_id)
    return found


def _by_level(material: Material, subgroup: Subgroup, people: dict[str, set[str]], endpoint: Endpoint) -> Panel:
    study = material.study
    return Panel(
        endpoint,
        {
            study.display(subgroup.level_label(level)): curve(
                [time for time in material.times if time.subject_id in people[level]], endpoint, study
            )
            for level in subgroup.levels
        },
    )


def _picture(material: Material, name: str, title: str, panels: Sequence[Panel]) -> Picture:
    parameters = material.study.parameters
    month, least = float(parameters.month_days), parameters.min_cell
    words = " ".join(
        f"{panel.endpoint}{_who(group)}: {_in_words(one)}." for panel in panels for group, one in panel.curves.items()
    )
    return survival_picture(name, title, panels, month, least, "" if least else words)


def _who(group: str) -> str:
    return f", {group}" if group else ""


def _in_words(known: Curve | None) -> str:
    if known is None:
        return "nobody with a follow-up time"
    events = sum(step.events for step in known.steps)
    return f"{known.n} people, {events} events, {known.steps[-1].survival:.0%} at the end of follow-up"
