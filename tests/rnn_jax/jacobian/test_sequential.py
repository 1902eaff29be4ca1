import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.jacobian import sequential
from rnn_jax.jacobian.groups import BLOCK, GROUP


def times_number(state, number):
    return number * state


def norms_in_float32(numbers, lags=None):
    """Log norms of the products of multiples of the 1 x 1 identity: the sums of their logs are exact."""
    numbers = np.asarray(numbers, np.float64)
    chain = rj.jacobian_chain(
        times_number, jnp.zeros(1, jnp.float32), jnp.asarray(numbers, jnp.float32), lags
    )
    exact = np.concatenate([[0.0], np.cumsum(np.log(np.abs(numbers[::-1])))])
    return chain.frobenius_norm.log_float64(), exact if lags is None else exact[lags]


@pytest.mark.costly
@pytest.mark.parametrize("lags", [None, np.array([0, 5, 60])])
@pytest.mark.parametrize(
    "numbers",
    [
        np.tile([1e-30, 1e30], 30),  # back and forth within one group, out of float32's range together
        np.tile([1e-30] * 4 + [1e30] * 4, 8)[:60],
        np.full(60, 1e-30),
        np.full(60, 1e30),
        np.concatenate([np.full(30, 1e-25), np.full(30, 1e25)]),
    ],
)
def test_products_that_leave_the_range_within_a_group_are_exact(numbers, lags):
    measured, exact = norms_in_float32(numbers, lags)
    np.testing.assert_allclose(measured, exact, rtol=1e-6, atol=2e-5)


class Swinging(rj.cells.Elman):
    """A linear net whose input multiplies its weights: an elementwise cell with wild Jacobians."""

    def drive(self, x):
        return jnp.broadcast_to(x, (1, self.bias.shape[0]))

    def update(self, recurrent, drive, state):
        return (recurrent * drive)[0]


jax.tree_util.register_dataclass(
    Swinging, data_fields=["weight_hh", "weight_xh", "bias"], meta_fields=["activation"]
)


@pytest.mark.costly
@pytest.mark.parametrize("lags", [None, np.array([7, 64]), np.array([64])])
def test_a_row_that_leaves_the_range_and_comes_back_within_a_group_is_exact(lags):
    """Columns of a row differ by 1e5: one that was flushed to zero on the way would change the norm."""
    base = rj.cells.create("elman_identity", 1, 2, key=jax.random.key(0), dtype=jnp.float32)
    cell = Swinging(jnp.array([[1.0, 1e-5], [0.0, 1.0]], jnp.float32), base.weight_xh, base.bias, "identity")
    xs = jnp.asarray(np.tile([1e20, 1e20, 1e-20, 1e-20], 16)[:, None], jnp.float32)
    state = jnp.zeros(2, jnp.float32)
    chain = rj.jacobian_chain(cell, state, xs, lags)
    wanted = np.arange(65) if lags is None else lags
    scale = np.concatenate([[0.0], np.cumsum(np.log(np.asarray(xs, np.float64)[::-1, 0]))])
    expected = scale[wanted] + 0.5 * np.log(2 + (1e-5 * wanted) ** 2)
    np.testing.assert_allclose(chain.frobenius_norm.log_float64(), expected, rtol=1e-6, atol=1e-5)
    products = rj.jacobian_product(cell, state, xs, 64)
    np.testing.assert_allclose(products.to_array()[0, 1], 64e-5, rtol=1e-5)


