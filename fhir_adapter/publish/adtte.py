"""Times to event as statistical programmers expect them: one row per subject and parameter, after CDISC ADTTE.

It is like ADTTE and is not submitted anywhere: `AVALMIN`, `AVALMAX`, `IMPUTFL` and `SRCREF` are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fhir_adapter.cohort.estimate import EventTime
from fhir_adapter.cohort.study import Study
from fhir_adapter.publish.codebook import columns
from fhir_adapter.publish.csv_table import Cell

_NO_EVENT = "no event"


def adtte(times: Sequence[EventTime], study: Study) -> Iterator[dict[str, Cell]]:
    """The rows, in the order of the times. AVAL is in days and has no day added; CNSR is 0 for an event, 1 for none."""
    names = next(one.codes for one in columns("adtte") if one.name == "PARAMCD")
    for one in times:
        yield {
            "STUDYID": study.id,
            "USUBJID": ".".join(part for part in (study.id, study.site, one.subject_id) if part),
            "SUBJID": one.subject_id,
            "PARAMCD": one.endpoint,
            "PARAM": names[one.endpoint],
            "STARTDT": one.start,
            "ADT": one.end,
            "AVAL": one.days,
            "AVALU": "DAYS",
            "AVALMIN": one.days_min,
            "AVALMAX": one.days_max,
            "CNSR": int(not one.event),
            "EVNTDESC": one.reason if one.event else _NO_EVENT,
            "CNSDTDSC": "" if one.event else one.reason,
            "IMPUTFL": "Y" if one.imputed else "N",
            "SRCREF": one.source,
        }
