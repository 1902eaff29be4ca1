from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import digamma
from scipy.stats import t as student

import rnn_jax as rj


def newman(size):
    """Exponents of products of matrices with independent standard normal entries (Newman 1986)."""
    return 0.5 * (np.log(2) + digamma((size - np.arange(size)) / 2))


def by_qr(matrices, transient):
    """Exponents by Householder QR at every step, in float64 NumPy."""
    generator = np.random.default_rng(0)
    q = np.linalg.qr(generator.normal(size=matrices.shape[1:]))[0]
    logs = []
    for matrix in np.asarray(matrices, float):
        q, r = np.linalg.qr(matrix @ q)
        logs.append(np.log(np.abs(np.diag(r))))
    return np.sort(np.mean(logs[transient:], axis=0))[::-1]


# Closed forms


@pytest.mark.costly
@pytest.mark.parametrize("size", [2, 3, 4])
def test_gaussian_products_have_newmans_exponents(size, of_products):
    spectrum = of_products(jax.random.normal(jax.random.key(size), (20_000, size, size)))
    assert (np.abs(spectrum.exponents - newman(size)) < 4 * spectrum.standard_errors).all()
    assert (spectrum.standard_errors < 0.02).all()
    assert spectrum.logdet_residual < 1e-6


@pytest.mark.costly
@pytest.mark.parametrize("qr_interval", [None, 3])
def test_95_percent_intervals_contain_newmans_values_in_95_percent_of_runs(qr_interval, of_products):
    runs, size, batches = 400, 3, 10
    xs = jax.random.normal(jax.random.key(1), (runs, 220, size, size))
    spectrum = jax.vmap(partial(of_products, batches=batches, transient=20, qr_interval=qr_interval))(xs)
    half_width = student.ppf(0.975, batches - 1) * np.asarray(spectrum.standard_errors)
    covered = np.abs(np.asarray(spectrum.exponents) - newman(size)) <= half_width
    assert (covered.mean(axis=0) > 0.90).all()
    assert (covered.mean(axis=0) < 0.99).all()


@pytest.mark.costly
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_gain_times_orthogonal_has_one_exponent_the_log_of_the_gain(dtype):
    cell = rj.cells.create(
        "elman_identity",
        0,
        16,
        key=jax.random.key(1),
        initialization="orthogonal",
        gain=1.3,
        dtype=dtype,
    )
    spectrum = rj.lyapunov_spectrum(cell, cell.initial_state(), None, length=2_000)
    np.testing.assert_allclose(
        spectrum.exponents, np.log(1.3), atol=1e-6
    )  # the weights were drawn in float32
    assert spectrum.qr_interval == 32  # nothing spreads, so nothing is lost between two factorizations
    assert spectrum.kaplan_yorke_dimension == 16
    assert spectrum.entropy_rate == pytest.approx(16 * np.log(1.3), rel=1e-3)


@pytest.mark.costly
@pytest.mark.parametrize("factor", [0.5, 1e-6, 1.5])
def test_a_factor_of_every_step_in_float32(factor):
    step = lambda h, _: jnp.float32(factor) * h  # noqa: E731
    # 100 steps of 1e-6 without a factorization lie far below float32's range.
    spectrum = rj.lyapunov_spectrum(step, jnp.zeros(3, jnp.float32), None, length=10_000, qr_interval=100)
    np.testing.assert_allclose(spectrum.exponents, np.log(factor), rtol=1e-6)
    assert spectrum.logdet_residual < 1e-5


def test_a_rotation_has_exponents_of_zero():
    turn = jnp.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    spectrum = rj.lyapunov_spectrum(lambda h, _: turn @ h, jnp.ones(2), None, length=1_000)
    np.testing.assert_allclose(spectrum.exponents, 0, atol=1e-13)


def test_the_logistic_map_has_ln_2():
    spectrum = rj.lyapunov_spectrum(lambda x, _: 4 * x * (1 - x), jnp.array([0.3]), None, length=20_000)
    assert float(spectrum.exponents[0]) == pytest.approx(np.log(2), abs=1e-3)
    assert spectrum.entropy_rate == spectrum.exponents[0]


@pytest.mark.costly
def test_the_henon_map():
    step = lambda s, _: jnp.array([1 - 1.4 * s[0] ** 2 + s[1], 0.3 * s[0]])  # noqa: E731
    spectrum = rj.lyapunov_spectrum(step, jnp.array([0.1, 0.1]), None, length=100_000)
    np.testing.assert_allclose(spectrum.exponents, [0.419, -1.623], atol=0.004)
    assert spectrum.exponents.sum() == pytest.approx(np.log(0.3), abs=1e-10)
    assert spectrum.kaplan_yorke_dimension == pytest.approx(1 + 0.419 / 1.623, abs=0.004)