@pytest.mark.costly
@pytest.mark.parametrize(
    ("name", "length"),
    [
        pytest.param(name, length, marks=[] if name == "lstm" or length == 150 else pytest.mark.slow)
        for name in ("lstm", "gru_reset_before", "indrnn")
        for length in (1, GROUP - 1, GROUP, GROUP + 1, 150)
    ],
)
def test_with_checkpoints_the_norms_are_the_same(name, length):
    cell = rj.cells.create(name, 2, 4, key=jax.random.key(0))
    state, xs = cell.initial_state(), jax.random.normal(jax.random.key(1), (length, 2))
    every = rj.jacobian_chain(cell, state, xs, output=cell.output)
    again = rj.jacobian_chain(cell, state, xs, output=cell.output, checkpoint=True)
    np.testing.assert_allclose(again.log_frobenius_norm, every.log_frobenius_norm, rtol=1e-12)
    np.testing.assert_allclose(again.log_output_norm, every.log_output_norm, rtol=1e-12)
    lags = np.unique([0, length // 7, length])
    some = rj.jacobian_chain(cell, state, xs, lags, norms=("spectral",), checkpoint=True)
    np.testing.assert_allclose(some.log_frobenius_norm, every.log_frobenius_norm[lags], rtol=1e-12)


@pytest.mark.parametrize("length", [1, GROUP + 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
def test_groups_and_blocks_end_where_they_should(length):
    """Numbers that are all different: one left out, taken twice or out of turn would change the sums of their logs."""
    numbers = 1 + np.arange(length) / 100
    lags = np.unique(np.concatenate([np.arange(length + 1)[:: 9 + length // 9], [length]]))
    for wanted in (None, lags):
        measured, exact = norms_in_float32(numbers, wanted)
        np.testing.assert_allclose(measured, exact, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("bad", [0, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 6, 2 * BLOCK + 7])
def test_beyond_a_state_that_is_not_finite_every_norm_is_nan_and_none_before(bad):
    length = 2 * BLOCK + 7
    states = jnp.ones((length + 1, 2)).at[bad].set(jnp.inf)
    lags = np.arange(0, length + 1, 9)
    for wanted in (np.arange(length + 1), lags):
        chain = rj.jacobian_chain(lambda h, _: 0.9 * h, None, None, wanted, length=length, states=states)
        beyond = wanted >= max(length - bad, 1)
        np.testing.assert_array_equal(np.isnan(chain.log_frobenius_norm), beyond)
        np.testing.assert_allclose(
            chain.log_frobenius_norm[~beyond], wanted[~beyond] * np.log(0.9) + 0.5 * np.log(2), rtol=1e-12
        )


@pytest.mark.costly
def test_checkpoints_keep_about_the_square_root_of_the_states():
    """By what the compiled program reserves, which is the same on every run."""
    cell = rj.cells.create("elman_tanh", 1, 32, key=jax.random.key(0), dtype=jnp.float32)
    xs, lags = jnp.ones((20_000, 1), jnp.float32), jnp.array([10, 20_000], jnp.int32)

    def reserved(checkpoint):
        function = jax.jit(
            sequential.chosen_lags, static_argnames=("length", "spectral", "checkpoint", "precision")
        )
        options = {"length": 20_000, "spectral": False, "checkpoint": checkpoint, "precision": "highest"}
        lowered = function.lower(cell, None, cell.initial_state(), xs, None, lags, **options)
        return lowered.compile().memory_analysis().temp_size_in_bytes

    of_states = 20_000 * 32 * 4
    assert reserved(False) < 1.2 * of_states
    assert reserved(True) < 0.1 * of_states


@pytest.mark.costly
def test_vmap_over_seeds_and_sequences_equals_a_loop():
    keys, xs = jax.random.split(jax.random.key(0), 2), jax.random.normal(jax.random.key(1), (3, 40, 2))

    cells = jax.vmap(lambda key: rj.cells.create("lstm", 2, 8, key=key))(keys)

    def norms(cell, xs):  # a state of 16, so that examples go one by one
        return rj.jacobian_chain(cell, cell.initial_state(), xs).log_frobenius_norm

    together = jax.jit(jax.vmap(jax.vmap(norms, (None, 0)), (0, None)))(cells, xs)
    for index in range(2):
        cell = jax.tree.map(lambda leaf, at=index: leaf[at], cells)
        expected = jnp.stack([norms(cell, each) for each in xs])
        np.testing.assert_allclose(together[index], expected, rtol=1e-10, atol=1e-10)


def test_grad_says_that_a_chain_cannot_be_differentiated():
    cell = rj.cells.create("gru", 2, 4, key=jax.random.key(0))

    def norm(xs):
        return rj.jacobian_chain(cell, cell.initial_state(), xs).log_frobenius_norm[-1]

    with pytest.raises(
        NotImplementedError, match=r"cannot be differentiated; differentiate .*step_jacobians"
    ):
        jax.grad(norm)(jnp.ones((5, 2)))


def test_on_a_cpu_the_method_picked_is_sequential():
    chain = rj.jacobian_chain(times_number, jnp.ones(1), jnp.ones(300))
    assert chain.method == "sequential"
