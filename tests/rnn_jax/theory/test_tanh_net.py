"""The random tanh net's theory against mpmath and scipy, expansions, limits and a simulation."""

import math
from fractions import Fraction

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import integrate

import rnn_jax as rj

critical_gain, random_tanh_net = rj.theory.critical_gain, rj.theory.random_tanh_net
NETS = [(1.05, 0.0), (2.0, 0.0), (3.0, 0.0), (20.0, 0.0), (0.5, 0.3), (3.0, 0.5), (2.0, 4.0)]


def mean(function, variance):
    """E f(sqrt(variance) z) for even f, by adaptive quadrature at 20 digits with breaks where tanh bends."""
    with mpmath.workdps(20):
        width = mpmath.sqrt(variance)
        breaks = [0, *(y / width for y in (0.5, 1, 2, 4, 8, 16, 32, 64) if y < 11 * width), 12]
        value = mpmath.quad(lambda z: function(width * z) * mpmath.exp(-(z**2) / 2), breaks)
        return value * mpmath.sqrt(2 / mpmath.pi)


def sech4(x):
    return mpmath.sech(x) ** 4


@pytest.mark.parametrize(("gain", "noise"), NETS)
def test_variance_and_moments_against_mpmath(gain, noise):
    net = random_tanh_net(gain, noise)
    v = net.variance
    assert gain**2 * mean(lambda x: mpmath.tanh(x) ** 2, v) + noise**2 == pytest.approx(v, rel=1e-12)
    assert net.largest_exponent == pytest.approx(float(mpmath.log(gain**2 * mean(sech4, v)) / 2), abs=1e-13)
    log_slope = mean(lambda x: mpmath.log(mpmath.sech(x) ** 2), v)
    assert net.mean_exponent == pytest.approx(float(mpmath.log(gain) - 0.5 + log_slope), rel=1e-13)


@pytest.mark.parametrize(("gain", "noise"), NETS)
@pytest.mark.parametrize("fraction", [1e-6, 0.1, 0.5, 0.99])
def test_an_exponent_solves_its_equation(gain, noise, fraction):
    net = random_tanh_net(gain, noise)
    exponent = float(net.exponents(fraction))
    w = mpmath.mpf(gain) ** 2 * fraction * mpmath.exp(-2 * exponent)
    found = mean(lambda x: w * sech4(x) / (1 + w * sech4(x)), net.variance)
    assert float(found / fraction) == pytest.approx(1, rel=1e-10)


@pytest.mark.costly
@pytest.mark.parametrize(("gain", "noise"), NETS)
def test_sums_over_the_spectrum_are_integrals_of_the_exponents(gain, noise):
    net = random_tanh_net(gain, noise)

    def integral(to):
        return integrate.quad(lambda t: float(net.exponents(t)), 0, to, epsabs=1e-11, limit=200)[0]

    assert integral(1 - 1e-9) == pytest.approx(net.mean_exponent, abs=1e-6)
    if net.largest_exponent <= 0:
        assert (net.positive_fraction, net.entropy_rate_per_unit, net.kaplan_yorke_fraction) == (0, 0, 0)
        return
    assert float(net.exponents(net.positive_fraction)) == pytest.approx(0, abs=1e-12)
    assert integral(net.positive_fraction) == pytest.approx(net.entropy_rate_per_unit, abs=1e-9)
    assert integral(net.kaplan_yorke_fraction) == pytest.approx(0, abs=1e-9)
    assert net.kaplan_yorke_fraction > net.positive_fraction > 0


def test_the_known_values():
    two, three = random_tanh_net(2.0), random_tanh_net(3.0)
    known = [0.154724, -1.14902, 0.13343, 0.010683, 0.25755, 0.310249, -2.27281, 0.15289, 0.025197, 0.28772]
    found = [
        number
        for net in (two, three)
        for number in (
            net.largest_exponent,
            net.mean_exponent,
            net.positive_fraction,
            net.entropy_rate_per_unit,
            net.kaplan_yorke_fraction,
        )
    ]
    digits = [1e-6, 1e-5, 1e-5, 1e-6, 1e-5] * 2
    assert np.abs(np.subtract(found, known) / digits).max() < 1.0


def test_a_large_net_of_others():
    # n = 4096, g = 3: Clark, rnn-lyapunov.
    net = random_tanh_net(3.0)
    assert net.largest_exponent == pytest.approx(0.309583, rel=4e-3)
    assert net.mean_exponent == pytest.approx(-2.273896, rel=1e-3)
    assert net.positive_fraction == pytest.approx(0.152588, rel=4e-3)
    assert net.entropy_rate_per_unit == pytest.approx(0.0251060, rel=5e-3)
    assert net.kaplan_yorke_fraction == pytest.approx(0.287168, rel=4e-3)


