"""Cells that are linear in their state, a vector or a matrix, against their published equations and known limits."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import rnn_jax as rj
from rnn_jax.cells import ComplexState

from .by_hand import STEPS, XS, drawn, last_of, sigmoid


@pytest.mark.costly
def test_mingru_and_minlstm():
    h = np.array([0.3, -1.0, 0.5])
    cell = drawn("mingru")
    gate, value = np.split(np.asarray(cell.weight_xh), 2), np.split(np.asarray(cell.bias), 2)
    expected = h
    for x in XS:
        z = sigmoid(gate[0] @ x + value[0])
        expected = (1 - z) * expected + z * (gate[1] @ x + value[1])
    np.testing.assert_allclose(last_of(cell, jnp.asarray(h), XS), expected, rtol=1e-12)
    cell = drawn("minlstm", forget_bias=1.5)
    weights, biases = np.split(np.asarray(cell.weight_xh), 3), np.split(np.asarray(cell.bias), 3)
    expected = h
    for x in XS:
        f, i = (sigmoid(weights[k] @ x + biases[k]) for k in (0, 1))
        expected = f / (f + i) * expected + i / (f + i) * (weights[2] @ x + biases[2])
    np.testing.assert_allclose(last_of(cell, jnp.asarray(h), XS), expected, rtol=1e-12)


def test_a_minlstm_whose_gates_are_both_shut_still_shares_between_them():
    cell = replace(
        drawn("minlstm"),
        weight_xh=jnp.zeros((9, 2)),
        bias=jnp.array([-2000.0] * 3 + [-2001.0] * 3 + [5.0] * 3),
    )
    after = cell(jnp.ones(3), jnp.zeros(2))
    np.testing.assert_allclose(after, sigmoid(1.0) + 5 * sigmoid(-1.0), rtol=1e-9)


@pytest.mark.costly
def test_lru():
    """In complex numbers, by powers of the eigenvalues: no recurrence at all."""
    cell = drawn("lru")
    modulus, phase = np.exp(-np.exp(np.asarray(cell.nu))), np.exp(np.asarray(cell.theta))
    eigenvalues = modulus * np.exp(1j * phase)
    B = np.asarray(cell.input_real) + 1j * np.asarray(cell.input_imaginary)
    C = np.asarray(cell.output_real) + 1j * np.asarray(cell.output_imaginary)
    h = np.array([0.3 + 1j, -1.0, 0.5j])
    driven = [np.exp(np.asarray(cell.log_input_scale)) * (B @ x) for x in XS]
    expected = eigenvalues**STEPS * h + sum(
        eigenvalues ** (STEPS - 1 - t) * each for t, each in enumerate(driven)
    )
    last = last_of(cell, ComplexState(jnp.asarray(h.real), jnp.asarray(h.imag)), XS)
    np.testing.assert_allclose(np.asarray(last.real) + 1j * np.asarray(last.imaginary), expected, rtol=1e-11)
    np.testing.assert_allclose(cell.output(last), (C @ expected).real, rtol=1e-11)


@pytest.mark.costly
def test_the_lru_begins_on_its_ring_with_a_state_of_unit_variance():
    cell = rj.cells.LRU.create(1, 4000, key=jax.random.key(0), least_modulus=0.6, gain=0.9)
    modulus = np.abs(cell.eigenvalues)
    assert modulus.min() >= 0.6 - 1e-6
    assert modulus.max() <= 0.9 + 1e-6
    # Uniform over the ring's area: the mean of |l|^2 is the middle of the squares.
    np.testing.assert_allclose(np.mean(modulus**2), (0.36 + 0.81) / 2, atol=0.005)
    np.testing.assert_allclose(np.exp(2 * np.asarray(cell.log_input_scale)), 1 - modulus**2, rtol=1e-5)
    states = rj.trajectory(cell, cell.initial_state(), jax.random.normal(jax.random.key(1), (400, 1)))
    variance = np.mean(np.square(states.real[200:]) + np.square(states.imaginary[200:]))
    np.testing.assert_allclose(variance, 1, atol=0.1)


def test_deltanet():
    cell = drawn("deltanet")
    W, b = np.split(np.asarray(cell.weight_xh), 3), np.split(np.asarray(cell.bias), 3)
    S = np.asarray(jax.random.normal(jax.random.key(4), (3, 3)))
    state = rj.cells.DeltaNetState(jnp.asarray(S), jnp.zeros(3))
    for x in XS:
        q, k = (W[i] @ x + b[i] for i in (0, 1))
        q, k = (each * sigmoid(each) / np.linalg.norm(each * sigmoid(each)) for each in (q, k))
        beta = sigmoid(np.asarray(cell.weight_beta) @ x + float(cell.bias_beta))
        S = S @ (np.eye(3) - beta * np.outer(k, k)) + beta * np.outer(W[2] @ x + b[2], k)
    last = last_of(cell, state, XS)
    np.testing.assert_allclose(last.memory, S, rtol=1e-10)
    np.testing.assert_allclose(cell.output(last), S @ q, rtol=1e-10)


def test_the_step_jacobian_of_deltanet_is_a_kronecker_product():
    """I (x) (I - beta k k^T) on the memory: its eigenvalues are 1 and 1 - beta, and 0 for the query."""
    cell = drawn("deltanet")
    J = np.asarray(rj.step_jacobians(cell, cell.initial_state(), jnp.array([[0.4, -0.2]]))[0])
    np.testing.assert_array_equal(J[9:], 0)
    small = J[:3, :3]
    np.testing.assert_allclose(J[:9, :9], np.kron(np.eye(3), small), atol=1e-14)
    beta = sigmoid(np.asarray(cell.weight_beta) @ [0.4, -0.2] + float(cell.bias_beta))
    np.testing.assert_allclose(np.linalg.eigvalsh(small), [1 - beta, 1, 1], rtol=1e-6)


def _hippo_legs(size):
    """The normal part of HiPPO-LegS as the S5 paper writes it: the matrix plus the square of its low-rank part."""
    A = np.array(
        [
            [-np.sqrt((2 * n + 1) * (2 * k + 1)) if n > k else -(n + 1) * (n == k) for k in range(size)]
            for n in range(size)
        ]
    )
    P = np.sqrt(np.arange(size) + 0.5)
    return A + np.outer(P, P)


def test_s5_is_the_dense_differential_equation_that_it_diagonalizes():
    """h' = A h + B x with A the normal part of HiPPO-LegS, the input held over each step: a matrix exponential."""
    units, step = 3, 0.2
    A = _hippo_legs(2 * units)
    random = np.random.default_rng(0)
    B, C = random.normal(size=(2 * units, 2)), random.normal(size=(units, 2 * units))
    inputs = random.normal(size=(STEPS, 2))
    moved = scipy.linalg.expm(A * step)
    held = np.linalg.solve(A, moved - np.eye(2 * units)) @ B
    h = np.zeros(2 * units)
    expected = []
    for x in inputs:
        h = moved @ h + held @ x
        expected.append(C @ h)
    cell = rj.cells.create("s5", 2, units, key=jax.random.key(0))
    rates, vectors = np.linalg.eig(A)
    drawn_rates = np.asarray(cell.rate_real) + 1j * np.asarray(cell.rate_imaginary)
    places = [np.argmin(abs(rates - rate)) for rate in drawn_rates]
    np.testing.assert_allclose(rates[places], drawn_rates, rtol=1e-9)
    by_unit, read = (np.linalg.inv(vectors) @ B)[places], (C @ vectors)[:, places]
    cell = replace(
        cell,
        log_step=jnp.full(units, np.log(step)),
        input_real=jnp.asarray(by_unit.real),
        input_imaginary=jnp.asarray(by_unit.imag),
        output_real=jnp.asarray(read.real),
        output_imaginary=jnp.asarray(read.imag),
    )
    states = rj.trajectory(cell, cell.initial_state(), jnp.asarray(inputs))
    shown = jax.vmap(cell.output)(jax.tree.map(lambda leaf: leaf[1:], states))
    np.testing.assert_allclose(shown, expected, rtol=1e-9)


