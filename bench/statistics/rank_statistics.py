"""Rank statistics with bootstrap intervals over whole clusters: area under the ROC curve and Spearman's correlation.

All sums are of whole, half and quarter numbers well under 2**53, so they are exact in any order, and the same bytes come
out on every machine.

References:
    Hanley & McNeil 1982, Radiology 143, 29: the area under the ROC curve is the share of pairs in the right order.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

from bench.statistics.bootstrap import REPLICATES, Estimate, cluster_draws, percentiles

_AT_ONCE = 50_000
"""Ranks formed together: few enough to stay in the cache."""


def area_under_roc(
    scores: Float[np.ndarray, " runs"],
    positive: Bool[np.ndarray, " runs"],
    clusters: Shaped[np.ndarray, " runs"],
    *,
    strata: Shaped[np.ndarray, " runs"] | None = None,
    interval: bool = True,
) -> Estimate:
    """The share of pairs of a positive and a negative run in which the positive one scores higher; equals count half.

    Args:
        scores: of each run; not NaN.
        positive: its class.
        clusters: what it is drawn together with.
        strata: if given, only pairs within a stratum count.
        interval: whether to draw replicates. Those without a pair are left out.

    Returns:
        NaN where there is no pair.
    """
    names, place = np.unique(clusters, return_inverse=True)
    above, below = np.flatnonzero(positive), np.flatnonzero(~positive)
    wins = (scores[above, None] > scores[below]) + (scores[above, None] == scores[below]) / 2
    # A pair counts as often as its two clusters were drawn: w' U w, with U summed over the runs of each two clusters.
    between = np.ravel(place[above, None] * len(names) + place[below])

    def summed(values: np.ndarray) -> np.ndarray:
        return np.bincount(between, np.ravel(values), len(names) ** 2).reshape(len(names), len(names))

    met = np.ones_like(wins) if strata is None else (strata[above, None] == strata[below]).astype(float)
    of_wins, of_pairs = summed(wins * met), summed(met)

    def area(drawn: np.ndarray) -> np.ndarray:
        won, pairs = (np.einsum("cr,cr->r", drawn, counts @ drawn) for counts in (of_wins, of_pairs))
        return np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)

    (value,) = area(np.ones((len(names), 1)))
    return percentiles(value, area(cluster_draws(len(names))) if interval else np.array([]))


def spearman(
    x: Float[np.ndarray, " runs"],
    y: Float[np.ndarray, " runs"],
    clusters: Shaped[np.ndarray, " runs"],
    *,
    interval: bool = True,
) -> Estimate:
    """Pearson's correlation of mid-ranks. Infinite values are ranked; NaN is not allowed.

    Args:
        x: one value a run.
        y: another.
        clusters: what a run is drawn together with.
        interval: whether to draw replicates. Those in which x or y has one value only are left out.

    Returns:
        NaN where x or y has one value only.
    """
    names, place = np.unique(clusters, return_inverse=True)
    of_x, of_y = _Ties.of(x), _Ties.of(y)
    (value,) = _correlation(of_x, of_y, np.ones((len(x), 1)))
    if not interval:
        return percentiles(value, np.array([]))
    draws, columns = cluster_draws(len(names)), max(1, _AT_ONCE // len(x))
    parts = [
        _correlation(of_x, of_y, draws[:, start : start + columns][place])
        for start in range(0, REPLICATES, columns)
    ]
    return percentiles(value, np.concatenate(parts))


@dataclass(frozen=True)
class _Ties:
    """The ascending order of values, where in it each group of equals begins, and how many each has."""

    order: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "_Ties":
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        return cls(order, starts, np.diff(np.concatenate([starts, [len(values)]])))

    def mid_ranks(self, weights: np.ndarray) -> np.ndarray:
        """Ranks from 1, equal values sharing their mean, where a value stands as often as its weight."""
        of_group = np.add.reduceat(weights[self.order], self.starts)
        middle = np.cumsum(of_group, axis=0) - (of_group - 1) / 2
        ranks = np.empty_like(weights)
        ranks[self.order] = np.repeat(middle, self.sizes, axis=0)
        return ranks


def _correlation(x: _Ties, y: _Ties, weights: np.ndarray) -> np.ndarray:
    """Of the ranks in each sample, one column a sample, in which a run stands as often as its weight."""
    of_x, of_y, count = x.mid_ranks(weights), y.mid_ranks(weights), weights.sum(axis=0)
    weighted_x, weighted_y = weights * of_x, weights * of_y
    sum_x, sum_y = weighted_x.sum(axis=0), weighted_y.sum(axis=0)
    # Not centred first: so every term is a whole number of quarters, and the sums are exact.
    covariance = count * (weighted_x * of_y).sum(axis=0) - sum_x * sum_y
    spread_x = count * (weighted_x * of_x).sum(axis=0) - sum_x**2
    spread_y = count * (weighted_y * of_y).sum(axis=0) - sum_y**2
    scale = np.sqrt(spread_x) * np.sqrt(spread_y)
    return np.divide(covariance, scale, out=np.full(len(count), np.nan), where=scale > 0)
