"""Bootstrap over whole clusters: the draws that every interval of this project comes from, the same at every call.

References:
    Cameron, Gelbach, Miller 2008, Review of Economics and Statistics 90, 414: bootstrap over clusters.
    Davison & Hinkley 1997, Bootstrap Methods and their Application, 3.8: clusters first, then what they hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

REPLICATES = 1000
LEVEL = 0.95
_SEED = 20_240_601


@dataclass(frozen=True)
class Estimate:
    """A statistic and its 95% percentile interval; NaN where there is none."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


def percentiles(value: float, replicates: np.ndarray) -> Estimate:
    """The statistic with the percentile interval of its replicates; those that are NaN are left out."""
    known = replicates[~np.isnan(replicates)]
    if np.isnan(value) or not known.size:
        return Estimate(float(value))
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high))


@lru_cache(maxsize=32)
def cluster_draws(count: int) -> Float[np.ndarray, "clusters replicates"]:
    """How often each of `count` clusters is drawn in each replicate: the same at every call."""
    flat = (_drawn(count) + count * np.arange(REPLICATES)[:, None]).ravel()
    counts = np.bincount(flat, minlength=REPLICATES * count).reshape(REPLICATES, count)
    return np.ascontiguousarray(counts.T.astype(float))


def nested_medians(clusters: Sequence[Float[np.ndarray, " members"]]) -> Float[np.ndarray, " replicates"]:
    """The median of all members in each replicate: clusters are drawn first, then the members of each.

    Args:
        clusters: the members of each; none may be empty.
    """
    sizes = np.array([len(each) for each in clusters])
    longest = int(sizes.max())
    padded = np.full((len(clusters), longest), np.nan)
    for row, members in zip(padded, clusters, strict=True):
        row[: len(members)] = members
    drawn = _drawn(len(clusters))
    place = (_shares(len(clusters), longest) * sizes[drawn][:, :, None]).astype(int)
    values = padded[drawn[:, :, None], place]
    if (sizes == longest).all():
        return np.median(values.reshape(REPLICATES, -1), axis=1)
    values[np.arange(longest) >= sizes[drawn][:, :, None]] = np.nan
    return np.nanmedian(values.reshape(REPLICATES, -1), axis=1)


@lru_cache(maxsize=32)
def _drawn(count: int) -> Int[np.ndarray, "replicates clusters"]:
    return np.random.default_rng(_SEED).integers(0, count, (REPLICATES, count))


@lru_cache(maxsize=8)
def _shares(count: int, members: int) -> Float[np.ndarray, "replicates clusters members"]:
    """Which member is drawn, as a share of the cluster's size."""
    return np.random.default_rng(_SEED + 1).random((REPLICATES, count, members))
