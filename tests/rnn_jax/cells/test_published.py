"""Cells that are not linear in their state, against their published equations in NumPy, and against known limits."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.cells import LEMState, SLSTMState

from .by_hand import XS, drawn, last_of, sigmoid


@pytest.mark.costly
def test_antisymmetric():
    cell = drawn("antisymmetric", step_size=0.1, diffusion=0.2)
    W, V, b = (np.asarray(each) for each in (cell.weight, cell.weight_xh, cell.bias))
    h = np.array([0.3, -1.0, 0.5])
    expected = h
    for x in XS:
        moved = [
            sum((W[i, j] - W[j, i]) * expected[j] for j in range(3)) - 0.2 * expected[i] for i in range(3)
        ]
        expected = expected + 0.1 * np.tanh(np.array(moved) + V @ x + b)
    np.testing.assert_allclose(last_of(cell, jnp.asarray(h), XS), expected, rtol=1e-12)


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


def test_cornn():
    """In the variables of the paper, with matrices of their own for y and z."""
    cell = drawn("cornn", dt=0.1, frequency=1.5, damping=0.7)
    W_y, W_z = np.split(np.asarray(cell.weight_hh), 2, axis=1)
    y, z = np.array([0.1, -0.4, 0.9]), np.array([-0.2, 0.3, 0.6])
    state = rj.cells.CoRNNState(jnp.asarray(y), jnp.asarray(z))
    for x in XS:
        z = z + 0.1 * (
            np.tanh(W_y @ y + W_z @ z + np.asarray(cell.weight_xh) @ x + np.asarray(cell.bias))
            - 1.5 * y
            - 0.7 * z
        )
        y = y + 0.1 * z
    last = last_of(cell, state, XS)
    np.testing.assert_allclose(last.y, y, rtol=1e-12)
    np.testing.assert_allclose(last.z, z, rtol=1e-12)


def test_an_uncoupled_undamped_cornn_is_a_harmonic_oscillator():
    """The step is then symplectic: its Jacobian has determinant 1, and its rate is dt sqrt(frequency) to dt^3."""
    cell = jax.tree.map(jnp.zeros_like, drawn("cornn", dt=0.01, frequency=4.0, damping=0.0))
    J = np.asarray(rj.step_jacobians(cell, cell.initial_state(), None, length=1)[0])
    np.testing.assert_allclose(np.linalg.det(J), 1, rtol=1e-12)
    np.testing.assert_allclose(np.abs(np.angle(np.linalg.eigvals(J))), 0.02, rtol=1e-4)


def test_lem():
    cell = drawn("lem", dt=0.4)
    W_a, W_b, W_z = np.split(np.asarray(cell.weight_hh), 3)
    V_a, V_b, V_z, V_y = np.split(np.asarray(cell.weight_xh), 4)
    b_a, b_b, b_z, b_y = np.split(np.asarray(cell.bias), 4)
    y, z = np.array([0.1, -0.4, 0.9]), np.array([-0.2, 0.3, 0.6])
    state = LEMState(jnp.asarray(y), jnp.asarray(z))
    for x in XS:
        a = 0.4 * sigmoid(W_a @ y + V_a @ x + b_a)
        b = 0.4 * sigmoid(W_b @ y + V_b @ x + b_b)
        z = (1 - a) * z + a * np.tanh(W_z @ y + V_z @ x + b_z)
        y = (1 - b) * y + b * np.tanh(np.asarray(cell.weight_zy) @ z + V_y @ x + b_y)
    last = last_of(cell, state, XS)
    np.testing.assert_allclose(last.y, y, rtol=1e-12)
    np.testing.assert_allclose(last.z, z, rtol=1e-12)


def test_slstm_is_the_exponential_lstm_that_it_stabilizes():
    """Without m: i = exp(i), f = s(f), c' = f c + i tanh(z), n' = f n + i, h' = s(o) c' / n'."""
    cell = drawn("slstm")
    R, V, b = (np.split(np.asarray(each), 4) for each in (cell.weight_hh, cell.weight_xh, cell.bias))
    h = c = n = np.zeros(3)
    for x in XS:
        i, f, z, o = (R[k] @ h + V[k] @ x + b[k] for k in range(4))
        c, n = sigmoid(f) * c + np.exp(i) * np.tanh(z), sigmoid(f) * n + np.exp(i)
        h = sigmoid(o) * c / n
    last = last_of(cell, cell.initial_state(), XS)
    np.testing.assert_allclose(last.h, h, rtol=1e-11)
    np.testing.assert_allclose(last.c * np.exp(last.m), c, rtol=1e-11)
    np.testing.assert_allclose(last.n * np.exp(last.m), n, rtol=1e-11)


def test_slstm_does_not_overflow_where_its_input_gate_would():
    cell = drawn("slstm")
    loud = replace(cell, bias=cell.bias.at[:3].set(2000.0))
    state = last_of(loud, loud.initial_state(), np.zeros((3, 2)))
    assert np.isfinite(np.stack(state)).all()


