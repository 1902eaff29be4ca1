"""Cells against their published equations, written out by hand in NumPy, and against limits that are known."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import rnn_jax as rj
from rnn_jax.cells import ComplexState, LEMState, SLSTMState

STEPS = 5


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.fixture
def xs():
    return np.asarray(jax.random.normal(jax.random.key(3), (STEPS, 2)))


def drawn(name, **options):
    cell = rj.cells.create(name, 2, 3, key=jax.random.key(1), **options)
    keys = iter(jax.random.split(jax.random.key(2), 20))
    return jax.tree.map(lambda leaf: leaf + 0.3 * jax.random.normal(next(keys), leaf.shape), cell)


def last_of(cell, state, xs):
    states = rj.trajectory(cell, state, jnp.asarray(xs))
    return jax.tree.map(lambda leaf: leaf[-1], states)


def test_antisymmetric(xs):
    cell = drawn("antisymmetric", step_size=0.1, diffusion=0.2)
    W, V, b = (np.asarray(each) for each in (cell.weight, cell.weight_xh, cell.bias))
    h = np.array([0.3, -1.0, 0.5])
    expected = h
    for x in xs:
        moved = [
            sum((W[i, j] - W[j, i]) * expected[j] for j in range(3)) - 0.2 * expected[i] for i in range(3)
        ]
        expected = expected + 0.1 * np.tanh(np.array(moved) + V @ x + b)
    np.testing.assert_allclose(last_of(cell, jnp.asarray(h), xs), expected, rtol=1e-12)


def test_the_antisymmetric_flow_keeps_its_energy_without_diffusion():
    """d|h|^2/dt = 2 h . tanh(A h) is not zero, but tangents of the linear flow turn: det of a step is near 1."""
    cell = drawn("antisymmetric", step_size=1e-3, diffusion=0.0)
    eigenvalues = np.linalg.eigvals(np.asarray(cell.weight_hh))
    np.testing.assert_allclose(eigenvalues.real, 0, atol=1e-12)
    still = replace(cell, bias=jnp.zeros(3))
    J = rj.step_jacobians(still, jnp.zeros(3), None, length=1)[0]
    np.testing.assert_allclose(
        np.abs(np.linalg.eigvals(J)), np.sqrt(1 + (1e-3 * eigenvalues.imag) ** 2), rtol=1e-9
    )


def test_cornn(xs):
    """In the variables of the paper, with matrices of their own for y and z."""
    cell = drawn("cornn", dt=0.1, frequency=1.5, damping=0.7)
    W_y, W_z = np.split(np.asarray(cell.weight_hh), 2, axis=1)
    y, z = np.array([0.1, -0.4, 0.9]), np.array([-0.2, 0.3, 0.6])
    state = rj.cells.CoRNNState(jnp.asarray(y), jnp.asarray(z))
    for x in xs:
        z = z + 0.1 * (
            np.tanh(W_y @ y + W_z @ z + np.asarray(cell.weight_xh) @ x + np.asarray(cell.bias))
            - 1.5 * y
            - 0.7 * z
        )
        y = y + 0.1 * z
    last = last_of(cell, state, xs)
    np.testing.assert_allclose(last.y, y, rtol=1e-12)
    np.testing.assert_allclose(last.z, z, rtol=1e-12)


def test_an_uncoupled_undamped_cornn_is_a_harmonic_oscillator():
    """The step is then symplectic: its Jacobian has determinant 1, and its rate is dt sqrt(frequency) to dt^3."""
    cell = jax.tree.map(jnp.zeros_like, drawn("cornn", dt=0.01, frequency=4.0, damping=0.0))
    J = np.asarray(rj.step_jacobians(cell, cell.initial_state(), None, length=1)[0])
    np.testing.assert_allclose(np.linalg.det(J), 1, rtol=1e-12)
    np.testing.assert_allclose(np.abs(np.angle(np.linalg.eigvals(J))), 0.02, rtol=1e-4)


def test_lem(xs):
    cell = drawn("lem", dt=0.4)
    W_a, W_b, W_z = np.split(np.asarray(cell.weight_hh), 3)
    V_a, V_b, V_z, V_y = np.split(np.asarray(cell.weight_xh), 4)
    b_a, b_b, b_z, b_y = np.split(np.asarray(cell.bias), 4)
    y, z = np.array([0.1, -0.4, 0.9]), np.array([-0.2, 0.3, 0.6])
    state = LEMState(jnp.asarray(y), jnp.asarray(z))
    for x in xs:
        a = 0.4 * sigmoid(W_a @ y + V_a @ x + b_a)
        b = 0.4 * sigmoid(W_b @ y + V_b @ x + b_b)
        z = (1 - a) * z + a * np.tanh(W_z @ y + V_z @ x + b_z)
        y = (1 - b) * y + b * np.tanh(np.asarray(cell.weight_zy) @ z + V_y @ x + b_y)
    last = last_of(cell, state, xs)
    np.testing.assert_allclose(last.y, y, rtol=1e-12)
    np.testing.assert_allclose(last.z, z, rtol=1e-12)


def test_mingru_and_minlstm(xs):
    h = np.array([0.3, -1.0, 0.5])
    cell = drawn("mingru")
    gate, value = np.split(np.asarray(cell.weight_xh), 2), np.split(np.asarray(cell.bias), 2)
    expected = h
    for x in xs:
        z = sigmoid(gate[0] @ x + value[0])
        expected = (1 - z) * expected + z * (gate[1] @ x + value[1])
    np.testing.assert_allclose(last_of(cell, jnp.asarray(h), xs), expected, rtol=1e-12)
    cell = drawn("minlstm", forget_bias=1.5)
    weights, biases = np.split(np.asarray(cell.weight_xh), 3), np.split(np.asarray(cell.bias), 3)
    expected = h
    for x in xs:
        f, i = (sigmoid(weights[k] @ x + biases[k]) for k in (0, 1))
        expected = f / (f + i) * expected + i / (f + i) * (weights[2] @ x + biases[2])
    np.testing.assert_allclose(last_of(cell, jnp.asarray(h), xs), expected, rtol=1e-12)


def test_a_minlstm_whose_gates_are_both_shut_still_shares_between_them():
    cell = replace(
        drawn("minlstm"),
        weight_xh=jnp.zeros((9, 2)),
        bias=jnp.array([-2000.0] * 3 + [-2001.0] * 3 + [5.0] * 3),
    )
    after = cell(jnp.ones(3), jnp.zeros(2))
    np.testing.assert_allclose(after, sigmoid(1.0) + 5 * sigmoid(-1.0), rtol=1e-9)


def test_lru(xs):
    """In complex numbers, by powers of the eigenvalues: no recurrence at all."""
    cell = drawn("lru")
    modulus, phase = np.exp(-np.exp(np.asarray(cell.nu))), np.exp(np.asarray(cell.theta))
    eigenvalues = modulus * np.exp(1j * phase)
    B = np.asarray(cell.input_real) + 1j * np.asarray(cell.input_imaginary)
    C = np.asarray(cell.output_real) + 1j * np.asarray(cell.output_imaginary)
    h = np.array([0.3 + 1j, -1.0, 0.5j])
    driven = [np.exp(np.asarray(cell.log_input_scale)) * (B @ x) for x in xs]
    expected = eigenvalues**STEPS * h + sum(
        eigenvalues ** (STEPS - 1 - t) * each for t, each in enumerate(driven)
    )
    last = last_of(cell, ComplexState(jnp.asarray(h.real), jnp.asarray(h.imag)), xs)
    np.testing.assert_allclose(np.asarray(last.real) + 1j * np.asarray(last.imaginary), expected, rtol=1e-11)
    np.testing.assert_allclose(cell.output(last), (C @ expected).real, rtol=1e-11)


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


def test_slstm_is_the_exponential_lstm_that_it_stabilizes(xs):
    """Without m: i = exp(i), f = s(f), c' = f c + i tanh(z), n' = f n + i, h' = s(o) c' / n'."""
    cell = drawn("slstm")
    R, V, b = (np.split(np.asarray(each), 4) for each in (cell.weight_hh, cell.weight_xh, cell.bias))
    h = c = n = np.zeros(3)
    for x in xs:
        i, f, z, o = (R[k] @ h + V[k] @ x + b[k] for k in range(4))
        c, n = sigmoid(f) * c + np.exp(i) * np.tanh(z), sigmoid(f) * n + np.exp(i)
        h = sigmoid(o) * c / n
    last = last_of(cell, cell.initial_state(), xs)
    np.testing.assert_allclose(last.h, h, rtol=1e-11)
    np.testing.assert_allclose(last.c * np.exp(last.m), c, rtol=1e-11)
    np.testing.assert_allclose(last.n * np.exp(last.m), n, rtol=1e-11)


