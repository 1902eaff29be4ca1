"""Exponents where rounding would lose a pivot: in an interval that is too long, of a singular step, at zero."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import rnn_jax as rj


def graded_matrices(count=3000):
    scales = np.array([1.0, 0.3, 0.1, 0.03])[None, :, None]
    return jnp.asarray(np.random.default_rng(0).normal(size=(count, 4, 4)) * scales)


@pytest.mark.costly
@pytest.mark.parametrize("factorization", ["elimination", "qr", "cholesky"])
@pytest.mark.parametrize("interval", [10, 40])
def test_an_interval_in_which_a_pivot_would_be_lost_is_factored_at_every_step(
    interval, factorization, of_products
):
    xs = graded_matrices()
    options = {"factorization": factorization}
    truth = of_products(xs, qr_interval=1, **options)
    found = of_products(xs, qr_interval=interval, **options)
    assert found.qr_interval == interval
    np.testing.assert_allclose(found.exponents, truth.exponents, atol=1e-4)
    np.testing.assert_allclose(found.standard_errors, truth.standard_errors, atol=1e-4)


@pytest.mark.costly
def test_the_automatic_interval_loses_no_exponent_of_a_product_whose_steps_differ_much_in_float32(
    of_products,
):
    xs = jnp.asarray(np.random.default_rng(0).normal(size=(400, 4, 4)) / 2)
    truth = of_products(xs, qr_interval=1)
    found = of_products(jnp.asarray(xs, jnp.float32))
    assert found.qr_interval == 8  # which loses the last of them in some stretches
    # Of what is not lost a stretch may keep two digits; which, goes by the instructions of the CPU.
    np.testing.assert_allclose(found.exponents, truth.exponents, atol=1e-3)


@pytest.mark.costly
@pytest.mark.parametrize("factorization", ["elimination", "qr", "cholesky"])
@pytest.mark.parametrize("interval", [None, 1])
def test_one_singular_jacobian_leaves_no_number_of_rounding_as_an_exponent(
    interval, factorization, of_products
):
    angles = np.arange(2000)
    turns = np.stack([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]])
    xs = np.diag([2.0, 0.5]) @ np.moveaxis(turns, 2, 0)
    xs[1000] = [[1, 2], [3, 6]]
    spectrum = of_products(jnp.asarray(xs), qr_interval=interval, factorization=factorization)
    assert np.isfinite(spectrum.exponents[0])
    assert np.isnan(spectrum.exponents[1])


def graded_triangles(smallest, steps=400, n=8):
    """Lower triangular matrices whose rows are none of them small, and their diagonals, graded from 1."""
    rng = np.random.default_rng(0)
    diagonals = np.geomspace(1, smallest, n) * rng.uniform(0.5, 2, size=(steps, n))
    return np.tril(rng.normal(size=(steps, n, n)), -1) + diagonals[:, :, None] * np.eye(n), diagonals


@pytest.mark.costly
@pytest.mark.parametrize("factorization", ["elimination", "cholesky", "qr"])
@pytest.mark.parametrize("smallest", [1e-8, 1e-16])
def test_of_steps_that_are_graded_but_full_only_what_rounding_leaves_alone_is_told(
    smallest, factorization, of_products
):
    """The exponents are the mean logs of the diagonals."""
    xs, diagonals = graded_triangles(smallest)
    spectrum = of_products(jnp.asarray(xs), factorization=factorization)
    known = np.isfinite(spectrum.exponents)
    assert 1 <= known.sum() < 8
    np.testing.assert_allclose(spectrum.exponents[known], np.log(diagonals[40:]).mean(0)[known], atol=0.02)


@pytest.mark.parametrize("graded", [slice(0, 400), slice(200, 600), slice(400, 800)])
def test_it_does_not_matter_when_rounding_decides(graded, of_products):
    xs = np.random.default_rng(1).normal(size=(800, 8, 8))
    xs[graded], _ = graded_triangles(1e-8)
    known = np.isfinite(of_products(jnp.asarray(xs)).exponents)
    assert 2 <= known.sum() <= 3
    assert known[:2].all()


def test_one_small_pivot_among_many_steps_takes_no_exponent_away(of_products):
    xs = np.random.default_rng(0).normal(size=(4000, 6, 6))
    left, values, right = np.linalg.svd(xs[3700])
    values[-1] = 1e-5 * values[0]
    xs[3700] = left * values @ right
    truth = of_products(jnp.asarray(xs))
    found = of_products(jnp.asarray(xs, jnp.float32))
    np.testing.assert_allclose(found.exponents, truth.exponents, atol=1e-3)


def without_stabilizer(cell, state, x):
    """The same h as a scalar LSTM's, of h, c / n and log n + m: a freedom that no h depends on is not there."""
    h, ratio, log_normalizer = state
    i, f, z, o = cell.recurrent(cell.initial_state()._replace(h=h)) + cell.drive(x)
    kept = jax.nn.log_sigmoid(f) + log_normalizer
    total = jnp.logaddexp(kept, i)
    ratio = jnp.exp(kept - total) * ratio + jnp.exp(i - total) * jnp.tanh(z)
    return jax.nn.sigmoid(o) * ratio, ratio, total


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_freedom_of_the_state_that_dies_in_unit_after_unit_leaves_no_wrong_exponents(dtype):
    """Of the others' decay beside it rounding errors are what is seen after a few steps."""
    cell = rj.cells.create("slstm", 2, 4, key=jax.random.key(2))
    xs = jax.random.normal(jax.random.key(5), (1000, 2), jnp.float32)
    exact, inputs = jax.tree.map(lambda leaf: leaf.astype(np.float64), (cell, xs))
    start = jnp.zeros(4), jnp.zeros(4), jnp.full(4, -40.0)
    truth = rj.lyapunov_spectrum(jax.tree_util.Partial(without_stabilizer, exact), start, inputs)
    assert np.isfinite(truth.exponents).all()
    cell, xs = jax.tree.map(lambda leaf: leaf.astype(dtype), (cell, xs))
    found = rj.lyapunov_spectrum(cell, cell.initial_state(), xs)
    exponents, errors, truth = map(np.asarray, (found.exponents, found.standard_errors, truth.exponents))
    known = np.isfinite(exponents)
    assert known[:6].all()
    assert (np.abs(exponents[known] - truth[: known.sum()]) < 0.01 + 3 * errors[known]).all()


