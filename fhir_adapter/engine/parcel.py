"""What engines that carry work elsewhere share: work, tasks and outcomes as bytes, and what is not worth the way."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, islice
from typing import Any, TypeVar

T = TypeVar("T")


class FailedElsewhere(RuntimeError):
    """An error that nobody foresaw, of a kind that cannot travel. Told by its name alone: the text of an error may hold
    a patient's data.
    """


def looked_ahead(tasks: Iterable[T]) -> tuple[bool, Iterator[T]]:
    """Whether there is at most one task, which is then done where it is; and all of them."""
    rest = iter(tasks)
    first = list(islice(rest, 2))
    return len(first) < 2, chain(first, rest)


def packed(thing: object) -> bytes:
    return pickle.dumps(thing, pickle.HIGHEST_PROTOCOL)


# A worker gets the same work with every task. What it carries along, such as everybody's ids, is unpacked once.
_unpacked_work = lru_cache(maxsize=4)(pickle.loads)


def carried_out(work: bytes, task: bytes) -> bytes:
    """The outcome, whether it is an answer or an error."""
    try:
        answer = _unpacked_work(work)(pickle.loads(task))  # noqa: S301  (made by `packed`, in a process of ours)
        return packed((True, answer))
    except Exception as problem:  # whatever it is, it is raised where the answer is waited for
        return _failure(problem)


def _failure(problem: Exception) -> bytes:
    try:
        outcome = packed((False, problem))
        pickle.loads(outcome)  # noqa: S301  (some can be packed and not unpacked)
        return outcome
    except Exception:  # an error may do anything when it is packed
        return packed((False, FailedElsewhere(f"{type(problem).__module__}.{type(problem).__qualname__}")))


def answer_in(outcome: bytes) -> Any:
    """The answer that came back. Raises what the work has raised."""
    is_answer, value = pickle.loads(outcome)  # noqa: S301  (made by `carried_out`, in a process of ours)
    if not is_answer:
        raise value
    return value