@pytest.mark.parametrize("gain", [1e-3, 0.3, 1.0])
def test_a_silent_net_is_a_product_of_gaussian_matrices(gain):
    net = random_tanh_net(gain)
    assert net.variance == 0
    assert net.largest_exponent == pytest.approx(math.log(gain), abs=1e-15)
    assert net.mean_exponent == pytest.approx(math.log(gain) - 0.5)
    fractions = np.array([0.0, 1e-9, 0.25, 0.75, 1 - 1e-9])
    assert net.exponents(fractions) == pytest.approx(math.log(gain) + np.log1p(-fractions) / 2, abs=1e-12)
    size = 1000
    gaussian = rj.theory.gaussian_exponents(size, std=gain * size**-0.5)
    assert net.exponents((np.arange(500) + 0.5) / size) == pytest.approx(gaussian[:500], abs=2e-3)


@pytest.mark.parametrize("above", [1e-6, 1e-4, 1e-2])
def test_just_above_the_edge_as_the_expansion_says(above):
    net = random_tanh_net(1 + above)
    # tanh(x)**2 = x**2 - 2/3 x**4 + 17/45 x**6 and sech(x)**4 = 1 - 2 x**2 + 7/3 x**4 - ..., E z**6 = 15.
    half_deficit = (1 - (1 + above) ** -2) / 2
    assert net.variance == pytest.approx(half_deficit * (1 + 17 / 6 * half_deficit), rel=30 * above**2 + 1e-8)
    assert net.largest_exponent == pytest.approx(2 / 3 * above**2, rel=10 * above + 1e-3)
    assert net.positive_fraction == pytest.approx(2 * net.largest_exponent, rel=2 * above + 1e-3)
    assert net.kaplan_yorke_fraction == pytest.approx(4 * net.largest_exponent, rel=2 * above + 1e-3)


def test_the_edge_itself_and_within_rounding_of_it():
    for gain in (1.0, 1 + 1e-15, 1 + 1e-9):
        net = random_tanh_net(gain)
        assert net.largest_exponent == pytest.approx(0, abs=1e-15)
        assert net.positive_fraction == net.kaplan_yorke_fraction == 0
        assert net.variance == pytest.approx(gain - 1, rel=1e-6)


def test_strong_gain_and_strong_noise():
    # v grows, and E sech(sqrt(v) z)**4 tends to the density of x at 0 times the integral 4/3.
    strong = random_tanh_net(1000.0)
    assert strong.variance == pytest.approx(1e6, rel=2e-3)
    density = 1 / math.sqrt(2 * math.pi * strong.variance)
    assert strong.largest_exponent == pytest.approx(math.log(1e6 * density * 4 / 3) / 2, abs=1e-5)
    loud = random_tanh_net(3.0, 100.0)
    assert loud.variance == pytest.approx(100**2 + 9, rel=1e-4)
    assert loud.largest_exponent < -1


@pytest.mark.parametrize(("gain", "noise"), [(100.0, 0.0), (1e4, 0.0), (1e4, 1e4)])
def test_a_large_variance_keeps_its_digits(gain, noise):
    """g**2 - 1 less what is lost leaves eight digits fewer."""
    v = random_tanh_net(gain, noise).variance
    assert gain**2 * mean(lambda x: mpmath.tanh(x) ** 2, v) + noise**2 == pytest.approx(v, rel=1e-13)


@pytest.mark.parametrize(
    "kind", [np.uint8, np.int16, np.float16, np.float32, jnp.float32, jnp.bfloat16, Fraction]
)
def test_numbers_of_any_type_are_taken_as_float64(kind):
    assert random_tanh_net(kind(200), kind(3)) == random_tanh_net(200.0, 3.0)
    assert critical_gain(kind(20)) == critical_gain(20.0)
    found, expected = (rj.theory.gaussian_exponents(3, std=std) for std in (kind(7), 7.0))
    np.testing.assert_array_equal(found, expected)


def test_weak_coupling_is_driven_by_the_noise_alone():
    assert random_tanh_net(1e-9, 0.4).variance == pytest.approx(0.16, rel=1e-12)


@pytest.mark.parametrize("noise", [1e-6, 1e-3, 0.1, 0.5, 1.0, 10.0, 100.0])
def test_on_the_edge_the_largest_exponent_is_zero(noise):
    gain = critical_gain(noise)
    assert random_tanh_net(gain, noise).largest_exponent == pytest.approx(0, abs=1e-13)
    assert random_tanh_net(gain * 1.001, noise).largest_exponent > 0
    assert random_tanh_net(gain * 0.999, noise).largest_exponent < 0