@pytest.mark.parametrize("bias", [-30.0, -50.0, -200.0])
def test_an_empty_slstm_takes_its_first_input_however_little_it_wants_it(bias):
    """What i has in common at all steps cancels; in float32 exp(i) is 0 under -87, its square under -44."""
    usual = rj.cells.SLSTM.create(2, 3, key=jax.random.key(1), dtype=jnp.float32)
    shy = replace(usual, bias=usual.bias.at[:3].set(bias))
    xs = jnp.asarray(XS, jnp.float32)
    assert np.isfinite(rj.step_jacobians(shy, shy.initial_state(), xs)).all()
    chains = [rj.jacobian_chain(each, each.initial_state(), xs, output=each.output) for each in (usual, shy)]
    expected, found = (each.log_output_norm[:-1] for each in chains)  # the states that were reached
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    _, _, z, o = shy.drive(xs[0])
    np.testing.assert_allclose(shy(shy.initial_state(), xs[0]).h, sigmoid(o) * np.tanh(z), rtol=1e-5)


def test_the_stabilizer_changes_no_output():
    cell = drawn("slstm")
    state = SLSTMState(*jnp.abs(jax.random.normal(jax.random.key(4), (4, 3))))
    moved = state._replace(m=state.m + 0.7, c=state.c * jnp.exp(-0.7), n=state.n * jnp.exp(-0.7))
    x = jnp.array([0.4, -0.2])
    np.testing.assert_allclose(cell(state, x).h, cell(moved, x).h, rtol=1e-12)


@pytest.mark.costly
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


def test_fastgrnn():
    cell = drawn("fastgrnn")
    U, W = np.asarray(cell.weight_hh), np.asarray(cell.weight_xh)
    b_z, b_h = np.split(np.asarray(cell.bias), 2)
    expected = h = np.array([0.3, -1.0, 0.5])
    for x in XS:
        shared = W @ x + U @ expected
        z = sigmoid(shared + b_z)
        candidate = np.tanh(shared + b_h)
        scale = sigmoid(float(cell.zeta)) * (1 - z) + sigmoid(float(cell.nu))
        expected = scale * candidate + z * expected
    np.testing.assert_allclose(last_of(cell, jnp.asarray(h), XS), expected, rtol=1e-12)


def test_fastgrnn_begins_as_in_the_code_of_its_authors():
    cell = rj.cells.create("fastgrnn", 200, 200, key=jax.random.key(0))
    np.testing.assert_allclose([np.std(cell.weight_hh), np.std(cell.weight_xh)], 0.1, rtol=0.02)
    np.testing.assert_array_equal(cell.bias, 1)
    assert (float(cell.zeta), float(cell.nu)) == (1.0, -4.0)


def test_unicornn():
    cell = drawn("unicornn", dt=0.3, alpha=1.5)
    w, V, b, c = (np.asarray(each) for each in (cell.weight_hh, cell.weight_xh, cell.bias, cell.pace))
    y, z = np.array([0.1, -0.4, 0.9]), np.array([-0.2, 0.3, 0.6])
    state = rj.cells.CoRNNState(jnp.asarray(y), jnp.asarray(z))
    for x in XS:
        z = z - 0.3 * sigmoid(c) * (np.tanh(w * y + V @ x + b) + 1.5 * y)
        y = y + 0.3 * sigmoid(c) * z
    last = last_of(cell, state, XS)
    np.testing.assert_allclose(last.y, y, rtol=1e-12)
    np.testing.assert_allclose(last.z, z, rtol=1e-12)


def test_a_unicornn_keeps_the_area_of_every_unit():
    """Rusch & Mishra 2021, section 2: the step is symplectic, so that no chain of it shrinks or grows areas."""
    cell = drawn("unicornn")
    state = rj.cells.CoRNNState(jnp.array([0.1, -0.4, 0.9]), jnp.array([-0.2, 0.3, 0.6]))
    product = np.eye(6)
    for jacobian in np.asarray(rj.step_jacobians(cell, state, jnp.asarray(XS))):
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


def test_echo_state():
    cell = rj.cells.create("echo_state", 2, 40, key=jax.random.key(1), gain=0.8, leak=0.25)
    W, V = np.asarray(cell.cell.weight_hh), np.asarray(cell.cell.weight_xh)
    assert (np.count_nonzero(W, axis=1) == 15).all()
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(W)).max(), 0.8, rtol=1e-4)
    h = np.linspace(-1, 1, 40)
    expected = h
    for x in XS:
        expected = 0.75 * expected + 0.25 * np.tanh(W @ expected + V @ x)
    np.testing.assert_allclose(last_of(cell, jnp.asarray(h), XS), expected, rtol=1e-10)


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
        ("echo_state", {"leak": 0.0}, "leak must be above 0 and at most 1, got 0.0"),
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


def test_a_stack_of_one_is_its_cell_and_a_stack_of_two_runs_them_in_turn():
    below, above = drawn("lstm"), rj.cells.create("gru", 3, 4, key=jax.random.key(9))
    shown = rj.trajectory(below, below.initial_state(), jnp.asarray(XS)).h[1:]
    expected = rj.trajectory(above, above.initial_state(), shown)[-1]
    stack = rj.cells.Stack.create([below, above])
    np.testing.assert_allclose(stack.output(last_of(stack, stack.initial_state(), XS)), expected, rtol=1e-12)
    alone = rj.cells.Stack.create([below])
    np.testing.assert_allclose(last_of(alone, alone.initial_state(), XS)[0].h, shown[-1], rtol=1e-12)