@pytest.mark.costly
@pytest.mark.parametrize("factorization", ["elimination", "qr", "cholesky"])
@pytest.mark.parametrize("length", [40, 400])
@pytest.mark.parametrize("decades", [12, 20, 100])
def test_what_cancels_in_the_product_itself_is_lost_in_it(decades, length, factorization, of_products):
    """The second column lies across what the Jacobian stretches most, and the product leaves rounding of it."""
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    jacobian = directions @ np.diag([10.0**decades, 1, 10.0**-decades]) @ directions.T
    spectrum = of_products(
        jnp.asarray(np.broadcast_to(jacobian, (length, 3, 3))), factorization=factorization
    )
    np.testing.assert_allclose(spectrum.exponents[0], decades * np.log(10), rtol=1e-12)
    assert np.isnan(spectrum.exponents[2])
    if decades > 16:
        assert np.isnan(spectrum.exponents[1])
    else:
        assert abs(spectrum.exponents[1]) < 1e-5


@pytest.mark.costly
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("factorization", ["elimination", "qr", "cholesky"])
@pytest.mark.parametrize("interval", [None, 1])
def test_a_net_that_forgets_all_in_six_steps_has_minus_infinity_throughout(
    interval, factorization, dtype, of_products
):
    """Its zeros move on from step to step, and nothing cancels."""
    shift = np.broadcast_to(np.eye(6, k=1, dtype=dtype), (60, 6, 6))
    spectrum = of_products(jnp.asarray(shift), qr_interval=interval, factorization=factorization)
    np.testing.assert_array_equal(spectrum.exponents, np.full(6, -np.inf))


@pytest.mark.costly
@pytest.mark.parametrize("factorization", ["elimination", "cholesky"])
def test_small_rows_lose_nothing_of_large_ones(factorization, of_products):
    """Against Gram-Schmidt with 400 digits."""
    scales = np.array([1.0, 1e-12, 1e-25, 1e-40])[:, None]
    xs = scales * np.random.default_rng(1).normal(size=(60, 4, 4))
    options = {"qr_interval": 1, "transient": 0, "factorization": factorization}
    found = of_products(jnp.asarray(xs), **options).exponents
    with mpmath.workdps(400):
        basis, logs = mpmath.matrix(np.linalg.qr(np.random.default_rng(2).normal(size=(4, 4)))[0]), []
        for each in xs:
            basis, upper = mpmath.qr(mpmath.matrix(each) * basis)
            logs.append([float(mpmath.log(abs(upper[i, i]))) for i in range(4)])
    np.testing.assert_allclose(found, np.mean(logs, axis=0), atol=0.1)
    np.testing.assert_allclose(sum(found), np.sum(np.mean(logs, axis=0)), rtol=1e-13)


@pytest.mark.costly
def test_cholesky_keeps_the_last_exponents_of_a_saturated_net_in_float32(of_products):
    """Their pivots are lost by columns, not by rows."""
    slopes = np.geomspace(1, 1e-6, 96)[:, None]
    xs = slopes * np.random.default_rng(3).normal(size=(100, 96, 96))
    options = {"qr_interval": 1, "transient": 20}
    truth = of_products(jnp.asarray(xs), factorization="elimination", **options).exponents
    found = of_products(jnp.asarray(xs, jnp.float32), factorization="cholesky", **options).exponents
    assert np.isfinite(truth).all()
    np.testing.assert_allclose(found, truth, atol=1e-3)


@pytest.mark.costly
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("factorization", ["elimination", "qr", "cholesky"])
def test_the_dimension_of_an_isometry_is_not_left_to_rounding(factorization, dtype):
    for matrix in (np.eye(3), np.roll(np.eye(4), 1, 0)):
        step = jax.tree_util.Partial(lambda matrix, h, _: matrix @ h, jnp.asarray(matrix, dtype))
        spectrum = rj.lyapunov_spectrum(
            step, jnp.ones(len(matrix), dtype), None, length=400, factorization=factorization
        )
        assert spectrum.kaplan_yorke_dimension == len(matrix)


@pytest.mark.costly
def test_each_dimension_that_dies_counts_once():
    alive = np.ones((400, 4))
    alive[[100, 250, 300], 1] = 0
    alive[20, 3] = 0  # in the transient, which is not measured
    exponents = rj.lyapunov_spectrum(
        lambda h, d: d * h, jnp.zeros(4), jnp.asarray(alive), transient=40
    ).exponents
    assert np.isneginf(exponents).tolist() == [False, False, False, True]


@pytest.mark.costly
def test_dimension_and_entropy_rate_are_known_where_the_first_exponents_decide_them(of_products):
    xs = 1e-3 * graded_matrices()
    singular = xs.at[1000].set(jnp.outer(jnp.arange(1.0, 5.0), jnp.arange(4.0, 0.0, -1.0)))
    spectrum = of_products(singular, factorization="qr")
    assert np.isnan(spectrum.exponents).any()
    assert (spectrum.kaplan_yorke_dimension, spectrum.entropy_rate) == (0, 0)
