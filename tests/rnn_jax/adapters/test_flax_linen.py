import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.step import is_pytree_of_arrays

nn = pytest.importorskip("flax.linen", reason="flax is not installed")

CELLS = {
    "simple": nn.SimpleCell,
    "gru": nn.GRUCell,
    "mgu": nn.MGUCell,
    "lstm": nn.LSTMCell,
    "optimized_lstm": nn.OptimizedLSTMCell,
}
EVERY = pytest.mark.parametrize("name", CELLS)


def drawn(name, dtype, seed=0, **options):
    cell = CELLS[name](4, param_dtype=dtype, **options)
    carry = cell.initialize_carry(jax.random.key(0), (3,))
    return cell, cell.init(jax.random.key(seed), carry, jnp.ones(3, dtype))


def own_call(cell, variables):
    return lambda carry, x: cell.apply(variables, carry, x)[0]


class Pair(nn.Module):
    """A cell of a user's own, whose state is a pair."""

    @nn.compact
    def __call__(self, carry, x):
        h, total = carry
        return (jnp.tanh(nn.Dense(3, param_dtype=jnp.float64)(h) + x), total + h), h


@EVERY
def test_states_are_those_of_flax_in_a_loop(name, inputs, states_agree):
    cell, variables = drawn(name, jnp.float32)
    step = rj.adapters.from_flax_linen(cell, variables)
    assert is_pytree_of_arrays(step)
    states_agree(step, own_call(cell, variables), step.initial_state(), inputs(jnp.float32), 1e-6)


@pytest.mark.costly
@EVERY
def test_the_chain_is_jacrev_of_the_unrolled_cell(name, inputs, jacobians_agree):
    cell, variables = drawn(name, jnp.float64)
    step = rj.adapters.from_flax_linen(cell, variables)
    jacobians_agree(step, own_call(cell, variables), step.initial_state(), inputs(jnp.float64))


@pytest.mark.costly
@EVERY
def test_other_weights_use_the_compiled_program(name, inputs, programs_for_other_weights):
    first, second = (rj.adapters.from_flax_linen(*drawn(name, jnp.float64, seed)) for seed in (0, 1))
    assert programs_for_other_weights(first, second, first.initial_state(), inputs(jnp.float64)) == 0


@EVERY
def test_the_state_is_the_cells_own_first_carry_and_the_output_its_y(name, inputs):
    cell, variables = drawn(name, jnp.float32, carry_init=nn.initializers.ones)
    step, x = rj.adapters.from_flax_linen(cell, variables), inputs(jnp.float32)[0]
    state = step.initial_state()
    jax.tree.map(np.testing.assert_array_equal, state, cell.initialize_carry(jax.random.key(0), (3,)))
    carry, y = cell.apply(variables, state, x)
    np.testing.assert_array_equal(step.output(carry), y)


def test_params_alone_are_enough(inputs):
    cell, variables = drawn("gru", jnp.float32)
    whole, alone = (rj.adapters.from_flax_linen(cell, each) for each in (variables, variables["params"]))
    assert jax.tree.structure(whole) == jax.tree.structure(alone)
    x = inputs(jnp.float32)[0]
    np.testing.assert_array_equal(whole(whole.initial_state(), x), alone(alone.initial_state(), x))


def test_a_module_of_unknown_state_says_what_to_pass():
    state = (jnp.ones(3), jnp.zeros(3))
    step = rj.adapters.from_flax_linen(Pair(), Pair().init(jax.random.key(0), state, jnp.ones(3)))
    assert rj.trajectory(step, state, jnp.ones((5, 3)))[0].shape == (6, 3)
    with pytest.raises(ValueError, match=r"initial state of a Pair is not known here; pass the state h_0"):
        step.initial_state()
    with pytest.raises(ValueError, match=r"visible part of the state of a Pair .* as output="):
        step.output(state)


def test_a_wrong_argument_is_named():
    cell, variables = drawn("gru", jnp.float32)
    with pytest.raises(TypeError, match=r"cell must be a flax.linen.Module .* got dict; .*from_flax_nnx"):
        rj.adapters.from_flax_linen(variables, cell)
    with pytest.raises(TypeError, match=r"cell must be one step, got nn\.RNN.*rnn\.cell, and"):
        rj.adapters.from_flax_linen(nn.RNN(cell), variables)
    with pytest.raises(TypeError, match=r"cell must be one step, got nn\.Bidirectional"):
        rj.adapters.from_flax_linen(nn.Bidirectional(nn.RNN(cell), nn.RNN(cell)), variables)
    with pytest.raises(TypeError, match=r"variables must be the mapping that cell.init gave, got ArrayImpl"):
        rj.adapters.from_flax_linen(cell, jnp.ones(3))
    with pytest.raises(ValueError, match=r"variables must hold arrays, got \{\}; pass cell.init"):
        rj.adapters.from_flax_linen(cell, {})


def test_a_cell_that_cannot_be_hashed_is_named():
    cell = nn.GRUCell(4, gate_fn=Unhashable())
    with pytest.raises(TypeError, match=r"cell must be hashable, .* but GRUCell holds a field that is not"):
        rj.adapters.from_flax_linen(cell, {"params": {"kernel": jnp.ones(3)}})


class Unhashable:
    __hash__ = None

    def __call__(self, z):
        return z


def test_the_example_holds(examples_hold):
    examples_hold(rj.adapters.from_flax_linen)


def test_an_input_of_another_size_is_told():
    cell, variables = drawn("gru", jnp.float64)
    step = rj.adapters.from_flax_linen(cell, variables)
    with pytest.raises(
        ValueError, match=r"state of shape \(4,\) with an input of shape \(5,\).* \(5, 4\).* \(3, 4\)"
    ):
        rj.jacobian_chain(step, jnp.zeros(4), jnp.ones((6, 5)))


def test_an_error_of_the_cells_own_says_at_which_shapes():
    class Dropping(nn.Module):
        @nn.compact
        def __call__(self, carry, x):
            return nn.Dropout(0.5, deterministic=False)(carry) + x, x

    step = rj.adapters.from_flax_linen(Dropping(), {"params": {"unused": jnp.ones(1)}})
    with pytest.raises(Exception, match="needs PRNG") as raised:
        rj.jacobian_chain(step, jnp.zeros(2), jnp.ones((6, 2)))
    assert any("state of shape (2,) and an input of shape (2,)" in note for note in raised.value.__notes__)
