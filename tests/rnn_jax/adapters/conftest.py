"""What every framework's adapter is held against: that framework's own cell, called in a Python loop."""

import doctest
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import rnn_jax as rj

LENGTH, LAGS = 9, (0, 1, 9)


@pytest.fixture
def inputs():
    """9 inputs of 3 numbers in a dtype."""
    return lambda dtype: jax.random.normal(jax.random.key(2), (LENGTH, 3), dtype)


@pytest.fixture
def states_agree():
    """Checks the trajectory of a step against the states of `call(state, x)`, one call after the other."""

    def check(step, call, state, xs, tolerance):
        expected = [state]
        for x in xs:
            expected.append(call(expected[-1], x))
        expected = jax.tree.map(lambda *each: np.stack(each), *expected)
        got = rj.trajectory(step, state, xs)
        assert jax.tree.structure(got) == jax.tree.structure(expected)
        for ours, theirs in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
        assert all(np.std(leaf[1:]) > 1e-3 for leaf in jax.tree.leaves(got))  # not a comparison of zeros

    return check


@pytest.fixture
def jacobians_agree():
    """Checks the chain through a step against jacrev of the unrolled `call(state, x)`."""

    def check(step, call, state, xs):
        states = [state]
        for x in xs:
            states.append(call(states[-1], x))
        _, unravel = ravel_pytree(state)

        def unrolled(vector, lag):
            after = unravel(vector)
            for x in xs[LENGTH - lag :]:
                after = call(after, x)
            return ravel_pytree(after)[0]

        chain = rj.jacobian_chain(step, state, xs, lags=LAGS)
        for place, lag in enumerate(LAGS):
            start = ravel_pytree(states[LENGTH - lag])[0]
            jacobian = jax.jit(jax.jacrev(unrolled), static_argnums=1)(start, lag)
            expected = np.log(np.linalg.norm(jacobian))
            np.testing.assert_allclose(chain.log_frobenius_norm[place], expected, atol=1e-9)
            product = chain.product(lag)
            np.testing.assert_allclose(product.to_array(), jacobian, atol=1e-9 * np.abs(jacobian).max())

    return check


@pytest.fixture
def programs_for_other_weights(compilations):
    """The programs compiled for a chain through `second`, once there is one through `first`."""

    def count(first, second, state, xs):
        before = rj.jacobian_chain(first, state, xs).log_frobenius_norm
        second, state = jax.tree.map(jnp.asarray, (second, state))
        with compilations() as compiled:
            after = rj.jacobian_chain(second, state, xs).log_frobenius_norm
        assert np.abs(after - before)[-1] > 1e-3  # its weights were used, not the first one's
        return len(compiled)

    return count


@pytest.fixture
def examples_hold():
    """Runs the examples in the docstring of one function."""

    def run(function):
        module = sys.modules[function.__module__]
        (found,) = doctest.DocTestFinder(recurse=False).find(function, function.__name__, module=module)
        outcome = doctest.DocTestRunner().run(found)
        assert outcome.attempted > 2
        assert outcome.failed == 0

    return run