def scaled_each(rates, state, _):
    return rates * state


@pytest.mark.costly
def test_dimension_and_entropy_of_a_linear_map():
    def of(logs, **options):
        step = jax.tree_util.Partial(scaled_each, jnp.exp(jnp.array(logs)))
        return rj.lyapunov_spectrum(step, jnp.ones(len(logs)), None, length=400, **options)

    spectrum = of([1.0, -0.5, 0.25, -2.0])
    assert spectrum.kaplan_yorke_dimension == pytest.approx(3 + 0.75 / 2)
    assert spectrum.entropy_rate == pytest.approx(1.25)
    assert of([-1.0, -2.0]).kaplan_yorke_dimension == 0
    assert of([1.0, -0.5]).kaplan_yorke_dimension == 2
    first = of([1.0, -0.5, 0.25, -2.0], count=2)
    assert np.isnan(first.kaplan_yorke_dimension)
    assert np.isnan(first.entropy_rate)
    assert np.isnan(first.logdet_residual)
    assert of([1.0, -0.5, 0.25, -2.0], count=3).entropy_rate == pytest.approx(1.25)


# Against QR at every step, and against determinants


@pytest.mark.costly
@pytest.mark.parametrize("name", ["lstm", "gru", "gru_reset_before", "elman_tanh"])
def test_a_driven_cell_has_the_exponents_of_its_dense_jacobians(name):
    cell = rj.cells.create(name, 2, 4, key=jax.random.key(1), gain=1.5)
    xs = jax.random.normal(jax.random.key(2), (900, 2))
    # Another start must have aligned before the two can agree to so many digits.
    spectrum = rj.lyapunov_spectrum(cell, cell.initial_state(), xs, transient=400, qr_interval=2)
    jacobians = rj.step_jacobians(cell, cell.initial_state(), xs)
    assert (spectrum.state_size, spectrum.steps, spectrum.transient) == (jacobians.shape[1], 500, 400)
    np.testing.assert_allclose(spectrum.exponents, by_qr(jacobians, 400), rtol=1e-6, atol=1e-6)
    log_determinant = np.linalg.slogdet(jacobians[400:])[1].mean()
    assert spectrum.exponents.sum() == pytest.approx(log_determinant, abs=1e-9)
    assert spectrum.logdet_residual < 1e-9


def chaotic(dtype=None, size=32, gain=2.5):
    cell = rj.cells.create("elman_tanh", 0, size, key=jax.random.key(1), gain=gain, dtype=dtype)
    return cell, jax.random.normal(jax.random.key(0), (size,), jnp.float32).astype(cell.bias.dtype)


@pytest.mark.costly
def test_the_first_exponents_are_the_head_of_all():
    cell = rj.cells.create("lstm", 2, 6, key=jax.random.key(1))
    xs = jax.random.normal(jax.random.key(2), (400, 2))
    every = rj.lyapunov_spectrum(cell, cell.initial_state(), xs)
    first = rj.lyapunov_spectrum(cell, cell.initial_state(), xs, count=5)
    assert first.exponents.shape == first.standard_errors.shape == (5,)
    np.testing.assert_allclose(first.exponents, every.exponents[:5], atol=1e-7)
    np.testing.assert_allclose(first.standard_errors, every.standard_errors[:5], atol=1e-7)


@pytest.mark.as_users_compile
def test_float32_is_right_by_the_automatic_interval_and_where_ten_steps_would_lose_most_exponents():
    options = {"length": 800, "transient": 100}
    cell, state = chaotic(jnp.float32)
    automatic = rj.lyapunov_spectrum(cell, state, None, **options)
    spread = rj.lyapunov_spectrum(cell, state, None, qr_interval=10, **options)
    truth = rj.lyapunov_spectrum(*chaotic(jnp.float64), None, **options)
    np.testing.assert_allclose(automatic.exponents, truth.exponents, atol=0.1)
    assert float(automatic.exponents.mean()) == pytest.approx(float(truth.exponents.mean()), abs=0.02)
    assert automatic.logdet_residual < 1e-3
    assert automatic.qr_interval <= 2
    assert spread.qr_interval == 10
    np.testing.assert_allclose(spread.exponents, truth.exponents, atol=0.1)


