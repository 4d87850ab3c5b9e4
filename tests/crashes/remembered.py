"""What is computed is computed once: it depends on nothing but what was read, and that is the key.

A run takes seconds to judge, to draw and to validate, and milliseconds to write. Only the writing can be interrupted
halfway, so only that is done over and over again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Hashable, Iterator
from importlib import import_module
from typing import Any

Function = Callable[..., Any]


def remember_what_is_computed() -> None:
    """From now on, in this process and in those forked from it."""
    _remember("mapping.study", "read_study", _study_asked)
    _remember("ehr.tls", "trust", lambda base, *_: base)
    _remember("judging.batch", "judge_people", lambda asked, charts: (charts, asked.folder.study.fingerprint))
    _remember("analysis.estimates", "estimate", lambda people, times, *_: (people, times))
    _remember("analysis.survival", "curve", lambda times, endpoint, _, **how: (tuple(times), endpoint, *how.items()))
    # Of the ledger in the report nothing is asked here; everything else in it follows from the estimates.
    _remember("report.page", "render", lambda material: id(material.estimates))
    _remember(
        "publish.measure_report", "build_reports", lambda estimates, *_, **about: (id(estimates), _spelled(about)), few
    )
    _remember("publish.provenance", "build", lambda targets, **about: (*map(id, targets), _spelled(about["inputs"])))
    _remember("publish.documents", "document", lambda content, *_: _spelled(content))


def few(documents: tuple[Any, ...]) -> tuple[Any, ...]:
    """A Measure and its MeasureReport stand for all of them."""
    return documents[:2]


def _remember(home: str, name: str, key: Callable[..., Hashable], cut: Function = lambda whole: whole) -> None:
    original: Function = getattr(import_module(f"fhir_adapter.{home}"), name)
    known: dict[Hashable, tuple[Any, Any]] = {}

    def call(*given: Any, **named: Any) -> Any:
        given = tuple(tuple(one) if isinstance(one, Iterator) else one for one in given)
        asked = key(*given, **named)
        if asked not in known:
            # What was given is kept, so that no other object gets its identity.
            known[asked] = cut(original(*given, **named)), given
        return known[asked][0]

    for place in [module for name, module in sys.modules.items() if name.startswith("fhir_adapter")]:
        for alias in [alias for alias, value in vars(place).items() if value is original]:
            setattr(place, alias, call)


def _study_asked(name: Any, parameters: Any, conceptmaps: Any = None) -> Hashable:
    return str(name), tuple(sorted(parameters.items())), str(conceptmaps)


def _spelled(content: Any) -> str:
    return json.dumps(content, sort_keys=True, default=str)