def test_weak_noise_raises_the_critical_gain_as_its_power_two_thirds():
    assert critical_gain() == critical_gain(0.0) == 1
    for noise, tolerance in ((1e-9, 1e-4), (1e-6, 1e-3), (1e-4, 2e-2)):
        assert critical_gain(noise) - 1 == pytest.approx(0.75 ** (1 / 3) * noise ** (2 / 3), rel=tolerance)


@pytest.mark.costly
@pytest.mark.parametrize(
    ("gain", "noise"),
    [
        (2.0, 0.0),
        pytest.param(3.0, 0.5, marks=pytest.mark.slow),
        pytest.param(0.8, 1.0, marks=pytest.mark.slow),
    ],
)
def test_a_simulated_net_of_200_units(gain, noise):
    n, transient, steps = 200, 150, 400
    rng = np.random.default_rng(1)
    weights = gain * rng.standard_normal((n, n)) / math.sqrt(n)
    x, frame = rng.standard_normal(n), np.linalg.qr(rng.standard_normal((n, n)))[0]
    sums, square = np.zeros(n), 0.0
    for t in range(transient + steps):
        frame, triangle = np.linalg.qr(weights @ ((1 - np.tanh(x) ** 2)[:, None] * frame))
        x = weights @ np.tanh(x) + noise * rng.standard_normal(n)
        if t >= transient:
            sums += np.log(np.abs(np.diag(triangle)))
            square += np.mean(x**2)
    exponents, net = sums / steps, random_tanh_net(gain, noise)
    assert square / steps == pytest.approx(net.variance, rel=0.06)
    assert exponents[0] == pytest.approx(net.largest_exponent, abs=0.04)  # n shifts it
    assert exponents.mean() == pytest.approx(net.mean_exponent, rel=0.03)
    assert np.mean(exponents > 0) == pytest.approx(net.positive_fraction, abs=0.02)
    middle = slice(n // 10, n // 2)
    predicted = net.exponents((np.arange(n) + 0.5) / n)
    assert np.abs(exponents - predicted)[middle].max() < 0.07


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random_tanh_net(0.0), "gain must be a finite positive number, got 0.0"),
        (lambda: random_tanh_net(math.inf), "gain must be a finite positive number, got inf"),
        (lambda: random_tanh_net(2.0, -1.0), "noise must be a finite number from 0 up, got -1.0"),
        (lambda: random_tanh_net(2e4), "at most 1e4, got gain 20000.0 and noise 0.0"),
        (lambda: critical_gain(math.nan), "noise must be a finite number from 0 up, got nan"),
        (lambda: critical_gain(2e3), "noise must be at most 1e3, got 2000.0"),
        (lambda: random_tanh_net(2.0).exponents([0.5, 1.5]), "fractions must lie from 0 to 1"),
        (lambda: random_tanh_net(2.0).exponents(math.nan), "fractions must lie from 0 to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("gain", "noise"), [(1.0, 1e-9), (1.0, 1e-5), (1 + 1e-9, 0.0), (1 + 1e-9, 1e-12), (0.999999, 1e-8)]
)
def test_the_variance_near_the_edge_by_its_expansion_in_many_digits(gain, noise):
    """E tanh**2 = v - 2 v**2 + 17/3 v**3 - 62/3 v**4 + ...: what is left is as small as v is."""
    with mpmath.workdps(50):
        g, s, v = map(mpmath.mpf, (gain, noise, random_tanh_net(gain, noise).variance))
        even = (1, -2, mpmath.mpf(17) / 3, mpmath.mpf(-62) / 3, mpmath.mpf(1382) / 15)
        left = g**2 * sum(c * v**k for k, c in enumerate(even, 1)) + s**2 - v
        slope = g**2 * sum(k * c * v ** (k - 1) for k, c in enumerate(even, 1)) - 1
        assert abs(left / slope / v) < 1e-13


@pytest.mark.parametrize(
    ("gain", "noise", "variance"),
    [
        (1.0, 1e-160, 1e-160 / math.sqrt(2)),
        (0.5, 1e-120, 4e-240 / 3),
        (0.5, 1e-200, 0.0),
        (2.0, 1e-200, None),
    ],
)
def test_noise_whose_square_is_no_number(gain, noise, variance):
    expected = random_tanh_net(gain).variance if variance is None else variance
    assert random_tanh_net(gain, noise).variance == pytest.approx(expected, rel=1e-13)


def test_the_critical_gain_under_weak_noise_joins_the_equations_solution():
    assert critical_gain(1e-300) == pytest.approx(1.0)
    assert critical_gain(1e-20) - 1 == pytest.approx(0.75 ** (1 / 3) * 1e-20 ** (2 / 3), rel=1e-2)
    below, above = critical_gain(0.999999e-6), critical_gain(1.000001e-6)
    assert above - below == pytest.approx(0.75 ** (1 / 3) * (2 / 3) * 1e-6 ** (2 / 3) * 2e-6, rel=1e-2)
