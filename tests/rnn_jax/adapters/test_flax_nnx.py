import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.step import is_pytree_of_arrays

nnx = pytest.importorskip("flax.nnx", reason="flax is not installed")

CELLS = {
    "simple": nnx.SimpleCell,
    "gru": nnx.GRUCell,
    "lstm": nnx.LSTMCell,
    "optimized_lstm": nnx.OptimizedLSTMCell,
}
EVERY = pytest.mark.parametrize("name", CELLS)


def drawn(name, dtype, seed=0, **options):
    return CELLS[name](3, 4, dtype=dtype, param_dtype=dtype, rngs=nnx.Rngs(seed), **options)


def own_call(cell):
    return lambda carry, x: cell(carry, x)[0]


class Summing(nnx.Module):
    """A cell of a user's own, whose state is a pair."""

    def __init__(self):
        self.weight = nnx.Param(jnp.eye(3))

    def __call__(self, carry, x):
        h, total = carry
        return (jnp.tanh(self.weight[...] @ h + x), total + h), h


@EVERY
def test_states_are_those_of_flax_in_a_loop(name, inputs, states_agree):
    cell, xs = drawn(name, jnp.float32), inputs(jnp.float32)
    step = rj.adapters.from_flax_nnx(cell)
    assert is_pytree_of_arrays(step)
    states_agree(step, own_call(cell), step.initial_state(), xs, 1e-6)


@pytest.mark.costly
@EVERY
def test_the_chain_is_jacrev_of_the_unrolled_cell(name, inputs, jacobians_agree):
    cell, xs = drawn(name, jnp.float64), inputs(jnp.float64)
    step = rj.adapters.from_flax_nnx(cell)
    jacobians_agree(step, own_call(cell), step.initial_state(), xs)


@pytest.mark.costly
@EVERY
def test_other_weights_use_the_compiled_program(name, inputs, programs_for_other_weights):
    first, second = (rj.adapters.from_flax_nnx(drawn(name, jnp.float64, seed)) for seed in (0, 1))
    assert programs_for_other_weights(first, second, first.initial_state(), inputs(jnp.float64)) == 0


@pytest.mark.filterwarnings("ignore:carry_init is provided in __init__:UserWarning")
@EVERY
def test_the_state_is_the_cells_own_first_carry_and_the_output_its_y(name, inputs):
    cell = drawn(name, jnp.float32, carry_init=nnx.initializers.ones)
    step, x = rj.adapters.from_flax_nnx(cell), inputs(jnp.float32)[0]
    state = step.initial_state()
    jax.tree.map(np.testing.assert_array_equal, state, cell.initialize_carry((3,), nnx.Rngs(0)))
    carry, y = cell(state, x)
    np.testing.assert_array_equal(step.output(carry), y)


def test_later_changes_of_the_cell_do_not_reach_the_step(inputs):
    cell, x = drawn("gru", jnp.float32), inputs(jnp.float32)[0]
    step = rj.adapters.from_flax_nnx(cell)
    before = step(step.initial_state(), x)
    cell.dense_i.kernel[...] = jnp.zeros((3, 12), jnp.float32)
    np.testing.assert_array_equal(step(step.initial_state(), x), before)


class Counting(nnx.Module):
    """Counts its calls, which a step must not."""

    def __init__(self):
        self.calls = nnx.Variable(jnp.zeros(()))

    def __call__(self, carry, x):
        self.calls[...] = self.calls[...] + 1.0
        return carry + self.calls[...], carry


def test_a_cell_that_changes_itself_begins_each_step_as_it_was_given():
    cell = Counting()
    step = rj.adapters.from_flax_nnx(cell)
    assert [float(step(jnp.zeros(()), None)) for _ in range(3)] == [1.0, 1.0, 1.0]
    np.testing.assert_array_equal(rj.trajectory(step, jnp.zeros(()), None, length=3), [0.0, 1.0, 2.0, 3.0])
    assert float(cell.calls[...]) == 0


