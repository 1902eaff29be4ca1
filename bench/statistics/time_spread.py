"""How sure a median run time is: samples of several rounds in each of several processes.

Two runs in one process share its memory layout, its threads' places and what was compiled, so rounds of one process say
nothing about the next one. A bootstrap that drew from all samples alike would take rounds for independent and give
intervals several times too narrow; here processes are drawn first, and then the rounds of each that was drawn.

With three processes the percentiles of such a bootstrap are the extremes of three numbers, which miss the median in one case of
four. So the bootstrap gives the standard error of the log median, and Student's t with one degree of freedom less than
there are processes the interval: on normal process effects it covers 95% (the tests say so).

References:
    Kalibera & Jones 2013, Rigorous benchmarking in reasonable time, ISMM: variation between processes and within.
    Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3(1), 3: moderated variances.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma
from scipy.stats import t as student

from bench.statistics.bootstrap import LEVEL, nested_medians

LEAST_PROCESSES = 3
"""Below so many fresh processes a time is no headline figure."""
LEAST_ROUNDS = 3
_LEAST_STDERR = 1e-4
"""Of a log median: clocks that tick coarsely can give equal samples, which are not known exactly for that."""


@dataclass(frozen=True)
class Spread:
    """The median of a run time, and how sure it is.

    Attributes:
        median_s: of all samples, in seconds.
        stderr: standard error of its logarithm.
        degrees: degrees of freedom of `stderr`.
        processes: fresh processes that were measured.
        rounds: samples of the process that has fewest.
    """

    median_s: float
    stderr: float
    degrees: float
    processes: int
    rounds: int

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Between which seconds the median lies; of one process: of that alone, NaN where it has fewer than three samples."""
        if self.processes == 1 and self.rounds < LEAST_ROUNDS:
            return math.nan, math.nan
        reach = student.ppf((1 + level) / 2, self.degrees) * self.stderr
        return self.median_s * math.exp(-reach), self.median_s * math.exp(reach)

    @property
    def relative_width(self) -> float:
        """Width of the interval over the median."""
        low, high = self.interval()
        return (high - low) / self.median_s

    @property
    def is_enough(self) -> bool:
        """False where too few processes or rounds were measured to call anything faster."""
        return self.processes >= LEAST_PROCESSES and self.rounds >= LEAST_ROUNDS


def spread_of(processes: Sequence[np.ndarray]) -> Spread:
    """The spread of seconds a call.

    Args:
        processes: of each process the samples of its rounds, all positive; at least one.
    """
    logs = [np.log(np.asarray(each, float)) for each in processes]
    stderr = max(float(np.std(nested_medians(logs))), _LEAST_STDERR)
    rounds = min(len(each) for each in logs)
    degrees = len(logs) - 1 if len(logs) > 1 else rounds - 1
    return Spread(float(np.median(np.concatenate(processes))), stderr, float(degrees), len(logs), rounds)


def moderated(spreads: Sequence[Spread]) -> list[Spread]:
    """The spreads of many timings of one machine, each error drawn towards what is usual there.

    Three processes tell an error to a factor of three. How far errors of one folder scatter beyond that says how much the
    others' know about each (Smyth's scaled inverse chi-squared prior, fitted by moments): where all are alike the
    degrees of freedom are those of all together, where they differ widely nothing changes.

    Args:
        spreads: of one result folder; those that are not enough are given back as they are.
    """
    sure = [each for each in spreads if each.is_enough]
    if len(sure) < 2:
        return list(spreads)
    # Of a single process, so that timings of 3 and of 10 processes compare.
    variances = np.array([each.stderr**2 * each.processes for each in sure])
    degrees = np.array([each.degrees for each in sure])
    offset = digamma(degrees / 2) - np.log(degrees / 2)
    centred = np.log(variances) - offset
    beyond = float(np.var(centred, ddof=1) - np.mean(polygamma(1, degrees / 2)))
    # Never surer than all of them together.
    most = float(degrees.sum())
    prior = min(2 * _inverse_trigamma(beyond), most) if beyond > 0 else most
    usual = math.exp(float(centred.mean()) + float(digamma(prior / 2)) - math.log(prior / 2))
    given = []
    for each in spreads:
        if not each.is_enough:
            given.append(each)
            continue
        own = each.stderr**2 * each.processes
        together = (prior * usual + each.degrees * own) / (prior + each.degrees)
        known = min(prior + each.degrees, most)
        given.append(
            Spread(each.median_s, math.sqrt(together / each.processes), known, each.processes, each.rounds)
        )
    return given


def _inverse_trigamma(value: float) -> float:
    """The x > 0 at which the trigamma function has this value."""
    root: Any = brentq(lambda x: float(polygamma(1, x)) - value, 1e-8, 1e8 / max(value, 1e-7))
    return float(root)
