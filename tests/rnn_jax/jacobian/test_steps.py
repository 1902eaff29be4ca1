import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj

T = 6


@pytest.fixture
def xs():
    return jax.random.normal(jax.random.key(2), (T, 3))


def flat_step(cell, state, x):
    """One step between plain NumPy vectors, for finite differences."""
    leaves, structure = jax.tree.flatten(state)
    sizes = np.cumsum([leaf.size for leaf in leaves])[:-1]

    def step(vector):
        parts = [jnp.asarray(part) for part in np.split(vector, sizes)]
        return np.concatenate(
            [np.asarray(leaf) for leaf in jax.tree.leaves(cell(structure.unflatten(parts), x))]
        )

    return step, np.concatenate([np.asarray(leaf) for leaf in leaves])


@pytest.mark.costly
@pytest.mark.parametrize("name", ["lstm", "gru", "gru_reset_before", "elman_tanh"])
def test_step_jacobians_equal_finite_differences_row_output_column_input(name, xs):
    cell = rj.cells.create(name, 3, 4, key=jax.random.key(1), gain=1.3)
    states = rj.trajectory(cell, cell.initial_state(), xs)
    jacobians = rj.step_jacobians(cell, cell.initial_state(), xs)
    t = 4
    step, vector = flat_step(cell, jax.tree.map(lambda leaf: leaf[t - 1], states), xs[t - 1])
    shift = 1e-6
    columns = [
        (step(vector + shift * e) - step(vector - shift * e)) / (2 * shift) for e in np.eye(vector.size)
    ]
    np.testing.assert_allclose(jacobians[t - 1], np.stack(columns, axis=1), atol=1e-8)


@pytest.mark.parametrize("name", ["lstm", "gru_reset_before"])
def test_their_product_is_the_jacobian_of_the_whole_unrolled_net(name, xs, end_jacobians):
    cell = rj.cells.create(name, 3, 4, key=jax.random.key(1))
    jacobians = np.asarray(rj.step_jacobians(cell, cell.initial_state(), xs))
    product = np.linalg.multi_dot(jacobians[::-1])
    np.testing.assert_allclose(
        product, end_jacobians(cell, cell.initial_state(), xs, T)[0], rtol=1e-10, atol=1e-13
    )


def test_the_jacobian_of_a_linear_net_is_its_weight_and_not_the_transpose():
    weight = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    jacobians = rj.step_jacobians(lambda h, _: weight @ h, jnp.ones(2), None, length=3)
    np.testing.assert_array_equal(jacobians, np.broadcast_to(weight, (3, 2, 2)))


def test_the_jacobian_of_an_lstm_covers_h_and_then_c(xs):
    cell = rj.cells.create("lstm", 3, 4, key=jax.random.key(1))
    jacobians = rj.step_jacobians(cell, cell.initial_state(), xs)
    assert jacobians.shape == (T, 8, 8)
    # dc'/dc is the diagonal of forget gates, written here from the equations.
    h = rj.trajectory(cell, cell.initial_state(), xs).h[2]
    z = np.asarray(cell.weight_hh @ h + cell.weight_xh @ xs[2] + cell.bias)
    np.testing.assert_allclose(jacobians[2][4:, 4:], np.diag(1 / (1 + np.exp(-z[4:8]))), atol=1e-15)


def test_step_jacobians_at_states_along_the_sequence_use_the_state_before():
    jacobians = rj.step_jacobians(lambda h, x: x * h**2, jnp.array([1.0]), jnp.array([3.0, 2.0]))
    np.testing.assert_array_equal(jacobians.ravel(), [6.0, 12.0])  # h = 1, 3


def test_a_complex_state_has_real_parts_before_imaginary_parts():
    factors = jnp.array([1j, 2.0 + 3j])
    jacobian = rj.step_jacobians(lambda z, _: factors * z, jnp.array([1.0 + 0j, 2.0j]), None, length=1)[0]
    re, im = np.diag(factors.real), np.diag(factors.imag)
    np.testing.assert_array_equal(jacobian, np.block([[re, -im], [im, re]]))


def test_no_steps_give_no_jacobians():
    assert rj.step_jacobians(lambda h, x: h, jnp.ones(2), jnp.zeros((0, 1))).shape == (0, 2, 2)


def test_a_wrong_step_is_named():
    with pytest.raises(ValueError, match="must keep the shape of the state"):
        rj.step_jacobians(lambda h, x: h[:1], jnp.ones(2), jnp.zeros((3, 1)))
