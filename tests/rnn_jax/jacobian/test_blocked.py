from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj

NORMS = ("log_frobenius_norm", "log_spectral_norm", "log_output_norm")
OPTIONS = {"norms": ("spectral",)}


def assert_same(one, other, places=slice(None), names=NORMS, tolerance=1e-10):
    for name in names:
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name)[places], rtol=tolerance, atol=tolerance
        )


NETS = [
    ("elman_tanh", 0.3),
    ("elman_identity", 3.0),
    ("lstm", 1.0),
    ("gru_reset_before", 1.0),
    ("indrnn", 1.3),
]


# Each compiles programs of its own: every length of one net and one length of every net are quick enough.
@pytest.mark.costly
@pytest.mark.parametrize(
    ("name", "gain", "length"),
    [
        pytest.param(*net, length, marks=[] if net == NETS[0] or length == 101 else pytest.mark.slow)
        for net in NETS
        for length in (1, 2, 17, 101, 333)
    ],
)
def test_it_equals_the_sequential_product_at_every_lag_and_at_chosen_ones(name, gain, length):
    cell = rj.cells.create(name, 2, 4, key=jax.random.key(0), gain=gain)
    state, xs = cell.initial_state(), jax.random.normal(jax.random.key(1), (length, 2))
    options = {**OPTIONS, "output": cell.output}
    one_by_one = rj.jacobian_chain(cell, state, xs, method="sequential", **options)
    assert_same(rj.jacobian_chain(cell, state, xs, method="blocked", **options), one_by_one)
    lags = np.unique([0, 1, length // 3, length - 1, length])
    chosen = rj.jacobian_chain(cell, state, xs, lags, method="blocked", **options)
    assert chosen.method == "blocked"
    assert_same(chosen, one_by_one, lags)


@pytest.mark.costly
@pytest.mark.parametrize(("length", "count"), [(200, 64), (211, 71)])
def test_many_blocks_are_combined_in_groups(length, count):
    """In 8 groups of 8, and in 9 of 8 the first of which is filled up."""
    cell = rj.cells.create("gru", 2, 4, key=jax.random.key(0), gain=1.5)
    state, xs = cell.initial_state(), jax.random.normal(jax.random.key(1), (length, 2))
    options = {**OPTIONS, "output": cell.output}
    one_by_one = rj.jacobian_chain(cell, state, xs, method="sequential", **options)
    blocked = partial(rj.jacobian_chain, cell, state, xs, method="blocked", block_count=count, **options)
    assert_same(blocked(), one_by_one)
    lags = np.unique([0, 1, length // 3, length - 1, length])
    assert_same(blocked(lags), one_by_one, lags)


def times_matrix(state, matrix):
    return matrix @ state


def test_a_rotation_neither_grows_nor_shrinks():
    angles = jnp.linspace(0.1, 3.0, 150)
    xs = jax.vmap(lambda a: jnp.array([[jnp.cos(a), -jnp.sin(a)], [jnp.sin(a), jnp.cos(a)]]))(angles)
    chain = rj.jacobian_chain(times_matrix, jnp.ones(2), xs, method="blocked", norms=("spectral",))
    np.testing.assert_allclose(chain.log_spectral_norm, 0.0, atol=1e-12)


def test_blocks_far_outside_the_range_of_float32_are_combined():
    half = jnp.broadcast_to(0.5 * jnp.eye(3, dtype=jnp.float32), (20_000, 3, 3))
    xs = jnp.concatenate([half, 4 * half])  # at the latest 20,000 steps it doubles, before it halves
    lags = np.array([10_000, 20_000, 30_000, 40_000])
    chain = rj.jacobian_chain(times_matrix, jnp.ones(3, jnp.float32), xs, lags, method="blocked")
    expected = np.array([10_000, 20_000, 10_000, 0]) * np.log(2) + 0.5 * np.log(3)
    np.testing.assert_allclose(chain.frobenius_norm.log_float64(), expected, rtol=1e-6)


def test_a_singular_step_gives_minus_infinity_from_its_lag_on():
    xs = jnp.broadcast_to(jnp.eye(2), (90, 2, 2)).at[40].set(jnp.array([[0.0, 1.0], [0.0, 0.0]]))
    xs = xs.at[20].set(jnp.array([[1.0, 0.0], [0.0, 0.0]]))  # the product of the two is zero
    chain = rj.jacobian_chain(times_matrix, jnp.ones(2), xs, method="blocked")
    expected = np.full(91, 0.5 * np.log(2))
    expected[50:], expected[70:] = 0.0, -np.inf
    np.testing.assert_allclose(chain.log_frobenius_norm, expected, atol=1e-12)


def test_a_nan_in_an_input_is_a_nan_in_the_norms():
    cell = rj.cells.create("elman_relu", 1, 4, key=jax.random.key(0))
    xs = jax.random.normal(jax.random.key(1), (60, 1)).at[30].set(jnp.nan)
    chain = rj.jacobian_chain(cell, cell.initial_state(), xs, method="blocked")
    assert np.isfinite(chain.log_frobenius_norm[0])
    assert np.isnan(chain.log_frobenius_norm[1:]).all()


@pytest.mark.costly
def test_it_works_under_vmap():
    cell = rj.cells.create("gru", 2, 4, key=jax.random.key(0))
    batch = jax.random.normal(jax.random.key(1), (3, 40, 2))

    def norms(xs, method):
        return rj.jacobian_chain(cell, cell.initial_state(), xs, method=method).log_frobenius_norm

    together = jax.vmap(lambda xs: norms(xs, "blocked"))(batch)
    np.testing.assert_allclose(together, jnp.stack([norms(xs, "sequential") for xs in batch]), rtol=1e-10)


@pytest.mark.parametrize("lags", [None, [0, 3]])
def test_inputs_without_numbers_and_a_leaf_of_none(lags):
    """As a net that nothing drives has them."""

    def step(state, x):
        return state[0] @ (jnp.eye(3) * 0.5) + jnp.sum(x), state[1]

    def chain(method):
        state, xs = (jnp.ones(3), jnp.zeros(0)), jnp.zeros((20, 0))
        return rj.jacobian_chain(step, state, xs, lags, method=method)

    assert_same(chain("blocked"), chain("sequential"), names=["log_frobenius_norm"])


def test_checkpoint_and_blocked_exclude_each_other():
    with pytest.raises(ValueError, match='checkpoint=True needs method="sequential"'):
        rj.jacobian_chain(times_matrix, jnp.ones(2), jnp.ones((3, 2, 2)), method="blocked", checkpoint=True)
