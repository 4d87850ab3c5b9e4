"""Who the people are: attrition, baseline table, BsAb failure and the lengths before the infusion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from fhir_adapter.analysis.proportions import proportion
from fhir_adapter.analysis.summaries import count, median_and_range
from fhir_adapter.cohort.case import Case
from fhir_adapter.cohort.estimate import Estimate
from fhir_adapter.cohort.study import Study

People = Sequence[Case]


class FlowStep(Protocol):
    """A row of the attrition: a step may have several, one for each reason to leave; all give the same `n_left`."""

    @property
    def step(self) -> str: ...

    @property
    def n_left(self) -> int: ...


Flow = Iterable[FlowStep | tuple[str, int]]


def attrition(flow: Flow, study: Study) -> Iterator[Estimate]:
    """How many people are left after each step."""
    for step, left in dict(row if isinstance(row, tuple) else (row.step, row.n_left) for row in flow).items():
        label = f"People left after the step {step}"
        figure = (f"attrition.{step}", "attrition", label)
        yield count(figure, left, population="received", parameters=study.parameters.named("data_cut"))


def baseline(people: People, study: Study) -> Iterator[Estimate]:
    """The baseline table. Its denominators are people whose value is settled; `missing` counts the others."""
    cut = study.parameters.named("data_cut")
    yield count(("baseline.n", "baseline", "People in the cohort"), len(people), parameters=cut)
    sexes = [None if person.sex == "unknown" else person.sex for person in people]
    for sex, name, label in (
        ("male", "male", "Male"),
        ("female", "female", "Female"),
        ("other", "other_sex", "Another sex"),
    ):
        yield _share(f"baseline.{name}", label, [None if s is None else s == sex for s in sexes], study)
    yield median_and_range(
        ("baseline.age", "baseline", "Age"),
        [person.age_years for person in people],
        unit="a",
        parameters=study.parameters.named("data_cut", "ipi_age_at"),
    )
    lymphoma = study.parameters.lymphoma_baseline == "reported"
    if lymphoma:
        yield _prognostic_index(people, study)
    yield median_and_range(
        ("baseline.prior_lines", "baseline", "Prior lines of therapy"),
        [person.prior_lines for person in people],
        unit="1",
        parameters=study.parameters.named("data_cut", "prior_lines", "gap_days", "regimen_window_days"),
    )
    if lymphoma:
        yield from _disease(people, study)
    yield from _products(people, study)


def _prognostic_index(people: People, study: Study) -> Estimate:
    return median_and_range(
        ("baseline.ipi", "baseline", "International Prognostic Index"),
        [person.ipi for person in people],
        unit="1",
        parameters=study.parameters.named("data_cut", "ipi_reference", "ipi_age_at", "ipi_missing"),
    )


def _disease(people: People, study: Study) -> Iterator[Estimate]:
    over = study.parameters.ipi_extranodal_over
    organs = [person.extranodal_sites for person in people]
    yield _share(
        "baseline.extranodal_2_or_more",
        f"{over + 1} or more extranodal sites",
        [None if number is None else number > over for number in organs],
        study,
        "ipi_extranodal_over",
    )
    yield _share(
        "baseline.bulky",
        "Bulky disease",
        [person.bulky for person in people],
        study,
        "bulky_mm",
        "bulky_inclusive",
    )


def _products(people: People, study: Study) -> Iterator[Estimate]:
    """What was given: BsAb by target pair and agent (ever exposed, before apheresis), CAR-T by targets."""
    exposures = [person.bsab_exposures for person in people]
    for pair in _target_sets(study, study.roles.bsab):
        given = [None if e is None else any(antigens(one.targets) == pair for one in e) for e in exposures]
        yield _share(f"baseline.bsab.{pair}", f"BsAb {pair}, ever exposed", given, study)
    for agent in sorted(study.roles.bsab):
        given = [None if e is None else any(one.agent == agent for one in e) for e in exposures]
        yield _share(f"baseline.bsab_agent.{agent}", f"BsAb {study.display(agent)}, ever exposed", given, study)
    infused_with = [person.cart_targets for person in people]
    for targets in _target_sets(study, study.roles.car_t):
        infused = [None if given is None else antigens(given) == targets for given in infused_with]
        yield _share(f"baseline.car_t.{targets}", f"CAR-T {targets}", infused, study)


def antigens(targets: Iterable[str]) -> str:
    """The targets as one name that does not depend on their order: CD3 first, `CD3xCD20`."""
    return "x".join(sorted(set(targets), key=lambda target: (target != "CD3", target)))


def _target_sets(study: Study, agents: Iterable[str]) -> list[str]:
    return sorted({antigens(study.targets(agent)) for agent in agents if study.targets(agent)})


def failure(people: People, study: Study) -> Iterator[Estimate]:
    """The outcome of the BsAb line; everybody is in the denominator, the undetermined too."""
    names = ("data_cut", "bsab_status_rule", "interval_days", "interval_anchor", "bsab_line_for_status")
    status = [person.bsab_failure for person in people]
    for name in ("refractory", "relapsed", "undetermined"):
        figure = (f"failure.{name}", "failure", f"BsAb failure: {name}")
        yield proportion(figure, status.count(name), len(people), study, parameters=study.parameters.named(*names))


def intervals(people: People, study: Study) -> Iterator[Estimate]:
    """Washout and vein-to-vein time in days, for people in whom they are settled."""
    lengths: tuple[tuple[str, str, Callable[[Case], int | None], tuple[str, ...]], ...] = (
        ("washout", "Washout", lambda person: person.washout_days, ("washout_to", "index_apheresis")),
        ("vein_to_vein", "Vein-to-vein time", lambda person: person.vein_to_vein_days, ("index_apheresis",)),
    )
    for name, label, length, names in lengths:
        days = [length(person) for person in people]
        parameters = study.parameters.named("data_cut", *names, "episode_gap_days")
        yield median_and_range((f"{name}.median", name, label), days, unit="d", parameters=parameters)


def _share(name: str, label: str, values: Sequence[bool | None], study: Study, *parameters: str) -> Estimate:
    known = [value for value in values if value is not None]
    missing = len(values) - len(known)
    in_use = study.parameters.named("data_cut", *parameters)
    figure = (name, "baseline", label)
    return proportion(figure, sum(known), len(known), study, missing=missing, parameters=in_use)
