"""The random tanh net, driven and not, in the limit of many units.

Index fractions t from 0 to 1 count exponents from the largest: exponent number i of n, i = 1..n, stands at
t = (i - 1/2) / n.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np
import scipy  # loads its parts when they are first used

from rnn_jax.theory.numbers import checked_not_negative, checked_number, log

# An exponent this small is rounding: the net is on the edge.
_ROUNDING = 1e-13
# Under it the expansion of the critical gain is as exact as the equation's solution, whose terms cancel.
_WEAK = 1e-6
# Under it the square of the noise may be no number, and the first terms of E tanh**2 = v - 2 v**2 are all that counts.
_VERY_WEAK = 1e-100


@dataclass(frozen=True)
class RandomTanhNet:
    """The random tanh net in the limit of many units; made by `random_tanh_net`.

    Attributes:
        gain: g.
        noise: s.
        variance: v of the local field x, averaged over units and time; 0 where the net is silent.
        largest_exponent: in nats a step.
        mean_exponent: in nats a step: the mean of ln abs det J_t over n.
        positive_fraction: fraction of the exponents that are positive.
        entropy_rate_per_unit: sum of the positive exponents over n, in nats a step.
        kaplan_yorke_fraction: Kaplan-Yorke dimension over n: the t up to which the exponents sum to 0; 0
            where none is positive, 1 where even all of them sum to more than 0.
    """

    gain: float
    noise: float
    variance: float
    largest_exponent: float
    mean_exponent: float
    positive_fraction: float
    entropy_rate_per_unit: float
    kaplan_yorke_fraction: float

    def exponents(self, fractions: float | Sequence[float] | np.ndarray) -> np.ndarray:
        """The exponents at index fractions t.

        Args:
            fractions: any shape, from 0 (the largest exponent) to 1 (where it is -inf).

        Returns:
            in nats a step, of the same shape.

        Raises:
            ValueError: a fraction lies outside 0 to 1, or is NaN.
        """
        at = np.asarray(fractions, float)
        if not ((at >= 0) & (at <= 1)).all():
            raise ValueError(f"fractions must lie from 0 to 1, got {fractions}")
        gaps = _Gaps(self.variance)
        logs = [log(self.gain) + gaps.half_log_ratio(float(t)) for t in at.flat]
        return np.array(logs, float).reshape(at.shape)


def random_tanh_net(gain: SupportsFloat, noise: SupportsFloat = 0.0) -> RandomTanhNet:
    """Variance and Lyapunov spectrum of x' = gain W tanh(x) + noise N(0, 1), W_ij ~ N(0, 1/n), n large.

    It is the net h' = tanh(gain W h + noise N(0, 1)) in other coordinates, with the same exponents. The
    noise is fresh at every step and independent over units; one common input does not do that.

    With z ~ N(0, 1): the local field is Gaussian with the variance that solves
    v = gain**2 E tanh(sqrt(v) z)**2 + noise**2. The step Jacobian is gain W D, D diagonal with entries
    d = sech(sqrt(v) z)**2, and successive ones are asymptotically free. The exponents of a product of
    free factors follow from the S-transform of J^T J: lambda(t) = -ln S(-t) / 2. S is multiplicative;
    for gain W it is 1 / (gain**2 (1 - t)) at -t, and for D it is w (1 - t) / t where w solves
    t = E[w d**2 / (1 + w d**2)]. Hence

        lambda(t) = ln(gain**2 t / w) / 2,

    with lambda(0) = ln(gain**2 E d**2) / 2, the mean ln gain - 1/2 + E ln d, and, integrating by parts,

        integral of lambda from 0 to t = t lambda(t) + (E ln(1 + w d**2) - t) / 2.

    At the zero of lambda this is the entropy rate a unit; at its own zero t is the Kaplan-Yorke dimension
    a unit.

    Args:
        gain: g, positive; 1 is the edge of chaos without noise.
        noise: s, the standard deviation of the drive to each unit. Fixed random biases of that deviation
            give the same v (Poole et al. 2016).

    Returns:
        the net's theory. Without noise and with gain at most 1 the net is silent: v = 0, and the
        exponents are ln gain + ln(1 - t) / 2.

    Raises:
        ValueError: `gain` is not positive, `noise` is negative, or one is not finite or over 1e4.

    References:
        largest exponent: Sompolinsky, Crisanti, Sommers 1988, Phys. Rev. Lett. 61, 259 (v and chaos above
        gain 1); Molgedey, Schuchhardt, Schuster 1992, Phys. Rev. Lett. 69, 3717 (discrete time, noise);
        Poole et al. 2016, arXiv 1606.05340 (v and E d**2 over the layers of a deep net).
        spectrum: derived for this project from Kargin 2008, Lyapunov exponents of free operators, J.
        Funct. Anal. 255, 1874; compare Tucci 2010, arXiv 0802.4226.
    """
    gain, noise = _checked_gain(gain), checked_not_negative("noise", noise)
    if max(gain, noise) > 1e4:
        raise ValueError(f"gain and noise must be at most 1e4, got gain {gain} and noise {noise}")
    variance = _variance(gain, noise)
    gaps = _Gaps(variance)
    largest = log(gain) + gaps.half_log_ratio(0.0)
    mean = log(gain) - 0.5 + gaps.mean_log_slope
    fraction = entropy = dimension = 0.0
    if largest > _ROUNDING:
        log_gain = log(gain)
        zero = _first_root(lambda u: 0.5 * (np.log(gaps.fraction(u)) - u) + log_gain, gaps.small(largest))
        fraction = gaps.fraction(zero)
        entropy = gaps.cumulated(zero, log_gain)
        if mean < 0:
            dimension = gaps.fraction(_first_root(lambda u: gaps.cumulated(u, log_gain), zero))
        else:
            dimension = 1.0
    return RandomTanhNet(gain, noise, variance, largest, mean, fraction, entropy, dimension)


def critical_gain(noise: SupportsFloat = 0.0) -> float:
    """The gain at which the largest exponent of the random tanh net is 0: order below, chaos above.

    On the edge gain**2 = 1 / E sech(sqrt(v) z)**4, which with the equation for v leaves
    v - E tanh(sqrt(v) z)**2 / E sech(sqrt(v) z)**4 = noise**2 for v. Without noise it is 1; weak noise
    raises it by (3/4)**(1/3) noise**(2/3) + O(noise**2): a drive suppresses chaos.

    Args:
        noise: s, as for `random_tanh_net`, at most 1e3.

    Returns:
        the critical gain, at least 1. Deep nets: with gain = sigma_w and noise = sigma_b it is the edge
        where gradients neither vanish nor explode.

    Raises:
        ValueError: `noise` is negative, not finite or over 1e3.

    References:
        Sompolinsky, Crisanti, Sommers 1988; Molgedey, Schuchhardt, Schuster 1992 (noise); Poole et al.
        2016, arXiv 1606.05340 and Schoenholz et al. 2017, arXiv 1611.01232 (deep nets). The expansion for
        weak noise was derived for this project.
    """
    noise = checked_not_negative("noise", noise)
    if noise > 1e3:
        raise ValueError(f"noise must be at most 1e3, got {noise}")
    if noise < _WEAK:
        return float(1 + np.cbrt(0.75) * np.cbrt(noise) ** 2)

    def excess(log_v: float) -> float:
        variance = np.exp(log_v)
        y, weights = _gaussian_nodes(variance)
        square, quartic = weights @ np.tanh(y) ** 2, weights @ _sech(y) ** 4
        return float(variance * quartic - square - noise**2 * quartic)

    least = 2 * np.log(noise)  # v exceeds noise**2
    log_variance = _root(excess, least, _above(excess, least))
    y, weights = _gaussian_nodes(np.exp(log_variance))
    return float((weights @ _sech(y) ** 4) ** -0.5)


class _Gaps:
    """Gaussian means over the units of d = sech(sqrt(v) z)**2, as functions of u = ln w."""

    def __init__(self, variance: float):
        y, self._weights = _gaussian_nodes(variance)
        self._log_square = -4 * _log_cosh(y)  # ln d**2
        self.mean_log_slope = float(self._weights @ self._log_square) / 2
        self.log_mean_square = float(scipy.special.logsumexp(self._log_square, b=self._weights))

    def fraction(self, u: float) -> float:
        """t = E[w d**2 / (1 + w d**2)]."""
        return float(self._weights @ scipy.special.expit(u + self._log_square))

    def half_log_ratio(self, fraction: float) -> float:
        """ln(t / w) / 2 at a given t."""
        if fraction == 0:
            return self.log_mean_square / 2
        if fraction == 1:
            return float("-inf")
        least = scipy.special.logit(fraction)  # exact where d = 1; d is smaller
        missing = 1 - fraction

        def excess(u: float) -> float:
            # The smaller of t and 1 - t, so that neither end loses digits.
            if fraction < 0.5:
                return self.fraction(u) / fraction - 1
            return 1 - float(self._weights @ scipy.special.expit(-u - self._log_square)) / missing

        if excess(least) >= 0:  # d = 1 throughout, to rounding
            return (np.log(fraction) - least) / 2
        u = _root(excess, least, _above(excess, least))
        return (np.log(fraction) - u) / 2

    def cumulated(self, u: float, log_gain: float) -> float:
        """The integral of lambda from 0 to t(w)."""
        t = self.fraction(u)
        exponent = log_gain + (np.log(t) - u) / 2
        return float(t * exponent + (self._weights @ np.logaddexp(0.0, u + self._log_square) - t) / 2)

    def small(self, exponent: float) -> float:
        """A ln w where lambda is still at least half of a positive largest exponent.

        As d is at most 1, lambda(t) is at least lambda(0) - ln(1 + w) / 2.
        """
        return float(np.log(np.expm1(exponent)))


def _variance(gain: float, noise: float) -> float:
    """The largest solution of v = gain**2 E tanh(sqrt(v) z)**2 + noise**2."""
    if noise < _VERY_WEAK:
        if gain <= 1:
            return float(noise / 2**0.5 if gain == 1 else (noise / ((1 - gain) * (1 + gain)) ** 0.5) ** 2)
        noise = 0.0

    def excess(log_v: float) -> float:
        y, weights = _gaussian_nodes(np.exp(log_v))
        drive = np.exp(2 * log(noise) - log_v)
        if log_v >= 0:
            return float(gain**2 * np.exp(-log_v) * (weights @ np.tanh(y) ** 2) - 1 + drive)
        # The mean of tanh**2 is v less its shortfall: near the edge of chaos what is left of the equation is small.
        lost = gain**2 * np.exp(-log_v) * (weights @ _shortfall(y))
        return float((gain - 1) * (gain + 1) - lost + drive)

    # tanh(x)**2 >= x**2 - 2/3 x**4 gives E tanh**2 >= v - 2 v**2, so v >= (1 - 1/gain**2) / 2.
    least = max(noise**2, (gain - 1) * (gain + 1) / (2 * gain**2))
    low, high = np.log(least), np.log(gain**2 + noise**2)
    if excess(low) <= 0:  # equal to rounding: no recurrence to speak of, or gain next to 1
        return float(least)
    return float(np.exp(_root(excess, low, high)))


def _gaussian_nodes(variance: float) -> tuple[np.ndarray, np.ndarray]:
    """Points y and weights such that weights @ f(y) = E f(sqrt(variance) z) for even f of tanh and cosh.

    The trapezoidal rule, whose error falls like exp(-2 pi a / step) for functions analytic within a of
    the real axis; the worst here have their poles at y = i pi / 4, in units where tanh has width 1, so
    the step is at most 0.1 of those: 1e-16 for any variance. Gauss-Hermite of fixed order
    is not accurate here: at large variance all of sech(y)**4 falls between two of its points.

    References:
        Trefethen & Weideman 2014, The exponentially convergent trapezoidal rule, SIAM Review 56, 385.
    """
    deviation = np.sqrt(variance)
    step = min(0.5, 0.1 / deviation) if deviation > 0 else 0.5
    z = step * np.arange(np.ceil(12 / step) + 1)
    weights = np.exp(-(z**2) / 2)
    weights[0] /= 2  # the other half stands for the negative z
    return deviation * z, weights / weights.sum()


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(scipy.optimize.brentq(function, low, high, xtol=1e-15))  # pyright: ignore[reportArgumentType]


def _first_root(function: Callable[[float], float], positive_at: float) -> float:
    """The zero of a function that is positive at one point and falls through 0 once above it."""
    high = _above(lambda u: -function(u), positive_at)
    return _root(function, positive_at, high)


def _above(function: Callable[[float], float], low: float) -> float:
    """A point above `low` where an eventually positive function is positive."""
    step = 1.0
    while function(low + step) <= 0:
        step *= 2
    return low + step


def _shortfall(y: np.ndarray) -> np.ndarray:
    """y**2 - tanh(y)**2, not by a difference where the two are close: tanh(y) = y / (1 + q), q a continued fraction."""
    square, q = y**2, np.zeros_like(y)
    for odd in range(41, 1, -2):
        q = square / (odd + q)
    less = np.where(square < 1, y * q / (1 + q), y - np.tanh(y))
    return less * (y + np.tanh(y))


def _log_cosh(y: np.ndarray) -> np.ndarray:
    return np.logaddexp(y, -y) - np.log(2.0)


def _sech(y: np.ndarray) -> np.ndarray:
    return np.exp(-_log_cosh(y))


def _checked_gain(gain: SupportsFloat) -> float:
    number = checked_number("gain", gain)
    if not 0 < number < float("inf"):
        raise ValueError(f"gain must be a finite positive number, got {gain}")
    return number
