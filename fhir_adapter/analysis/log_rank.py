"""The log-rank test: do groups have the same survival? As `survdiff(Surv(time, event) ~ group)` of R."""

from __future__ import annotations

from dataclasses import dataclass

from fhir_adapter.analysis.risk_table import RiskTable


@dataclass(frozen=True, slots=True)
class LogRank:
    """`expected` are the events each group would have if all had the same survival; `p_value` by chi-square."""

    observed: tuple[int, ...]
    expected: tuple[float, ...]
    chi_square: float
    degrees_of_freedom: int
    p_value: float


def log_rank(table: RiskTable) -> LogRank | None:
    """The test; None when nothing can be compared: no two groups were ever at risk on a day with an event.

    A group without any expected event (nobody left before the first event) takes no part, as in R.
    """
    import numpy as np
    from scipy.stats import chi2

    if not table.events:
        return None
    at_risk, events = np.array(table.at_risk, dtype=float), np.array(table.events, dtype=float)
    everybody, died = at_risk.sum(axis=1), events.sum(axis=1)
    share = at_risk / everybody[:, None]
    expected = (died[:, None] * share).sum(axis=0)
    # Hypergeometric: without variance where one person alone is at risk.
    weight = died * (everybody - died) / np.maximum(everybody - 1, 1)
    variance = np.diag((weight[:, None] * share).sum(axis=0)) - (weight[:, None] * share).T @ share
    taking_part = np.flatnonzero(expected > 0)[1:]
    difference = (events.sum(axis=0) - expected)[taking_part]
    variance = variance[np.ix_(taking_part, taking_part)]
    freedom = len(taking_part)
    if not freedom or np.linalg.matrix_rank(variance) < freedom:
        return None
    statistic = float(difference @ np.linalg.solve(variance, difference))
    return LogRank(
        observed=tuple(int(count) for count in events.sum(axis=0)),
        expected=tuple(float(count) for count in expected),
        chi_square=statistic,
        degrees_of_freedom=freedom,
        p_value=float(chi2.sf(statistic, freedom)),
    )