@pytest.mark.costly
def test_intervals_that_do_not_divide_the_batch_change_nothing():
    cell, state = chaotic(size=12, gain=1.5)
    one, five = (
        rj.lyapunov_spectrum(cell, state, None, length=333, transient=33, batches=4, qr_interval=each)
        for each in (1, 7)
    )
    np.testing.assert_allclose(five.exponents, one.exponents, rtol=1e-6)
    np.testing.assert_allclose(five.standard_errors, one.standard_errors, rtol=1e-4)
    assert five.qr_interval == 7


# What is singular or not finite


@pytest.mark.costly
def test_a_dead_unit_has_minus_infinity_and_leaves_the_others(of_products):
    xs = jax.random.normal(jax.random.key(3), (400, 4, 4))
    dead = xs.at[:, 1].set(0.0)  # a row
    unheard = xs.at[:, :, 2].set(0.0)  # a column: rounding alone would leave e**-37
    once = xs.at[250, :, 2].set(0.0)
    for singular in (dead, unheard, once):
        spectrum = of_products(singular, qr_interval=2)
        assert np.isneginf(spectrum.exponents[-1])
        assert np.isnan(spectrum.standard_errors[-1])
        assert np.isfinite(spectrum.exponents[:3]).all()
        assert np.isfinite(spectrum.kaplan_yorke_dimension)
    kept = np.array([0, 2, 3])  # rows and columns of the others
    remaining = by_qr(dead[:, kept][:, :, kept], 40)
    np.testing.assert_allclose(of_products(dead).exponents[:3], remaining, atol=0.05)


def test_zeros_throughout_are_minus_infinity(of_products):
    spectrum = of_products(jnp.zeros((100, 2, 2)))
    np.testing.assert_array_equal(spectrum.exponents, [-np.inf, -np.inf])
    assert spectrum.kaplan_yorke_dimension == 0


@pytest.mark.costly
@pytest.mark.parametrize("at", [3, 90])
def test_a_nan_in_an_input_is_nan(at):
    cell = rj.cells.create("elman_relu", 1, 4, key=jax.random.key(1))
    xs = jnp.ones((100, 1)).at[at].set(jnp.nan)
    spectrum = rj.lyapunov_spectrum(cell, cell.initial_state(), xs)
    assert np.isnan(spectrum.exponents).all()
    assert np.isnan(spectrum.kaplan_yorke_dimension)


# Steps of other kinds, and JAX's transformations


def test_a_complex_state_counts_twice():
    step = lambda z, _: 0.5 * jnp.exp(1j) * z  # noqa: E731
    spectrum = rj.lyapunov_spectrum(step, jnp.ones(2, complex), None, length=200)
    np.testing.assert_allclose(spectrum.exponents, np.full(4, np.log(0.5)), rtol=1e-12)


def test_an_integer_in_the_state_is_carried():
    def step(state, _):
        factor = jnp.where(state["count"] % 2 == 0, 2.0, 0.125)
        return {"count": state["count"] + 1, "h": factor * state["h"]}

    state = {"count": jnp.array(0, jnp.int32), "h": jnp.ones(2)}
    spectrum = rj.lyapunov_spectrum(step, state, None, length=110, transient=10, batches=10)
    np.testing.assert_allclose(spectrum.exponents, np.full(2, -np.log(2)), rtol=1e-12)


@pytest.mark.as_users_compile
def test_jit_vmap_and_a_plain_call_agree():
    cell = rj.cells.create("gru", 2, 3, key=jax.random.key(1))
    batch = jax.random.normal(jax.random.key(2), (3, 300, 2))

    def measure(xs):
        return rj.lyapunov_spectrum(cell, cell.initial_state(), xs)

    batched, plain = jax.jit(jax.vmap(measure))(batch), [measure(xs) for xs in batch]
    assert batched.exponents.shape == (3, 3)
    assert batched.kaplan_yorke_dimension.shape == batched.entropy_rate.shape == (3,)
    np.testing.assert_array_equal(batched.qr_interval, [each.qr_interval for each in plain])
    np.testing.assert_allclose(batched.exponents, [each.exponents for each in plain], rtol=1e-9)


def test_new_weights_of_a_cell_do_not_compile_again(compilations):
    cell, state = chaotic(size=4)
    other = jax.tree.map(lambda leaf: 0.5 * leaf, cell)
    first = rj.lyapunov_spectrum(cell, state, None, length=60)
    with compilations() as compiled:
        second = rj.lyapunov_spectrum(other, state, None, length=60)
    assert compiled == []
    assert first.exponents[0] != second.exponents[0]


def test_without_a_transient_the_interval_is_one_and_every_step_counts(of_products):
    spectrum = of_products(jax.random.normal(jax.random.key(1), (40, 2, 2)), transient=0)
    assert (spectrum.qr_interval, spectrum.steps, spectrum.transient) == (1, 40, 0)


