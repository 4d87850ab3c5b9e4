"""Work, tasks and outcomes as bytes, so that every engine carries them in the same way."""

from __future__ import annotations

import pickle
from functools import lru_cache
from typing import Any


class FailedElsewhere(RuntimeError):
    """An error that nobody foresaw, of a kind that cannot travel. Told by its name alone: the text of an error may hold
    a patient's data.
    """


def packed(thing: object) -> bytes:
    return pickle.dumps(thing, pickle.HIGHEST_PROTOCOL)


# A worker gets the same work with every task. What it carries along, such as everybody's ids, is unpacked once.
_unpacked_work = lru_cache(maxsize=4)(pickle.loads)


def carried_out(work: bytes, task: bytes) -> bytes:
    """The outcome, whether it is an answer or an error."""
    try:
        answer = _unpacked_work(work)(pickle.loads(task))  # noqa: S301  (made by `packed`, in a process of ours)
        return packed((True, answer))
    except Exception as problem:
        return _failure(problem)


def _failure(problem: Exception) -> bytes:
    try:
        outcome = packed((False, problem))
        pickle.loads(outcome)  # noqa: S301  (some can be packed and not unpacked)
        return outcome
    except Exception:
        return packed((False, FailedElsewhere(f"{type(problem).__module__}.{type(problem).__qualname__}")))


def answer_in(outcome: bytes) -> Any:
    """The answer that came back. Raises what the work has raised."""
    is_answer, value = pickle.loads(outcome)  # noqa: S301  (made by `carried_out`, in a process of ours)
    if not is_answer:
        raise value
    return value