def test_slstm_does_not_overflow_where_its_input_gate_would():
    cell = drawn("slstm")
    loud = replace(cell, bias=cell.bias.at[:3].set(2000.0))
    state = last_of(loud, loud.initial_state(), np.zeros((3, 2)))
    assert np.isfinite(np.stack(state)).all()


def test_the_stabilizer_changes_no_output():
    cell = drawn("slstm")
    state = SLSTMState(*jnp.abs(jax.random.normal(jax.random.key(4), (4, 3))))
    moved = state._replace(m=state.m + 0.7, c=state.c * jnp.exp(-0.7), n=state.n * jnp.exp(-0.7))
    x = jnp.array([0.4, -0.2])
    np.testing.assert_allclose(cell(state, x).h, cell(moved, x).h, rtol=1e-12)


def test_deltanet(xs):
    cell = drawn("deltanet")
    W, b = np.split(np.asarray(cell.weight_xh), 3), np.split(np.asarray(cell.bias), 3)
    S = np.asarray(jax.random.normal(jax.random.key(4), (3, 3)))
    state = rj.cells.DeltaNetState(jnp.asarray(S), jnp.zeros(3))
    for x in xs:
        q, k = (W[i] @ x + b[i] for i in (0, 1))
        q, k = (each * sigmoid(each) / np.linalg.norm(each * sigmoid(each)) for each in (q, k))
        beta = sigmoid(np.asarray(cell.weight_beta) @ x + float(cell.bias_beta))
        S = S @ (np.eye(3) - beta * np.outer(k, k)) + beta * np.outer(W[2] @ x + b[2], k)
    last = last_of(cell, state, xs)
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


