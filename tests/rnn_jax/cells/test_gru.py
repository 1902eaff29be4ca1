from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax.cells import GRU


@pytest.fixture(params=["after", "before"])
def cell(request):
    return cell_with_biases(request.param)


@pytest.fixture
def after():
    return cell_with_biases("after")


def cell_with_biases(reset):
    cell = GRU.create(3, 5, key=jax.random.key(1), reset=reset)
    bias, candidate = jax.random.normal(jax.random.key(11), (20,))[:15], jnp.arange(5.0) / 3
    return replace(cell, bias=bias, bias_candidate=candidate)


@pytest.fixture
def state():
    return jax.random.normal(jax.random.key(2), (5,))


@pytest.fixture
def x():
    return jax.random.normal(jax.random.key(3), (3,))


@pytest.mark.costly
def test_reset_after_equals_equinox(after, state, x):
    theirs = eqx.tree_at(
        lambda tree: (tree.weight_hh, tree.weight_ih, tree.bias, tree.bias_n),
        eqx.nn.GRUCell(3, 5, key=jax.random.key(0)),
        (after.weight_hh, after.weight_xh, after.bias, after.bias_candidate),
    )
    np.testing.assert_allclose(after(state, x), theirs(x, state), rtol=1e-12)


def test_reset_after_equals_torch(after, state, x):
    torch = pytest.importorskip("torch", reason="torch is not a dependency; a second opinion where it is")
    theirs = torch.nn.GRUCell(3, 5, dtype=torch.float64)
    with torch.no_grad():
        theirs.weight_hh.copy_(torch.tensor(np.array(after.weight_hh)))
        theirs.weight_ih.copy_(torch.tensor(np.array(after.weight_xh)))
        theirs.bias_ih.copy_(torch.tensor(np.array(after.bias)))
        theirs.bias_hh.zero_()
        theirs.bias_hh[10:].copy_(torch.tensor(np.array(after.bias_candidate)))
        expected = theirs(torch.tensor(np.array(x))[None], torch.tensor(np.array(state))[None])[0]
    np.testing.assert_allclose(after(state, x), expected.numpy(), rtol=1e-12)


def test_reset_before_is_the_first_published_equation(state, x):
    cell = cell_with_biases("before")
    u_r, u_z, u_n = np.asarray(cell.weight_hh).reshape(3, 5, 5)
    w_r, w_z, w_n = np.asarray(cell.weight_xh).reshape(3, 5, 3)
    b_r, b_z, b_n = np.asarray(cell.bias).reshape(3, 5)
    h, v, c_n = np.asarray(state), np.asarray(x), np.asarray(cell.bias_candidate)
    r = 1 / (1 + np.exp(-(w_r @ v + u_r @ h + b_r)))
    z = 1 / (1 + np.exp(-(w_z @ v + u_z @ h + b_z)))
    n = np.tanh(w_n @ v + b_n + u_n @ (r * h) + c_n)
    np.testing.assert_allclose(cell(state, x), (1 - z) * n + z * h, rtol=1e-12)
    assert np.abs(cell(state, x) - cell_with_biases("after")(state, x)).max() > 0.01


def test_without_input_only_the_bias_drives(cell, state):
    silent = replace(cell, weight_xh=jnp.zeros((15, 0)))
    np.testing.assert_allclose(silent(state, None), cell(state, jnp.zeros(3)), rtol=1e-12)


def test_the_state_starts_at_zero_and_is_the_output(cell, state):
    np.testing.assert_array_equal(cell.initial_state(), np.zeros(5))
    np.testing.assert_array_equal(cell.output(state), state)


def test_each_gate_has_an_orthogonal_matrix_of_its_own_and_no_bias():
    cell = GRU.create(3, 8, key=jax.random.key(1), gain=0.7)
    gates = np.asarray(cell.weight_hh).reshape(3, 8, 8)
    for gate in gates:
        np.testing.assert_allclose(gate.T @ gate, 0.49 * np.eye(8), atol=1e-6)
    assert all(np.abs(gates[i] - gates[j]).max() > 0.1 for i in range(3) for j in range(i))
    np.testing.assert_array_equal(cell.bias, np.zeros(24))
    np.testing.assert_array_equal(cell.bias_candidate, np.zeros(8))


def test_float32_and_float64_cells_of_one_key_are_the_same_net():
    single, double = (GRU.create(3, 8, key=jax.random.key(4), dtype=d) for d in (jnp.float32, jnp.float64))
    for name in ("weight_hh", "weight_xh", "bias", "bias_candidate"):
        assert getattr(single, name).dtype == jnp.float32
        np.testing.assert_array_equal(getattr(double, name), getattr(single, name).astype(jnp.float64))


def test_vmap_and_jit_of_a_step_equal_single_steps(cell, x):
    states = jax.random.normal(jax.random.key(5), (4, 5))
    batched = jax.jit(jax.vmap(lambda cell, state, x: cell(state, x), in_axes=(None, 0, None)))(
        cell, states, x
    )
    np.testing.assert_allclose(batched, jnp.stack([cell(state, x) for state in states]), rtol=1e-12)


def test_a_cell_is_a_pytree_that_keeps_where_the_reset_gate_acts(cell):
    assert len(jax.tree.leaves(cell)) == 4
    assert jax.tree.map(lambda leaf: 2 * leaf, cell).reset == cell.reset


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ((3, 0), {}, "hidden_size must be positive, got 0"),
        ((-1, 3), {}, "input_size must not be negative, got -1"),
        ((3, 4), {"reset": "never"}, "reset must be 'after' or 'before', got 'never'"),
        ((3, 4), {"initialization": "xavier"}, "initialization must be one of .*got 'xavier'"),
    ],
)
def test_a_wrong_argument_is_named(sizes, options, message):
    with pytest.raises(ValueError, match=message):
        GRU.create(*sizes, key=jax.random.key(0), **options)
