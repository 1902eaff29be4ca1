"""Chains far out of a dtype's range, exactly zero, or over states that are not finite."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import rnn_jax as rj

pytestmark = pytest.mark.as_users_compile

LONG = 1_000_000


def _times_matrix(_, state, matrix):
    """A linear net whose inputs are its step Jacobians."""
    return matrix @ state


# A pytree, which is compiled once a shape and not at every call.
times_matrix = jax.tree_util.Partial(_times_matrix, np.ones(()))


def matrices(*runs):
    """Step Jacobians J_1, J_2, ... from (count, matrix) pairs."""
    return jnp.concatenate([jnp.broadcast_to(jnp.asarray(matrix), (count, 2, 2)) for count, matrix in runs])


def test_a_contraction_of_a_million_steps_in_float32_is_exact():
    chain = rj.jacobian_chain(
        lambda h, _: 0.5 * h, jnp.ones(8, jnp.float32), None, [LONG], ("spectral",), length=LONG
    )
    log_norm = LONG * np.log(0.5)
    assert chain.log_spectral_norm[0] == pytest.approx(log_norm, rel=1e-6)
    assert chain.log_frobenius_norm[0] == pytest.approx(log_norm + 0.5 * np.log(8), rel=1e-6)
    assert chain.log_spectral_norm.dtype == jnp.float32
    np.testing.assert_allclose(chain.spectral_norm.log_float64(), log_norm, rtol=1e-12)


def test_an_exploding_orthogonal_net_of_a_million_steps_in_float32_is_right():
    cell = rj.cells.create(
        "elman_identity",
        0,
        8,
        key=jax.random.key(1),
        initialization="orthogonal",
        gain=1.5,
        dtype=jnp.float32,
    )
    chain = rj.jacobian_chain(cell, cell.initial_state(), None, [LONG], ("spectral",), length=LONG)
    assert chain.log_spectral_norm[0] == pytest.approx(LONG * np.log(1.5), rel=1e-6)


def test_a_vanishing_tanh_net_in_float32_agrees_with_many_digits():
    cell = rj.cells.create("elman_tanh", 1, 3, key=jax.random.key(3), gain=0.9, dtype=jnp.float32)
    xs = jax.random.normal(jax.random.key(4), (1_500, 1), jnp.float32)
    chain = rj.jacobian_chain(cell, cell.initial_state(), xs, norms=("spectral",))
    weight = mpmath.matrix(np.asarray(cell.weight_hh, float).tolist())
    states = np.asarray(rj.trajectory(cell, cell.initial_state(), xs), float)
    product = mpmath.eye(3)
    with mpmath.workdps(30):
        for lag, h in enumerate(states[:0:-1], start=1):
            product = product * mpmath.diag([1 - mpmath.mpf(each) ** 2 for each in h]) * weight
            if lag % 300 == 0:
                frobenius = mpmath.log(mpmath.mnorm(product, "f"))
                spectral = mpmath.log(max(mpmath.svd_r(product, compute_uv=False)))
                assert chain.log_frobenius_norm[lag] == pytest.approx(float(frobenius), abs=2e-3)
                assert chain.log_spectral_norm[lag] == pytest.approx(float(spectral), abs=2e-3)
    assert frobenius < -400  # float32 alone ends at -103


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_small_row_survives_when_an_early_factor_kills_the_large_one(dtype):
    # Going back in time, row 0 stays at 1 while row 1 falls to 1e-9000; then row 0 becomes zero.
    xs = matrices((1, [[0.0, 0.0], [0.0, 1.0]]), (3_000, [[1.0, 0.0], [0.0, 1e-3]])).astype(dtype)
    chain = rj.jacobian_chain(times_matrix, jnp.ones(2, dtype), xs, norms=("spectral",))
    assert chain.log_spectral_norm[3_000] == pytest.approx(0.0, abs=1e-6)
    assert chain.log_spectral_norm[3_001] == pytest.approx(3_000 * np.log(1e-3), rel=1e-6)
    assert chain.log_frobenius_norm[3_001] == pytest.approx(3_000 * np.log(1e-3), rel=1e-6)


def test_one_factor_may_span_more_than_the_dtype_can_hold_as_a_product_of_its_entries():
    wide = [[1e25, 0.0], [0.0, 1e-25]]
    xs = matrices((1, [[0.0, 0.0], [0.0, 1.0]]), (2, wide)).astype(jnp.float32)
    chain = rj.jacobian_chain(times_matrix, jnp.ones(2, jnp.float32), xs)
    expected = np.log(10) * np.array([25, 50, -50])
    np.testing.assert_allclose(chain.log_frobenius_norm[1:], expected, rtol=1e-6)


@pytest.mark.xfail(
    strict=True,
    reason="a known limit: within one row, columns further apart than the dtype's range are lost",
)
def test_a_small_column_survives_when_an_early_factor_kills_the_large_one():
    mixed = [[0.6, -0.8], [0.8, 0.6]]
    xs = matrices((1, [[0.0, 0.0], [0.0, 1.0]]), (300, [[1.0, 0.0], [0.0, 1e-3]]), (1, mixed))
    chain = rj.jacobian_chain(times_matrix, jnp.ones(2), xs, norms=("spectral",))
    assert chain.log_spectral_norm[302] == pytest.approx(300 * np.log(1e-3), rel=1e-6)


def test_a_product_that_is_exactly_zero_has_log_norm_minus_infinity():
    xs = matrices((3, [[1.0, 1.0], [0.0, 1.0]]), (2, [[0.0, 1.0], [0.0, 0.0]]), (1, np.eye(2)))
    chain = rj.jacobian_chain(times_matrix, jnp.ones(2), xs, norms=("spectral",))
    np.testing.assert_array_equal(np.isneginf(chain.log_frobenius_norm), [False] * 3 + [True] * 4)
    np.testing.assert_array_equal(np.isneginf(chain.log_spectral_norm), [False] * 3 + [True] * 4)
    assert rj.decay(chain).regime == "vanishing"


# The derivative of relu at NaN is 0, and that of a linear net is its weight: neither says NaN by itself.
@pytest.mark.costly
@pytest.mark.parametrize("name", ["gru", "lstm", "elman_relu", "elman_identity"])
def test_a_nan_in_an_input_is_a_nan_in_the_norms_and_not_a_number_that_looks_right(name, xs):
    cell = rj.cells.create(name, 3, 4, key=jax.random.key(1))
    broken = xs.at[47, 1].set(jnp.nan)
    chain = rj.jacobian_chain(cell, cell.initial_state(), broken, norms=("spectral",))
    # States 48, 49, 50 are NaN, so every factor from J_48 on is: all lags but 0.
    assert np.isnan(chain.log_frobenius_norm[1:]).all()
    assert np.isnan(chain.log_spectral_norm[1:]).all()
    decay = rj.decay(chain)
    assert decay.regime == "not_finite"
    assert np.isnan(decay.rate)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_16_bit_cells_give_norms_close_to_float32(dtype, xs):
    def log_norms(dtype):
        cell = rj.cells.create("gru", 3, 4, key=jax.random.key(1), dtype=dtype)
        return rj.jacobian_chain(cell, cell.initial_state(), xs.astype(dtype), norms=("spectral",))

    half, single = log_norms(dtype), log_norms(jnp.float32)
    np.testing.assert_allclose(half.log_frobenius_norm, single.log_frobenius_norm, atol=0.4)
    np.testing.assert_allclose(half.log_spectral_norm, single.log_spectral_norm, atol=0.4)


@pytest.mark.parametrize("method", ["sequential", "blocked"])
@pytest.mark.parametrize("factor", [1e38, 3e38, 4e-38])
def test_factors_at_the_ends_of_float32(method, factor):
    chain = rj.jacobian_chain(
        lambda h, x: jnp.float32(factor) * h, jnp.zeros(3, jnp.float32), None, length=9, method=method
    )
    expected = np.arange(10) * np.log(np.float32(factor), dtype=np.float64) + np.log(3) / 2
    np.testing.assert_allclose(chain.log_frobenius_norm, expected, rtol=1e-6)