@pytest.mark.filterwarnings("ignore:keep_rngs")
def test_a_cell_that_keeps_its_random_keys_has_its_weights_as_leaves_alone(inputs, states_agree):
    cell = drawn("lstm", jnp.float32, keep_rngs=True)
    step = rj.adapters.from_flax_nnx(cell)
    assert {leaf.dtype for leaf in jax.tree.leaves(step)} == {jnp.dtype(jnp.float32)}
    states_agree(step, own_call(cell), step.initial_state(), inputs(jnp.float32), 1e-6)


def test_a_module_of_unknown_state_says_what_to_pass():
    step = rj.adapters.from_flax_nnx(Summing())
    state = (jnp.ones(3), jnp.zeros(3))
    assert rj.trajectory(step, state, jnp.ones((5, 3)))[0].shape == (6, 3)
    with pytest.raises(ValueError, match=r"initial state of a Summing is not known here; pass the state h_0"):
        step.initial_state()
    with pytest.raises(ValueError, match=r"visible part of the state of a Summing .* as output="):
        step.output(state)


def test_a_cell_of_linen_is_sent_to_its_own_adapter():
    linen = pytest.importorskip("flax.linen")
    with pytest.raises(TypeError, match=r"cell must be an nnx.Module .* got GRUCell; .* from_flax_linen"):
        rj.adapters.from_flax_nnx(linen.GRUCell(4))


def test_the_example_holds(examples_hold):
    examples_hold(rj.adapters.from_flax_nnx)


class Dropping(nnx.Module):
    """A cell with dropout."""

    def __init__(self, rngs):
        self.linear = nnx.Linear(6, 3, param_dtype=jnp.float64, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, carry, x):
        carry = jnp.tanh(self.linear(jnp.concatenate([carry, x])))
        return self.dropout(carry), carry


def test_a_cell_that_draws_random_numbers_is_refused_and_may_leave_that():
    cell, xs = Dropping(nnx.Rngs(0)), jnp.ones((4, 3))
    step = rj.adapters.from_flax_nnx(cell)
    with pytest.raises(ValueError, match=r"Dropping draws random .* call cell\.eval\(\) before .*RngStream"):
        rj.jacobian_chain(step, jnp.zeros(3), xs)
    cell.eval()
    step = rj.adapters.from_flax_nnx(cell)
    chain = rj.jacobian_chain(step, jnp.zeros(3), xs)
    assert np.isfinite(chain.log_frobenius_norm).all()


def test_a_whole_sequence_is_no_step():
    rnn = nnx.RNN(nnx.GRUCell(3, 4, rngs=nnx.Rngs(0)))
    with pytest.raises(
        TypeError, match=r"cell must be one step, got nnx\.RNN.*; pass the cell in it, rnn\.cell"
    ):
        rj.adapters.from_flax_nnx(rnn)
    assert rj.adapters.from_flax_nnx(rnn.cell).initial_state().shape == (4,)


def test_an_attribute_that_is_not_there_is_told_as_it_is():
    class Mistyped(nnx.Module):
        def __call__(self, carry, x):
            return self.gateRng(carry) + x, carry

    with pytest.raises(ValueError, match="object has no attribute 'gateRng'"):
        rj.jacobian_chain(rj.adapters.from_flax_nnx(Mistyped()), jnp.zeros(3), jnp.ones((4, 3)))


def test_an_input_of_another_size_is_told_of_a_module_of_the_users_own():
    """And not that its initial state is not known, which was given."""
    cell = Dropping(nnx.Rngs(0))
    cell.eval()
    step = rj.adapters.from_flax_nnx(cell)
    with pytest.raises(ValueError, match=r"state of shape \(3,\) with an input of shape \(4,\).* got \(7,\)"):
        rj.jacobian_chain(step, jnp.zeros(3), jnp.ones((4, 4)))
