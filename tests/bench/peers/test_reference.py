"""NumPy's truths against closed forms."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from bench.peers import reference


def random_net(size, gain=1.5):
    cell = rj.cells.Elman.create(1, size, key=jax.random.key(1), gain=gain, dtype=jnp.float64)
    return cell, np.asarray(cell.weight_hh)


def test_chain_norms_of_a_net_at_rest_are_powers_of_its_weights():
    cell, weight = random_net(4, gain=0.3)
    logs = reference.chain_log_norms(cell, np.zeros((300, 1)))
    assert logs[0] == pytest.approx(math.log(2.0))
    for lag in (1, 2, 7):
        assert logs[lag] == pytest.approx(math.log(np.linalg.norm(np.linalg.matrix_power(weight, lag))))
    radius = np.max(np.abs(np.linalg.eigvals(weight)))
    assert (logs[300] - logs[200]) / 100 == pytest.approx(math.log(radius), rel=0.05), "no underflow"


def test_chain_norms_are_those_of_jacrev():
    cell, _ = random_net(3)
    xs = jax.random.normal(jax.random.key(2), (9, 1), jnp.float64)
    states = rj.trajectory(cell, cell.initial_state(), xs)
    logs = reference.chain_log_norms(cell, np.asarray(xs))
    for lag in (1, 4, 9):
        matrix = jax.jacrev(lambda h, lag=lag: rj.trajectory(cell, h, xs[9 - lag :])[-1])(states[9 - lag])
        assert logs[lag] == pytest.approx(float(jnp.log(jnp.linalg.norm(matrix))), abs=1e-12)


def test_exponents_at_rest_are_logs_of_the_eigenvalues():
    _, weight = random_net(5)
    exponents = reference.lyapunov_exponents(weight, np.zeros((4000, 5)), transient=1000)
    moduli = np.sort(np.log(np.abs(np.linalg.eigvals(weight))))[::-1]
    np.testing.assert_allclose(exponents, moduli, atol=2e-3)


def test_the_residual_is_zero_for_all_exponents_and_not_for_others():
    cell, weight = random_net(5, gain=3.0)
    first = jax.random.normal(jax.random.key(3), (5,), jnp.float64)
    states = np.asarray(rj.trajectory(cell, first, None, length=120))[1:]
    exponents = reference.lyapunov_exponents(weight, states, transient=20)
    assert reference.logdet_residual(exponents, weight, states[20:]) < 1e-13
    assert reference.logdet_residual(exponents + 0.1, weight, states[20:]) == pytest.approx(0.1)
