"""What tests of published equations need: a cell with every weight off its initial value, and where it ends."""

import jax
import jax.numpy as jnp
import numpy as np

import rnn_jax as rj

STEPS = 5
XS = np.asarray(jax.random.normal(jax.random.key(3), (STEPS, 2)))
"""Inputs of two numbers, shape (STEPS, 2)."""


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def drawn(name, **options):
    """A cell of 2 inputs and 3 units."""
    cell = rj.cells.create(name, 2, 3, key=jax.random.key(1), **options)
    keys = iter(jax.random.split(jax.random.key(2), 20))
    return jax.tree.map(lambda leaf: leaf + 0.3 * jax.random.normal(next(keys), leaf.shape), cell)


def last_of(cell, state, xs):
    """The state after all inputs."""
    states = rj.trajectory(cell, state, jnp.asarray(xs))
    return jax.tree.map(lambda leaf: leaf[-1], states)
