"""Whether one median run time is longer than another, beyond a factor and beyond chance.

The stated rate of false alarms: where no true ratio of a comparison lies beyond the factor, it calls any of its timings faster or
slower with a probability of at most 5% (`FALSE_ALARM_RATE`), all its timings together. Each interval is therefore one of
Bonferroni's: with m timings it leaves out 5%/m.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import t as student

from bench.statistics.time_spread import Spread, moderated

FALSE_ALARM_RATE = 0.05
FACTOR = 1.05
FASTER, SLOWER, SAME, TOO_FEW = "faster", "slower", "same", "too few samples"


@dataclass(frozen=True)
class Ratio:
    """One time over another.

    Attributes:
        value: the ratio of medians; under 1 where the other is faster than the reference.
        low, high: its simultaneous interval; NaN where a side has too few processes or rounds.
        stderr: standard error of its logarithm.
        degrees: degrees of freedom of `stderr`.
        verdict: "faster" or "slower" where the whole interval lies beyond the factor, "same" where it lies within
            it, else "too few samples": the interval is too wide to say.
    """

    value: float
    low: float
    high: float
    stderr: float
    degrees: float
    verdict: str


def ratios(references: Sequence[Spread], others: Sequence[Spread], factor: float = FACTOR) -> list[Ratio]:
    """The ratios of one comparison, timing by timing.

    Args:
        references: of the folder that is compared with.
        others: of the other one, in the same order.
        factor: over 1; differences up to it do not count.
    """
    judged = sum(one.is_enough and other.is_enough for one, other in zip(references, others, strict=True))
    pairs = zip(moderated(references), moderated(others), strict=True)
    return [_ratio(one, other, FALSE_ALARM_RATE / max(1, judged), factor) for one, other in pairs]


def geometric_mean(of: Sequence[Ratio]) -> tuple[float, float, float]:
    """The geometric mean of ratios with its 95% interval; no interval where one of them has none."""
    mean = sum(math.log(each.value) for each in of) / len(of)
    if any(math.isnan(each.low) for each in of):
        return math.exp(mean), math.nan, math.nan
    variances = [each.stderr**2 for each in of]
    degrees = sum(variances) ** 2 / sum(v**2 / each.degrees for v, each in zip(variances, of, strict=True))
    reach = student.ppf(1 - FALSE_ALARM_RATE / 2, degrees) * math.sqrt(sum(variances)) / len(of)
    return math.exp(mean), math.exp(mean - reach), math.exp(mean + reach)


def _ratio(reference: Spread, other: Spread, rate: float, factor: float) -> Ratio:
    value = other.median_s / reference.median_s
    if not (reference.is_enough and other.is_enough):
        return Ratio(value, math.nan, math.nan, math.nan, math.nan, TOO_FEW)
    one, two = reference.stderr**2, other.stderr**2
    # Welch's: the two machines need not be equally quiet.
    degrees = (one + two) ** 2 / (one**2 / reference.degrees + two**2 / other.degrees)
    reach = float(student.ppf(1 - rate / 2, degrees)) * math.sqrt(one + two)
    low, high = value * math.exp(-reach), value * math.exp(reach)
    return Ratio(value, low, high, math.sqrt(one + two), degrees, _verdict(low, high, factor))


def _verdict(low: float, high: float, factor: float) -> str:
    if high < 1 / factor:
        return FASTER
    if low > factor:
        return SLOWER
    return SAME if 1 / factor <= low and high <= factor else TOO_FEW