def test_what_does_not_divide_into_batches_is_discarded_first(of_products):
    spectrum = of_products(jax.random.normal(jax.random.key(1), (108, 2, 2)), transient=5, batches=10)
    assert (spectrum.steps, spectrum.transient, spectrum.batches) == (100, 8, 10)


ERRORS = {
    "count": ({"count": 3}, "count must lie in 1..2, the size of the state, got 3"),
    "no count": ({"count": 0}, "count must lie in 1..2"),
    "interval": ({"qr_interval": 0}, "qr_interval must be at least 1, got 0"),
    "batches": ({"batches": 1}, "batches must be at least 2, got 1"),
    "too many batches": (
        {"batches": 50},
        "batches must be at most 27, the steps after the transient, got 50",
    ),
    "transient": (
        {"transient": 30},
        r"transient must lie in 0\.\.29, below the length of the sequence, got 30",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_wrong_argument_is_named(name, of_products):
    options, message = ERRORS[name]
    with pytest.raises(ValueError, match=message):
        of_products(jnp.ones((30, 2, 2)), **options)


def test_16_bits_are_refused():
    with pytest.raises(ValueError, match="state must be float32 or float64, got bfloat16"):
        rj.lyapunov_spectrum(lambda h, _: h, jnp.ones(2, jnp.bfloat16), None, length=30)


# Factorizations


@pytest.mark.as_users_compile
@pytest.mark.parametrize("factorization", ["qr", "cholesky"])
def test_another_factorization_gives_the_exponents_of_elimination(factorization):
    cell = rj.cells.create("lstm", 2, 12, key=jax.random.key(1))
    xs = jax.random.normal(jax.random.key(2), (300, 2))

    def measure(factorization, dtype=jnp.float64, **options):
        net, inputs = jax.tree.map(lambda leaf: leaf.astype(dtype), (cell, xs))
        return rj.lyapunov_spectrum(net, net.initial_state(), inputs, factorization=factorization, **options)

    expected, found = measure("elimination", qr_interval=2), measure(factorization, qr_interval=2)
    assert (expected.factorization, found.factorization) == ("elimination", factorization)
    np.testing.assert_allclose(found.exponents, expected.exponents, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.standard_errors, expected.standard_errors, rtol=0, atol=1e-10)
    assert max(expected.logdet_residual, found.logdet_residual) < 1e-11
    automatic = measure(factorization)
    np.testing.assert_allclose(automatic.exponents, expected.exponents, atol=1e-5)
    assert automatic.logdet_residual < 1e-8
    single = measure(factorization, jnp.float32)
    np.testing.assert_allclose(single.exponents, expected.exponents, atol=1e-3)
    assert single.logdet_residual < 1e-5


@pytest.mark.costly
@pytest.mark.parametrize("factorization", ["qr", "cholesky"])
def test_singular_steps_have_minus_infinity_by_every_factorization(factorization, of_products):
    xs = jax.random.normal(jax.random.key(3), (400, 4, 4))
    for singular in (xs.at[:, 1].set(0.0), xs.at[:, :, 2].set(0.0), xs.at[250, :, 2].set(0.0)):
        found = of_products(singular, qr_interval=2, factorization=factorization)
        expected = of_products(singular, qr_interval=2, factorization="elimination")
        np.testing.assert_allclose(found.exponents, expected.exponents, atol=1e-10)
        assert np.isneginf(found.exponents[-1])
    broken = of_products(xs.at[300, 0, 0].set(jnp.nan), factorization=factorization)
    assert np.isnan(broken.exponents).all()


def test_the_forward_derivative_is_that_of_central_differences():
    xs = jax.random.normal(jax.random.key(1), (60, 2))
    cell = rj.cells.create("gru", 2, 3, key=jax.random.key(0))

    def exponents(gain):
        scaled = replace(cell, weight_hh=gain * cell.weight_hh)
        return rj.lyapunov_spectrum(scaled, cell.initial_state(), xs, qr_interval=2, batches=3).exponents

    _, derivative = jax.jvp(exponents, (jnp.ones(()),), (jnp.ones(()),))
    differences = (exponents(jnp.asarray(1 + 1e-5)) - exponents(jnp.asarray(1 - 1e-5))) / 2e-5
    np.testing.assert_allclose(derivative, differences, rtol=1e-7)


def test_an_unknown_factorization_is_named(of_products):
    with pytest.raises(ValueError, match="must be among auto, elimination, qr, cholesky, got 'svd'"):
        of_products(jnp.ones((30, 2, 2)), factorization="svd")
