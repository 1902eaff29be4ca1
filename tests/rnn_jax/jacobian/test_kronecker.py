"""A matrix memory whose rows all go through one factor, against the same step treated as any other."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj

LENGTH = 70


class Remembered(NamedTuple):
    memory: jax.Array
    query: jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Associations:
    """M' = 0.9 M R (I - k k^T) + v k^T, R a shift of columns, of any shape, and whether the last query is a part of the state."""

    keys: jax.Array
    values: jax.Array

    structure = "kronecker"

    def __call__(self, state, x):
        key, value = jnp.tanh(self.keys @ x), self.values @ x
        turned = jnp.roll(state.memory, 1, axis=1)  # so that the factor is not symmetric
        kept = 0.9 * (turned - jnp.outer(turned @ key, key))
        return Remembered(kept + jnp.outer(value, key), jnp.sin(key) if state.query.size else state.query)

    def output(self, state):
        return state.memory @ (state.query if state.query.size else jnp.ones(state.memory.shape[1]))


def associations(value_size, key_size, with_query):
    keys = jax.random.split(jax.random.key(1), 3)
    step = Associations(
        jax.random.normal(keys[0], (key_size, 3)) * 0.4, jax.random.normal(keys[1], (value_size, 3))
    )
    state = Remembered(
        jax.random.normal(keys[2], (value_size, key_size)), jnp.ones(key_size if with_query else 0)
    )
    return step, state


@pytest.mark.costly
@pytest.mark.parametrize(
    ("value_size", "key_size", "with_query", "method"),
    [(2, 5, True, "sequential"), (5, 2, False, "blocked"), (1, 3, False, "sequential")],
)
def test_its_chain_is_that_of_the_dense_jacobians(value_size, key_size, with_query, method):
    step, state = associations(value_size, key_size, with_query)
    xs = jax.random.normal(jax.random.key(4), (LENGTH, 3))
    norms = ("frobenius", "spectral")
    # A plain function declares no structure, so its Jacobians are dense.
    plain = rj.jacobian_chain(lambda h, x: step(h, x), state, xs, norms=norms, output=step.output)
    cheap = rj.jacobian_chain(step, state, xs, norms=norms, output=step.output, method=method)
    for norm in ("log_frobenius_norm", "log_spectral_norm", "log_output_norm"):
        np.testing.assert_allclose(getattr(cheap, norm), getattr(plain, norm), rtol=1e-10, atol=1e-10)
    for lag in (0, 1, 20):
        np.testing.assert_allclose(
            cheap.product(lag).to_array(), plain.product(lag).to_array(), rtol=1e-10, atol=1e-14
        )


@pytest.mark.costly
def test_pairs_and_exponents_are_those_of_the_dense_jacobians():
    step, state = associations(2, 5, True)
    xs = jax.random.normal(jax.random.key(4), (LENGTH, 3))
    cheap = rj.jacobian_pairs(step, state, xs, [0, 1, 9, LENGTH])
    plain = rj.jacobian_pairs(lambda h, x: step(h, x), state, xs, [0, 1, 9, LENGTH])
    np.testing.assert_allclose(cheap.log_frobenius_norm, plain.log_frobenius_norm, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(cheap.log_spectral_norm, plain.log_spectral_norm, rtol=1e-10, atol=1e-10)
    count = state.memory.size
    ours = rj.lyapunov_spectrum(step, state, xs, count=count, batches=2)
    theirs = rj.lyapunov_spectrum(lambda h, x: step(h, x), state, xs, count=count, batches=2)
    np.testing.assert_allclose(ours.exponents, theirs.exponents, rtol=1e-8, atol=1e-8)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Flat:
    """Says that it has a matrix, and has a vector."""

    rate: jax.Array
    structure = "kronecker"

    def __call__(self, state, x):
        return self.rate * state


def test_a_memory_that_is_no_matrix_is_refused():
    message = r'structure "kronecker" needs a state whose first leaf is a real matrix, got \(6,\) float64'
    with pytest.raises(ValueError, match=message):
        rj.jacobian_chain(Flat(jnp.array(0.9)), jnp.ones(6), None, length=4)