def test_s5_begins_with_matrices_of_the_published_scale():
    """B real and C complex, entries of variance 1 / P for P = 2 units: their coordinates by unitary eigenvectors."""
    units = 150
    cell = rj.cells.create("s5", 40, units, key=jax.random.key(0))
    written = np.square(cell.input_real) + np.square(cell.input_imaginary)
    read = np.square(cell.output_real) + np.square(cell.output_imaginary)
    np.testing.assert_allclose(
        [np.mean(written), np.mean(read)], [1 / (2 * units), 2 / (2 * units)], rtol=0.05
    )


def test_s5_begins_with_steps_between_its_bounds_and_stable():
    cell = rj.cells.create("s5", 1, 300, key=jax.random.key(0))
    steps = np.exp(np.asarray(cell.log_step))
    assert 0.001 <= steps.min() < 0.0012
    assert 0.085 < steps.max() <= 0.1
    np.testing.assert_allclose(np.abs(cell.eigenvalues), np.exp(-steps / 2), rtol=1e-6)


def test_selective_ssm():
    """As a loop over channels and their numbers, each the exact solution over one step of h' = -r h + B u."""
    cell = drawn("selective_ssm", state_size=4)
    r, W, b = (np.asarray(each) for each in (np.exp(cell.log_rate), cell.weight_xh, cell.bias))
    h = np.array(jax.random.normal(jax.random.key(4), (3, 4)))
    state = rj.cells.SelectiveSSMState(jnp.asarray(h).ravel(), jnp.zeros(12))
    for x in XS:
        u, step, B, C = np.split(W @ x + b, [3, 6, 10])
        for channel in range(3):
            d = np.log1p(np.exp(step[channel]))
            for n in range(4):
                rest = B[n] * u[channel] / r[channel, n]
                h[channel, n] = rest + (h[channel, n] - rest) * np.exp(-d * r[channel, n])
    last = last_of(cell, state, XS)
    np.testing.assert_allclose(last.h.reshape(3, 4), h, rtol=1e-10)
    np.testing.assert_allclose(cell.output(last), h @ C, rtol=1e-10)


