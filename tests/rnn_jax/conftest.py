"""Independent truths that several tests of rnn_jax hold code against."""

from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import monitoring
from jax.flatten_util import ravel_pytree

import rnn_jax as rj


@pytest.fixture
def gru():
    return rj.cells.create("gru", 3, 4, key=jax.random.key(1))


@pytest.fixture
def xs():
    """50 inputs of a cell that takes 3 numbers."""
    return jax.random.normal(jax.random.key(2), (50, 3))


def _ravelled(tree):
    return ravel_pytree(tree)[0]


def _unravelled(vector, like):
    return ravel_pytree(like)[1](vector)


@pytest.fixture
def end_jacobians():
    """dh_T/dh_t for t = 0..T by one reverse pass through the whole net, shape (T + 1, n, n).

    A perturbation is added to every state; the derivative is taken with respect to all of them.
    """

    def jacobians(step, state, xs, length, to_vector=_ravelled, from_vector=_unravelled):
        def disturbed(h, perturbation):
            return from_vector(to_vector(h) + perturbation, h)

        def last(perturbations):
            def advance(h, at):
                x, perturbation = at
                return disturbed(step(h, x), perturbation), None

            start = disturbed(state, perturbations[0])
            return to_vector(jax.lax.scan(advance, start, (xs, perturbations[1:]), length=length)[0])

        size = to_vector(state).size
        by_output = jax.jit(jax.jacrev(last))(jnp.zeros((length + 1, size)))
        return np.moveaxis(np.asarray(by_output), 1, 0)

    return jacobians


@pytest.fixture
def compilations():
    """A context that lists the programs compiled inside it."""

    @contextmanager
    def listing():
        compiled = []

        def listen(event, duration, **_):
            if event.endswith("backend_compile_duration"):
                compiled.append(event)

        monitoring.register_event_duration_secs_listener(listen)
        try:
            yield compiled
        finally:
            monitoring.unregister_event_duration_listener(listen)

    return listing