def test_mgu_is_a_gru_whose_reset_and_update_gates_are_one():
    """With r = f and 1 - z = f, so that the weights of z are those of f turned round."""
    cell = drawn("mgu")
    gru = drawn("gru_reset_before")
    U, W, b = (np.split(np.asarray(each), 2) for each in (cell.weight_hh, cell.weight_xh, cell.bias))
    as_gru = replace(
        gru,
        weight_hh=jnp.concatenate([U[0], -U[0], U[1]]),
        weight_xh=jnp.concatenate([W[0], -W[0], W[1]]),
        bias=jnp.concatenate([b[0], -b[0], b[1]]),
        bias_candidate=jnp.zeros(3),
    )
    h, x = jnp.array([0.3, -1.0, 0.5]), jnp.array([0.7, -0.4])
    np.testing.assert_allclose(cell(h, x), as_gru(h, x), rtol=1e-12)


def test_fastgrnn(xs):
    cell = drawn("fastgrnn")
    U, W = np.asarray(cell.weight_hh), np.asarray(cell.weight_xh)
    b_z, b_h = np.split(np.asarray(cell.bias), 2)
    expected = h = np.array([0.3, -1.0, 0.5])
    for x in xs:
        shared = W @ x + U @ expected
        z = sigmoid(shared + b_z)
        candidate = np.tanh(shared + b_h)
        scale = sigmoid(float(cell.zeta)) * (1 - z) + sigmoid(float(cell.nu))
        expected = scale * candidate + z * expected
    np.testing.assert_allclose(last_of(cell, jnp.asarray(h), xs), expected, rtol=1e-12)


