"""How everybody is at each month after the infusion: the view of many people that a lane for each cannot give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fhir_adapter.cohort.estimate import EventTime
from fhir_adapter.cohort.study import Study
from fhir_adapter.report.drawing import BLUE, FAINT, INK, ORANGE, PAPER, WASH, Picture, picture, sized_axes, ticks_to

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATES = ("alive, no progression recorded", "alive after progression", "died", "no longer followed")
_LOOKS = ((BLUE, ""), (ORANGE, "///"), (INK, ""), (WASH, "..."))
_SIZE = (8.6, 3.7)


def states_by_month(times: Sequence[EventTime], study: Study) -> tuple[tuple[int, ...], ...]:
    """For month 0, 1, ... the number of people in each of `STATES`; every row adds up to everybody with an OS time."""
    month = float(study.parameters.month_days)
    survival = {time.subject_id: time for time in times if time.endpoint == "OS" and time.days is not None}
    progressed = {
        time.subject_id: time.days
        for time in times
        if time.endpoint == "PFS" and time.event and time.reason == "progression" and time.days is not None
    }
    last = max((time.days or 0 for time in survival.values()), default=0)
    rows = []
    for number in range(int(last / month) + 2):
        found = Counter(_state(time, progressed.get(name), number * month) for name, time in survival.items())
        rows.append(tuple(found[place] for place in range(len(STATES))))
    return tuple(rows)


def states(times: Sequence[EventTime], study: Study) -> Picture:
    """The numbers of people in each state as stacked areas."""
    rows = states_by_month(times, study)
    words = "; ".join(
        f"month {number}: " + ", ".join(f"{count} {state}" for count, state in zip(row, STATES, strict=True))
        for number, row in enumerate(rows)
        if number % 6 == 0
    )
    return picture("states", "How everybody is, month by month", words, _SIZE, lambda figure: _draw(figure, rows))


def _state(survival: EventTime, progressed: int | None, day: float) -> int:
    if survival.days is not None and survival.days <= day and (survival.event or survival.days < day):
        return 2 if survival.event else 3
    return 1 if progressed is not None and progressed <= day else 0


def _draw(figure: Figure, rows: Sequence[tuple[int, ...]]) -> None:
    axes = sized_axes(figure, 0.7, 0.2, _SIZE[0] - 1.0, _SIZE[1] - 1.35)
    months = range(len(rows))
    below = [0] * len(rows)
    for place, (colour, hatch) in enumerate(_LOOKS):
        above = [start + row[place] for start, row in zip(below, rows, strict=True)]
        look = {"facecolor": colour, "edgecolor": PAPER if colour != WASH else FAINT, "hatch": hatch, "linewidth": 0.4}
        axes.fill_between(months, below, above, label=STATES[place], **look)  # type: ignore[arg-type]  # its keywords are typed one by one
        below = above
    axes.set_xlim(0, max(len(rows) - 1, 1))
    axes.set_ylim(0, max(below, default=1) or 1)
    axes.set_xticks([tick for tick in ticks_to(len(rows)) if tick < len(rows)])
    axes.set_xlabel("Months from the infusion of CAR-T")
    axes.set_ylabel("People")
    figure.legend(loc="lower left", bbox_to_anchor=(0.06, 0.01), ncols=2, frameon=False, fontsize=8.5)
