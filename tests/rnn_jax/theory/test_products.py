"""Exponents of random products against mpmath, limits, and the products themselves."""

import math

import mpmath
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.theory.numbers import checked_number

theory = rj.theory


@pytest.mark.parametrize("std", [1.0, 0.25])
@pytest.mark.parametrize("size", [1, 2, 3, 16, 1000])
def test_gaussian_exponents_are_mean_logarithms_of_chi_variables(size, std):
    exponents = theory.gaussian_exponents(size, std=std)
    assert exponents.shape == (size,)
    for i in {1, size // 2, size} - {0}:
        wanted = mpmath.log(std) + (mpmath.log(2) + mpmath.digamma(mpmath.mpf(size - i + 1) / 2)) / 2
        assert exponents[i - 1] == pytest.approx(float(wanted), abs=1e-13)


def test_gaussian_exponents_of_small_matrices_as_published():
    assert theory.gaussian_exponents(4) == pytest.approx([0.557966, 0.364819, 0.057966, -0.635181], abs=5e-7)


def test_their_deviation_is_that_of_the_logarithm_of_a_chi_variable():
    for i, deviation in enumerate(theory.gaussian_exponent_deviations(5), start=1):
        degrees = 5 - i + 1

        def density(x, degrees=degrees):
            return x ** (degrees - 1) * mpmath.exp(-(x**2) / 2)

        grid = [0, 1, 3, 6, 12]
        norm = mpmath.quad(density, grid)
        first = mpmath.quad(lambda x, f=density: mpmath.log(x) * f(x), grid) / norm
        second = mpmath.quad(lambda x, f=density: mpmath.log(x) ** 2 * f(x), grid) / norm
        assert deviation == pytest.approx(float(mpmath.sqrt(second - first**2)), rel=1e-9)


def test_exponents_and_deviations_of_many_gaussian_products():
    size, steps = 3, 20_000
    rng = np.random.default_rng(0)
    frame, logs = np.eye(size), np.empty((steps, size))
    for t in range(steps):
        frame, triangle = np.linalg.qr(0.7 * rng.standard_normal((size, size)) @ frame)
        logs[t] = np.log(np.abs(np.diag(triangle)))
    deviations = theory.gaussian_exponent_deviations(size)
    error = (logs.mean(0) - theory.gaussian_exponents(size, std=0.7)) / (deviations / math.sqrt(steps))
    assert np.abs(error).max() < 3.5
    assert logs.std(0) == pytest.approx(deviations, rel=0.03)


def test_large_gaussian_matrices_follow_the_triangle_law():
    size = 2000
    fractions = (np.arange(size) + 0.5) / size
    exponents = theory.gaussian_exponents(size, std=size**-0.5)
    assert exponents[: size // 2] == pytest.approx(np.log1p(-fractions[: size // 2]) / 2, abs=1e-3)


def test_orthogonal_products_grow_alike_in_every_direction():
    assert theory.orthogonal_exponents(3, 0.5).tolist() == [math.log(0.5)] * 3
    rng = np.random.default_rng(0)
    product = np.linalg.multi_dot([1.5 * np.linalg.qr(rng.standard_normal((4, 4)))[0] for _ in range(10)])
    singular = np.linalg.svd(product, compute_uv=False)
    assert np.log(singular) / 10 == pytest.approx(theory.orthogonal_exponents(4, 1.5))
    assert theory.orthogonal_exponents(2, 0.0).tolist() == [-math.inf, -math.inf]
    assert theory.gaussian_exponents(2, std=0.0).tolist() == [-math.inf, -math.inf]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.gaussian_exponents(0), "size must be a whole number of at least 1, got 0"),
        (
            lambda: theory.gaussian_exponent_deviations(-1),
            "size must be a whole number of at least 1, got -1",
        ),
        (lambda: theory.gaussian_exponents(2, std=-1.0), "std must be a finite number from 0 up, got -1.0"),
        (
            lambda: theory.orthogonal_exponents(2, math.nan),
            "gain must be a finite number from 0 up, got nan",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("value", ["1", np.ones(2), 1j, None])
def test_what_is_not_one_number_is_told(value):
    with pytest.raises(ValueError, match="gain must be one real number, got "):
        checked_number("gain", value)