def test_fastgrnn_begins_as_in_the_code_of_its_authors():
    cell = rj.cells.create("fastgrnn", 200, 200, key=jax.random.key(0))
    np.testing.assert_allclose([np.std(cell.weight_hh), np.std(cell.weight_xh)], 0.1, rtol=0.02)
    np.testing.assert_array_equal(cell.bias, 1)
    assert (float(cell.zeta), float(cell.nu)) == (1.0, -4.0)


def test_unicornn(xs):
    cell = drawn("unicornn", dt=0.3, alpha=1.5)
    w, V, b, c = (np.asarray(each) for each in (cell.weight_hh, cell.weight_xh, cell.bias, cell.pace))
    y, z = np.array([0.1, -0.4, 0.9]), np.array([-0.2, 0.3, 0.6])
    state = rj.cells.CoRNNState(jnp.asarray(y), jnp.asarray(z))
    for x in xs:
        z = z - 0.3 * sigmoid(c) * (np.tanh(w * y + V @ x + b) + 1.5 * y)
        y = y + 0.3 * sigmoid(c) * z
    last = last_of(cell, state, xs)
    np.testing.assert_allclose(last.y, y, rtol=1e-12)
    np.testing.assert_allclose(last.z, z, rtol=1e-12)


def test_a_unicornn_keeps_the_area_of_every_unit(xs):
    """Rusch & Mishra 2021, section 2: the step is symplectic, so that no chain of it shrinks or grows areas."""
    cell = drawn("unicornn")
    state = rj.cells.CoRNNState(jnp.array([0.1, -0.4, 0.9]), jnp.array([-0.2, 0.3, 0.6]))
    product = np.eye(6)
    for jacobian in np.asarray(rj.step_jacobians(cell, state, jnp.asarray(xs))):
        product = jacobian @ product
    for unit in range(3):
        np.testing.assert_allclose(np.linalg.det(product[unit::3, unit::3]), 1, rtol=1e-10)


def test_unicornn_begins_as_in_the_code_of_its_authors():
    cell = rj.cells.create("unicornn", 4, 2000, key=jax.random.key(0))
    assert (cell.dt, cell.alpha) == (0.19, 30.65)
    np.testing.assert_array_equal(cell.bias, 0)
    bound = np.sqrt(6 / ((1 + 8**2) * 4))
    for leaf, least, most in (
        (cell.weight_hh, 0, 1),
        (cell.pace, -0.1, 0.1),
        (cell.weight_xh, -bound, bound),
    ):
        np.testing.assert_allclose(
            np.quantile(leaf, [0, 0.5, 1]), [least, (least + most) / 2, most], atol=0.03 * most
        )


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


def test_selective_ssm(xs):
    """As a loop over channels and their numbers, each the exact solution over one step of h' = -r h + B u."""
    cell = drawn("selective_ssm", state_size=4)
    r, W, b = (np.asarray(each) for each in (np.exp(cell.log_rate), cell.weight_xh, cell.bias))
    h = np.array(jax.random.normal(jax.random.key(4), (3, 4)))
    state = rj.cells.SelectiveSSMState(jnp.asarray(h).ravel(), jnp.zeros(12))
    for x in xs:
        u, step, B, C = np.split(W @ x + b, [3, 6, 10])
        for channel in range(3):
            d = np.log1p(np.exp(step[channel]))
            for n in range(4):
                rest = B[n] * u[channel] / r[channel, n]
                h[channel, n] = rest + (h[channel, n] - rest) * np.exp(-d * r[channel, n])
    last = last_of(cell, state, xs)
    np.testing.assert_allclose(last.h.reshape(3, 4), h, rtol=1e-10)
    np.testing.assert_allclose(cell.output(last), h @ C, rtol=1e-10)


def test_a_selective_ssm_of_one_number_a_channel_is_a_mingru(xs):
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
    last = last_of(cell, rj.cells.SelectiveSSMState(h, jnp.zeros(3)), xs)
    np.testing.assert_allclose(cell.output(last), last_of(mingru, h, xs), rtol=1e-12)


