from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax.cells import LSTM, LSTMState


@pytest.fixture
def cell():
    drawn = LSTM.create(3, 5, key=jax.random.key(1))
    return replace(drawn, bias=drawn.bias + jax.random.normal(jax.random.key(11), (20,)))


@pytest.fixture
def state():
    return LSTMState(*jax.random.normal(jax.random.key(2), (2, 5)))


@pytest.fixture
def x():
    return jax.random.normal(jax.random.key(3), (3,))


@pytest.mark.costly
def test_a_step_equals_equinox(cell, state, x):
    theirs = eqx.tree_at(
        lambda tree: (tree.weight_hh, tree.weight_ih, tree.bias),
        eqx.nn.LSTMCell(3, 5, key=jax.random.key(0)),
        (cell.weight_hh, cell.weight_xh, cell.bias),  # both in the order i, f, g, o
    )
    h, c = theirs(x, tuple(state))
    ours = cell(state, x)
    np.testing.assert_allclose(ours.h, h, rtol=1e-12)
    np.testing.assert_allclose(ours.c, c, rtol=1e-12)


def test_a_step_equals_torch(cell, state, x):
    torch = pytest.importorskip("torch", reason="torch is not a dependency; a second opinion where it is")
    theirs = torch.nn.LSTMCell(3, 5, dtype=torch.float64)
    with torch.no_grad():
        theirs.weight_hh.copy_(torch.tensor(np.array(cell.weight_hh)))
        theirs.weight_ih.copy_(torch.tensor(np.array(cell.weight_xh)))
        theirs.bias_hh.zero_()
        theirs.bias_ih.copy_(torch.tensor(np.array(cell.bias)))
        before = tuple(torch.tensor(np.array(each))[None] for each in state)
        h, c = theirs(torch.tensor(np.array(x))[None], before)
    ours = cell(state, x)
    np.testing.assert_allclose(ours.h, h[0].numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours.c, c[0].numpy(), rtol=1e-12)


def test_without_input_only_the_bias_drives(cell, state):
    silent = replace(cell, weight_xh=jnp.zeros((20, 0)))
    expected = cell(state, jnp.zeros(3))
    np.testing.assert_allclose(silent(state, None).h, expected.h, rtol=1e-12)


def test_the_state_starts_at_zero_and_the_output_is_h(cell, state):
    start = cell.initial_state()
    np.testing.assert_array_equal(jnp.stack(start), np.zeros((2, 5)))
    np.testing.assert_array_equal(cell.output(state), state.h)


def test_the_forget_bias_is_one_and_the_other_biases_zero():
    bias = LSTM.create(3, 4, key=jax.random.key(1)).bias
    np.testing.assert_array_equal(bias.reshape(4, 4), np.outer([0, 1, 0, 0], np.ones(4)))
    bias = LSTM.create(3, 4, key=jax.random.key(1), forget_bias=-2.5).bias
    np.testing.assert_array_equal(bias[4:8], np.full(4, -2.5))


def test_each_gate_has_an_orthogonal_matrix_of_its_own():
    gates = np.asarray(LSTM.create(3, 8, key=jax.random.key(1), gain=0.7).weight_hh).reshape(4, 8, 8)
    for gate in gates:
        np.testing.assert_allclose(gate.T @ gate, 0.49 * np.eye(8), atol=1e-6)
    assert all(np.abs(gates[i] - gates[j]).max() > 0.1 for i in range(4) for j in range(i))


def test_float32_and_float64_cells_of_one_key_are_the_same_net():
    single, double = (
        LSTM.create(3, 8, key=jax.random.key(4), forget_bias=0.1, dtype=dtype)
        for dtype in (jnp.float32, jnp.float64)
    )
    assert {leaf.dtype for leaf in jax.tree.leaves(single)} == {jnp.dtype(jnp.float32)}
    for name in ("weight_hh", "weight_xh"):
        np.testing.assert_array_equal(getattr(double, name), getattr(single, name).astype(jnp.float64))
    np.testing.assert_allclose(double.bias, single.bias, rtol=1e-7)


def test_vmap_and_jit_of_a_step_equal_single_steps(cell, x):
    states = LSTMState(*jax.random.normal(jax.random.key(5), (2, 4, 5)))
    batched = jax.jit(jax.vmap(lambda cell, state, x: cell(state, x), in_axes=(None, 0, None)))(
        cell, states, x
    )
    for index in range(4):
        single = cell(LSTMState(states.h[index], states.c[index]), x)
        np.testing.assert_allclose(batched.h[index], single.h, rtol=1e-12)
        np.testing.assert_allclose(batched.c[index], single.c, rtol=1e-12)


def test_a_cell_is_a_pytree_of_its_three_arrays(cell):
    assert len(jax.tree.leaves(cell)) == 3
    np.testing.assert_array_equal(jax.tree.map(lambda leaf: 2 * leaf, cell).bias, 2 * cell.bias)


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ((3, 0), {}, "hidden_size must be positive, got 0"),
        ((-1, 3), {}, "input_size must not be negative, got -1"),
        ((3, 4), {"initialization": "xavier"}, "initialization must be one of .*got 'xavier'"),
    ],
)
def test_a_wrong_argument_is_named(sizes, options, message):
    with pytest.raises(ValueError, match=message):
        LSTM.create(*sizes, key=jax.random.key(0), **options)