def test_a_selective_ssm_of_one_number_a_channel_is_a_mingru():
    """Gu & Dao 2023, theorem 1: with r = B = C = 1, its step is the gate, 1 - exp(-softplus(z)) = s(z)."""
    mingru = drawn("mingru")
    gate, value = np.split(np.asarray(mingru.weight_xh), 2)
    b_gate, b_value = np.split(np.asarray(mingru.bias), 2)
    cell = replace(
        drawn("selective_ssm", state_size=1),
        log_rate=jnp.zeros((3, 1)),
        weight_xh=jnp.concatenate([value, gate, np.zeros((2, 2))]),
        bias=jnp.concatenate([b_value, b_gate, np.ones(2)]),
    )
    h = jnp.array([0.3, -1.0, 0.5])
    last = last_of(cell, rj.cells.SelectiveSSMState(h, jnp.zeros(3)), XS)
    np.testing.assert_allclose(cell.output(last), last_of(mingru, h, XS), rtol=1e-12)


def test_gated_deltanet():
    cell = drawn("gated_deltanet")
    W, b = np.split(np.asarray(cell.weight_xh), 3), np.split(np.asarray(cell.bias), 3)
    S = np.asarray(jax.random.normal(jax.random.key(4), (3, 3)))
    state = rj.cells.DeltaNetState(jnp.asarray(S), jnp.zeros(3))
    for x in XS:
        k = W[1] @ x + b[1]
        k = k * sigmoid(k) / np.linalg.norm(k * sigmoid(k))
        beta = sigmoid(np.asarray(cell.weight_beta) @ x + float(cell.bias_beta))
        pace = np.asarray(cell.weight_decay) @ x + float(cell.bias_decay)
        a = np.exp(-np.exp(float(cell.log_rate)) * np.log1p(np.exp(pace)))
        S = a * S @ (np.eye(3) - beta * np.outer(k, k)) + beta * np.outer(W[2] @ x + b[2], k)
    np.testing.assert_allclose(last_of(cell, state, XS).memory, S, rtol=1e-10)


def test_a_gated_deltanet_that_forgets_nothing_is_a_deltanet():
    gated = replace(drawn("gated_deltanet"), log_rate=jnp.full((), -jnp.inf))
    plain = rj.cells.DeltaNet(gated.weight_xh, gated.weight_beta, gated.bias, gated.bias_beta)
    ours, theirs = (last_of(cell, cell.initial_state(), XS) for cell in (gated, plain))
    np.testing.assert_allclose(ours.memory, theirs.memory, rtol=1e-12)


@pytest.mark.costly
def test_decays_begin_where_the_code_of_their_authors_puts_them():
    keys = jax.random.split(jax.random.key(0), 4000)
    gated = jax.vmap(lambda key: rj.cells.GatedDeltaNet.create(1, 2, key=key))(keys)
    steps, rates = np.log1p(np.exp(np.asarray(gated.bias_decay))), np.exp(np.asarray(gated.log_rate))
    np.testing.assert_allclose(np.quantile(steps, [0, 0.5, 1]), [0.001, 0.01, 0.1], rtol=0.15)
    np.testing.assert_allclose(np.quantile(rates, [0, 0.5, 1]), [0, 8, 16], atol=1)
    ssm = rj.cells.create("selective_ssm", 4, 500, key=jax.random.key(0))
    np.testing.assert_allclose(np.quantile(ssm.weight_xh, [0, 0.5, 1]), [-0.5, 0, 0.5], atol=0.02)
    np.testing.assert_allclose(np.std(ssm.bias[1000:]), 1, rtol=0.3)
    ssm = rj.cells.create("selective_ssm", 1, 4000, key=jax.random.key(0))
    steps = np.log1p(np.exp(np.asarray(ssm.bias)[4000:8000]))
    np.testing.assert_allclose(np.quantile(steps, [0, 0.5, 1]), [0.001, 0.01, 0.1], rtol=0.15)
    np.testing.assert_allclose(np.exp(np.asarray(ssm.log_rate[7])), np.arange(1, 17), rtol=1e-6)


@pytest.mark.costly
def test_the_exponents_of_an_lru_are_the_logs_of_its_moduli():
    cell = rj.cells.create("lru", 1, 6, key=jax.random.key(3), gain=0.95, least_modulus=0.5)
    spectrum = rj.lyapunov_spectrum(cell, cell.initial_state(), None, length=400)
    expected = np.repeat(np.sort(-np.exp(np.asarray(cell.nu)))[::-1], 2)
    # Each pair turns into place within the transient, whose trace fades as 1 / T; their sum has none.
    np.testing.assert_allclose(spectrum.exponents, expected, atol=1e-3)
    np.testing.assert_allclose(np.mean(spectrum.exponents), np.mean(expected), rtol=1e-10)