def test_gated_deltanet(xs):
    cell = drawn("gated_deltanet")
    W, b = np.split(np.asarray(cell.weight_xh), 3), np.split(np.asarray(cell.bias), 3)
    S = np.asarray(jax.random.normal(jax.random.key(4), (3, 3)))
    state = rj.cells.DeltaNetState(jnp.asarray(S), jnp.zeros(3))
    for x in xs:
        k = W[1] @ x + b[1]
        k = k * sigmoid(k) / np.linalg.norm(k * sigmoid(k))
        beta = sigmoid(np.asarray(cell.weight_beta) @ x + float(cell.bias_beta))
        pace = np.asarray(cell.weight_decay) @ x + float(cell.bias_decay)
        a = np.exp(-np.exp(float(cell.log_rate)) * np.log1p(np.exp(pace)))
        S = a * S @ (np.eye(3) - beta * np.outer(k, k)) + beta * np.outer(W[2] @ x + b[2], k)
    np.testing.assert_allclose(last_of(cell, state, xs).memory, S, rtol=1e-10)


def test_a_gated_deltanet_that_forgets_nothing_is_a_deltanet(xs):
    gated = replace(drawn("gated_deltanet"), log_rate=jnp.full((), -jnp.inf))
    plain = rj.cells.DeltaNet(gated.weight_xh, gated.weight_beta, gated.bias, gated.bias_beta)
    ours, theirs = (last_of(cell, cell.initial_state(), xs) for cell in (gated, plain))
    np.testing.assert_allclose(ours.memory, theirs.memory, rtol=1e-12)


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


def test_echo_state(xs):
    cell = rj.cells.create("echo_state", 2, 40, key=jax.random.key(1), gain=0.8, leak=0.25)
    W, V = np.asarray(cell.cell.weight_hh), np.asarray(cell.cell.weight_xh)
    assert (np.count_nonzero(W, axis=1) == 15).all()
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(W)).max(), 0.8, rtol=1e-4)
    h = np.linspace(-1, 1, 40)
    expected = h
    for x in xs:
        expected = 0.75 * expected + 0.25 * np.tanh(W @ expected + V @ x)
    np.testing.assert_allclose(last_of(cell, jnp.asarray(h), xs), expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("name", "source", "least", "most"),
    [
        ("orthogonal", "Saxe et al. 2014: an orthogonal product of slopes up to 1 never grows", -1.0, 0.0),
        ("exprnn", "Lezcano-Casado & Martinez-Rubio 2019: orthogonal, slopes 0 or 1", -1.0, 1e-9),
        ("lru", "Orvieto et al. 2023, section 3.2: |l| < 1, here up to r_max = 1", -0.05, 0.0),
        ("cornn", "Rusch & Mishra 2021, proposition 3.2: gradients stay bounded", -0.2, 0.01),
        ("s5", "Smith et al. 2023, section 3: |l| = exp(-d / 2), the shortest step near 0.001", -0.002, 0.0),
    ],
)
def test_largest_exponents_at_initialization_lie_where_the_papers_say(name, source, least, most):
    assert source
    cell = rj.cells.create(name, 1, 32, key=jax.random.key(3), dtype=jnp.float64)
    noise = 0.1 * jax.random.normal(jax.random.key(4), (1500, 1))
    spectrum = rj.lyapunov_spectrum(cell, cell.initial_state(), noise, count=1)
    assert least <= spectrum.exponents[0] <= most


