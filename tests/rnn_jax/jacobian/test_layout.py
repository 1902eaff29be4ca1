from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Oscillators:
    """Units with a position and a speed each: a diagonal cell with a state of two leaves."""

    frequency: jax.Array

    structure = "diagonal"

    def drive(self, x):
        return x

    def update(self, drive, state):
        speed = state["speed"] - 0.3 * self.frequency * jnp.sin(state["position"]) + drive
        return {"position": state["position"] + 0.3 * speed, "speed": 0.9 * speed}

    def __call__(self, state, x):
        return self.update(self.drive(x), state)


@pytest.fixture
def oscillators():
    cell = Oscillators(jnp.array([0.5, 1.0, 2.0]))
    state = {"position": jnp.array([0.1, 0.7, -0.4]), "speed": jnp.array([1.0, -0.2, 0.3])}
    return cell, state, 0.3 * jax.random.normal(jax.random.key(0), (60, 3))


@pytest.mark.costly
def test_a_diagonal_cell_has_the_chain_of_its_dense_jacobian(oscillators):
    cell, state, xs = oscillators

    def read(state):
        return jnp.stack(
            [state["position"].sum(), (state["speed"] * state["position"]).sum(), state["speed"][0]]
        )

    options = {"norms": ("spectral",), "output": read}
    diagonal = rj.jacobian_chain(cell, state, xs, **options)
    dense = rj.jacobian_chain(lambda h, x: cell(h, x), state, xs, **options)
    for name in ("log_frobenius_norm", "log_spectral_norm", "log_output_norm"):
        np.testing.assert_allclose(getattr(diagonal, name), getattr(dense, name), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(
        diagonal.product(37).to_array(), dense.product(37).to_array(), rtol=1e-10, atol=1e-13
    )


@pytest.mark.costly
def test_no_dense_matrix_of_a_diagonal_cell_is_formed():
    """100,000 units: one n x n matrix would take 40 GB."""
    cell = rj.cells.create("indrnn", 1, 100_000, key=jax.random.key(0), dtype=jnp.float32)
    xs = jnp.ones((20, 1), jnp.float32)
    chain = rj.jacobian_chain(cell, cell.initial_state(), xs, norms=("spectral",))
    active = np.asarray(rj.trajectory(cell, cell.initial_state(), xs)[1:] > 0).all(axis=0)
    expected = 20 * np.log(np.asarray(cell.weight_hh, np.float64)[active].max())
    np.testing.assert_allclose(chain.log_spectral_norm[20], expected, atol=1e-6)


def test_a_diagonal_cell_with_leaves_of_different_shape_is_refused(oscillators):
    cell, state, xs = oscillators

    class Odd(Oscillators):
        def __call__(self, state, x):
            return state

    with pytest.raises(ValueError, match="state of real vectors of one length"):
        rj.jacobian_chain(Odd(cell.frequency), {**state, "speed": jnp.ones(2)}, xs)
