from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.cell_structure import structure_of
from rnn_jax.jacobian.structure import DenseFactor, factor, prepared
from rnn_jax.step import materialized

DIAGONAL = {"indrnn", "mingru", "minlstm", "lru", "s5", "selective_ssm", "unicornn"}
KRONECKER = {"deltanet", "gated_deltanet"}
DENSE = {"gru_reset_before", "cornn", "lem", "mgu"}
EXPECTED = (
    dict.fromkeys(DIAGONAL, "diagonal")
    | dict.fromkeys(KRONECKER, "kronecker")
    | dict.fromkeys(DENSE, "dense")
)


def disturbed(name):
    """A cell with nonzero biases, and a state away from zero, so that every term of its Jacobian counts."""
    cell = materialized(rj.cells.create(name, 3, 4, key=jax.random.key(1)))
    keys = iter(jax.random.split(jax.random.key(2), 20))

    def noise(leaf):
        return leaf + 0.5 * jax.random.normal(next(keys), leaf.shape)

    return jax.tree.map(noise, cell), jax.tree.map(noise, cell.initial_state())


@pytest.mark.costly
@pytest.mark.parametrize("name", sorted(set(rj.cells.CELLS) - DIAGONAL - KRONECKER))
def test_a_factor_multiplies_as_the_dense_jacobian_does(name):
    cell, state = disturbed(name)
    x = jnp.array([0.3, -0.5, 1.0])
    dense = rj.step_jacobians(cell, state, x[None])[0]  # by jacrev of the whole step
    left = jax.random.normal(jax.random.key(3), (5, dense.shape[0]))
    made = factor(cell, prepared(cell, state, x))
    np.testing.assert_allclose(made.after(left), left @ dense, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(made.before(left.T), dense @ left.T, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", sorted(rj.cells.CELLS))
def test_the_cells_whose_gates_act_unit_by_unit_take_the_cheap_form(name):
    cell, state = disturbed(name)
    assert structure_of(cell) == EXPECTED.get(name, "elementwise")
    made = factor(cell, prepared(cell, state, jnp.ones(3)))
    assert isinstance(made, DenseFactor) == (name in DENSE)


@pytest.mark.costly
def test_a_cell_without_input_has_a_cheap_form_too():
    cell = rj.cells.create("lstm", 0, 4, key=jax.random.key(1))
    state = jax.tree.map(lambda leaf: leaf + 0.4, cell.initial_state())
    dense = rj.step_jacobians(cell, state, None, length=1)[0]
    made = factor(cell, prepared(cell, state, None))
    np.testing.assert_allclose(made.after(jnp.eye(8)), dense, rtol=1e-12, atol=1e-14)


@pytest.mark.costly
@pytest.mark.parametrize("name", ["lstm", "gru", "elman_tanh"])
def test_a_chain_is_the_same_with_and_without_the_cheap_form(name):
    cell, state = disturbed(name)
    xs = jax.random.normal(jax.random.key(4), (70, 3))
    # A plain function declares no structure, so its Jacobians are dense.
    plain = rj.jacobian_chain(lambda h, x: cell(h, x), state, xs, norms=("spectral",), output=cell.output)
    cheap = rj.jacobian_chain(cell, state, xs, norms=("spectral",), output=cell.output)
    for norm in ("log_frobenius_norm", "log_spectral_norm", "log_output_norm"):
        np.testing.assert_allclose(getattr(cheap, norm), getattr(plain, norm), rtol=1e-10, atol=1e-10)


def test_relu_at_its_kink_has_the_same_derivative_in_both_forms():
    cell = replace(
        rj.cells.create("elman_relu", 0, 3, key=jax.random.key(1)), bias=jnp.array([1.0, 0.0, -1.0])
    )
    state = jnp.zeros(3)  # the pre-activations are 1, 0 and -1
    dense = rj.step_jacobians(cell, state, None, length=1)[0]
    made = factor(cell, prepared(cell, state, None))
    np.testing.assert_array_equal(made.after(jnp.eye(3)), dense)
    np.testing.assert_array_equal(dense[1:], np.zeros((2, 3)))


def test_a_structure_that_does_not_exist_is_refused():
    class Cell:
        structure = "sparse"

        def __call__(self, h, x):
            return 0.5 * h

    with pytest.raises(ValueError, match="elementwise, diagonal, kronecker, dense, got 'sparse'"):
        rj.jacobian_chain(Cell(), jnp.ones(2), None, length=3)


def test_a_leaf_that_the_update_does_not_read_has_no_derivative():
    lstm, state = disturbed("lstm")
    by_h, by_c = prepared(lstm, state, jnp.ones(3)).by_leaf
    assert by_h is None
    assert by_c.shape == (2, 4)


@pytest.mark.parametrize(
    ("name", "mixes"), [("slstm", True), ("lru", True), ("lstm", False), ("mingru", False)]
)
def test_rows_are_formed_once_a_step_where_several_leaves_mix(name, mixes):
    """Else the work of k steps is 2^k times that of one: XLA forms a fused value anew for each of its readers."""
    cell, state = disturbed(name)
    made = factor(cell, prepared(cell, state, jnp.ones(3)))
    rows = jnp.ones((2 * 4, 2)) if name == "lru" else jnp.ones((4, 1 if name == "mingru" else 4 * len(state)))
    assert ("optimization_barrier" in str(jax.make_jaxpr(made.after)(rows))) == mixes