def test_the_exponents_of_an_lru_are_the_logs_of_its_moduli():
    cell = rj.cells.create("lru", 1, 6, key=jax.random.key(3), gain=0.95, least_modulus=0.5)
    spectrum = rj.lyapunov_spectrum(cell, cell.initial_state(), None, length=400)
    expected = np.repeat(np.sort(-np.exp(np.asarray(cell.nu)))[::-1], 2)
    # Each pair turns into place within the transient, whose trace fades as 1 / T; their sum has none.
    np.testing.assert_allclose(spectrum.exponents, expected, atol=1e-3)
    np.testing.assert_allclose(np.mean(spectrum.exponents), np.mean(expected), rtol=1e-10)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mingru", {"gain": 2.0}, "MinGRU has no recurrent matrix: .*got 'none' and 2.0; leave them out"),
        ("lem", {"dt": 1.5}, "dt must be above 0 and at most 1, got 1.5"),
        (
            "lem",
            {"initialization": "orthogonal"},
            "initialization of LEM must be 'uniform', got 'orthogonal'",
        ),
        ("cornn", {"damping": -1.0}, "damping must be at least 0, got -1.0"),
        ("lru", {"least_modulus": 1.0}, "least_modulus must be at least 0 and below 1.0, got 1.0"),
        ("lru", {"initialization": "gaussian"}, "initialization of an LRU must be 'ring', got 'gaussian'"),
        ("antisymmetric", {"initialization": "identity"}, "W - W\\^T would be zero"),
        ("s5", {"gain": 0.5}, "initialization of S5 must be 'hippo' and gain 1, got 'hippo' and 0.5"),
        ("s5", {"largest_step": 1e-4}, "largest_step must be at least 0.001, got 0.0001"),
        ("selective_ssm", {"state_size": 0}, "state_size must be a whole number of at least 1, got 0"),
        ("unicornn", {"alpha": -1.0}, "alpha must be at least 0, got -1.0"),
        ("gated_deltanet", {"gain": 2.0}, "GatedDeltaNet has no recurrent matrix"),
        ("mgu", {"gain": float("nan")}, "gain must be a finite number, got nan"),
        ("fastgrnn", {"gain": float("inf")}, "gain must be a finite number, got inf"),
        ("unicornn", {"gain": float("nan")}, "gain must be a finite number, got nan"),
        ("indrnn", {"gain": float("nan")}, "gain must be a finite number, got nan"),
        ("cornn", {"dt": float("nan")}, "dt must be a finite number, got nan"),
        ("mgu", {"initialization": "ring"}, "initialization must be one of gaussian, .*got 'ring'"),
        ("echo_state", {"leak": 0.0}, "leak must lie in \\(0, 1\\], got 0.0"),
    ],
)
def test_a_wrong_argument_is_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        rj.cells.create(name, 2, 3, key=jax.random.key(0), **options)


def test_layers_that_do_not_fit_are_refused():
    lstm, gru = (
        rj.cells.create(name, 2, size, key=jax.random.key(0)) for name, size in (("lstm", 4), ("gru", 2))
    )
    with pytest.raises(
        ValueError, match=r"layers\[1\] must take the output of the layer under it, shape \(4,\)"
    ):
        rj.cells.Stack.create([lstm, gru])
    with pytest.raises(ValueError, match="at least one cell, got none"):
        rj.cells.Stack.create([])
    with pytest.raises(ValueError, match=r"layers\[0\] must be a cell .* got function"):
        rj.cells.Stack.create([lambda h, x: h])
    wider = rj.cells.create("lstm", 2, 4, key=jax.random.key(0))
    with pytest.raises(
        ValueError, match=r"skip adds outputs of layers\[0\] and layers\[1\].*same hidden_size"
    ):
        rj.cells.Stack.create([gru, wider], skip=True)


def test_a_stack_of_one_is_its_cell_and_a_stack_of_two_runs_them_in_turn(xs):
    below, above = drawn("lstm"), rj.cells.create("gru", 3, 4, key=jax.random.key(9))
    shown = rj.trajectory(below, below.initial_state(), jnp.asarray(xs)).h[1:]
    expected = rj.trajectory(above, above.initial_state(), shown)[-1]
    stack = rj.cells.Stack.create([below, above])
    np.testing.assert_allclose(stack.output(last_of(stack, stack.initial_state(), xs)), expected, rtol=1e-12)
    alone = rj.cells.Stack.create([below])
    np.testing.assert_allclose(last_of(alone, alone.initial_state(), xs)[0].h, shown[-1], rtol=1e-12)
