"""Hazard ratios between groups: Cox regression with Efron's ties, plain or with Firth's penalty.

The plain fit is `coxph(Surv(time, event) ~ group)` of R, with its Wald interval. With few events it is biased away
from 1, and infinite when one group has no event; then Firth's penalty, half the logarithm of the determinant of the
information, keeps it finite, and the interval is that of the profile of the penalised likelihood (Heinze and
Schemper 2001). Groups are the only covariate, so that a day is told by its counts, and 5,000 people cost no more
than fifty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, sqrt
from typing import TYPE_CHECKING

from fhir_adapter.analysis.intervals import z_value
from fhir_adapter.analysis.risk_table import RiskTable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

_STEPS = 200  # scoring steps; the penalised fit converges by a constant factor, the plain one needs fewer than ten
_CLOSE = 1e-9  # largest change of a coefficient in the last step
_FAR = 20.0  # a log hazard ratio beyond this is on its way to infinity


class NoFit(ValueError):
    """The likelihood has no maximum, or the search did not find it; the message says which, without numbers."""


@dataclass(frozen=True, slots=True)
class HazardRatio:
    """The hazard of one group divided by that of group 0; a limit is None where the data do not bound it."""

    value: float
    ci_low: float | None
    ci_high: float | None
    log_standard_error: float
    p_value: float
    penalised: bool


def hazard_ratios(table: RiskTable, *, penalised: bool, level: float = 0.95) -> tuple[HazardRatio, ...]:
    """The hazard ratio of every group but the first against the first, in order. Raises `NoFit`."""
    import numpy as np

    if not table.events:
        raise NoFit("no event")
    likelihood = _Likelihood(table, penalised)
    best = likelihood.maximised(np.zeros(len(table.events[0]) - 1))
    one = _profiled if penalised else _by_wald
    return tuple(one(likelihood, best, index, level) for index in range(len(best)))


def _by_wald(likelihood: _Likelihood, best: Vector, index: int, level: float) -> HazardRatio:
    from scipy.stats import norm

    error, log_ratio = likelihood.standard_error(best, index), float(best[index])
    low, high = (exp(log_ratio + side * z_value(level) * error) for side in (-1, 1))
    return HazardRatio(exp(log_ratio), low, high, error, float(2 * norm.sf(abs(log_ratio / error))), penalised=False)


def _profiled(likelihood: _Likelihood, best: Vector, index: int, level: float) -> HazardRatio:
    from scipy.stats import chi2

    top, log_ratio = likelihood.value(best), float(best[index])
    depth = float(chi2.ppf(level, 1)) / 2

    def too_deep(at: float) -> float:
        return top - likelihood.value(likelihood.maximised(_with(best, index, at), index)) - depth

    ends = [_crossing(too_deep, log_ratio, side) for side in (-1, 1)]
    low, high = (None if end is None else exp(end) for end in ends)
    fallen = 2 * (too_deep(0.0) + depth)
    error = likelihood.standard_error(best, index)
    return HazardRatio(exp(log_ratio), low, high, error, float(chi2.sf(max(0.0, fallen), 1)), penalised=True)


def _with(logs: Vector, index: int, at: float) -> Vector:
    changed = logs.copy()
    changed[index] = at
    return changed


def _crossing(function: Callable[[float], float], start: float, side: int) -> float | None:
    """Where a function that is negative at `start` crosses zero on one side; None when that is very far away."""
    from scipy.optimize import brentq

    reach = 1.0
    while reach <= _FAR:
        if function(start + side * reach) > 0:
            return float(brentq(function, *sorted((start, start + side * reach)), xtol=1e-10, rtol=1e-12))
        reach *= 2
    return None


class _Likelihood:
    """Efron's partial likelihood of the log hazard ratios of groups 1, 2, ... against group 0.

    Every event is one row: of d events on a day, the one numbered l has the people at risk less l/d of those who
    have the event that day, by group.
    """

    def __init__(self, table: RiskTable, penalised: bool) -> None:
        import numpy as np

        at_risk, events = np.array(table.at_risk, dtype=float), np.array(table.events, dtype=float)
        died = events.sum(axis=1).astype(int)
        before = np.concatenate([np.arange(count) / count for count in died])
        self._present = np.repeat(at_risk, died, axis=0) - before[:, None] * np.repeat(events, died, axis=0)
        self._observed = events.sum(axis=0)
        self._penalised = penalised

    def value(self, logs: Vector) -> float:
        """The logarithm of the likelihood, with the penalty if there is one."""
        import numpy as np

        told = np.concatenate([[0.0], logs])
        plain = float(self._observed @ told - np.log(self._present @ np.exp(told)).sum())
        return plain + (0.5 * float(np.linalg.slogdet(self._information(self._shares(logs)))[1]) * self._penalised)

    def standard_error(self, logs: Vector, index: int) -> float:
        import numpy as np

        return sqrt(float(np.linalg.inv(self._information(self._shares(logs)))[index, index]))

    def maximised(self, start: Vector, fixed: int | None = None) -> Vector:
        """The coefficients with the largest likelihood, from `start`, one of them held there. Raises `NoFit`."""
        import numpy as np

        logs = start.copy()
        free = np.array([index for index in range(len(logs)) if index != fixed], dtype=int)
        for _ in range(_STEPS if len(free) else 0):
            shares = self._shares(logs)
            information = self._information(shares)
            if np.linalg.matrix_rank(information) < len(logs):
                raise NoFit("the groups were never at risk together")
            step = np.linalg.solve(information[np.ix_(free, free)], self._slope(shares, information)[free])
            # The penalty bends the likelihood up to 1 + k/2 times as much as the information of k groups says: half
            # of that is the damping that cannot swing. And a long first step may leap over the maximum.
            step /= 1 + len(self._observed) / 4 * self._penalised
            step /= max(1.0, float(np.abs(step).max()))
            logs[free] += step
            if np.abs(logs).max() > _FAR and not self._penalised:
                raise NoFit("a group has no event while others are at risk, so that its hazard ratio has no limit")
            if np.abs(step).max() < _CLOSE:
                return logs
        if len(free):
            raise NoFit("the search for the largest likelihood did not end")
        return logs

    def _shares(self, logs: Vector) -> Vector:
        """The probability that each event falls on groups 1, 2, ..., by event and group."""
        import numpy as np

        weights = self._present * np.exp(np.concatenate([[0.0], logs]))
        shares: Vector = (weights / weights.sum(axis=1)[:, None])[:, 1:]
        return shares

    @staticmethod
    def _information(shares: Vector) -> Vector:
        import numpy as np

        information: Vector = np.diag(shares.sum(axis=0)) - shares.T @ shares
        return information

    def _slope(self, shares: Vector, information: Vector) -> Vector:
        """The derivative of the likelihood; Firth's penalty adds half the trace of I⁻¹ dI/dβ."""
        import numpy as np

        slope: Vector = self._observed[1:] - shares.sum(axis=0)
        if not self._penalised:
            return slope
        inverse = np.linalg.inv(information)
        # dI/dβ is the sum of the third central moments of which group an event falls on.
        spread = np.einsum("ea,ab,eb->e", shares, inverse, shares)
        alone, mixed = np.diag(inverse), shares @ inverse
        along = shares @ alone
        third = shares * (alone - along[:, None] - 2 * mixed + 2 * spread[:, None])
        slope += 0.5 * third.sum(axis=0)
        return slope
