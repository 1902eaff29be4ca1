"""The exponents of a stack are those of its layers: its Jacobian is block triangular."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj

LENGTH, TRANSIENT = 10_000, 500


def drawn(name, layers):
    stack = rj.cells.create(name, 2, 3, key=jax.random.key(3), layers=layers, gain=1.4, dtype=jnp.float64)
    return stack, jax.random.normal(jax.random.key(4), (LENGTH, 2), jnp.float64)


def exponents(step, xs):
    spectrum = rj.lyapunov_spectrum(step, step.initial_state(), xs, transient=TRANSIENT)
    return np.asarray(spectrum.exponents)


@pytest.mark.parametrize("name", ["elman_tanh", "lstm"])
@pytest.mark.parametrize("layers", [2, 3])
def test_they_are_those_of_every_layer_driven_by_the_one_under_it(name, layers):
    stack, xs = drawn(name, layers)
    of_layers, below = [], xs
    for cell in stack.layers:
        of_layers.append(exponents(cell, below))
        states = rj.trajectory(cell, cell.initial_state(), below)
        # h_1 .. h_T, of which layers above see each in its own step.
        below = jax.vmap(cell.output)(jax.tree.map(lambda leaf: leaf[1:], states))
    found = exponents(stack, xs)
    wanted = np.sort(np.concatenate(of_layers))[::-1]
    assert found.shape == wanted.shape
    # Two of nearly the same size, of different layers, tell themselves apart in more than these steps.
    np.testing.assert_allclose(found, wanted, atol=0.02)
    # Together they are the mean of ln abs det J, which is the sum of the layers'.
    assert found.sum() == pytest.approx(wanted.sum(), rel=1e-10)
    # Layers of other exponents, so that one in place of another would be seen.
    assert np.ptp([each[0] for each in of_layers]) > 0.04
