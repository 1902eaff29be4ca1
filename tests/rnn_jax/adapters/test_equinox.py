from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.step import is_pytree_of_arrays

eqx = pytest.importorskip("equinox")

CELLS = {"gru": eqx.nn.GRUCell, "lstm": eqx.nn.LSTMCell}
BOTH = pytest.mark.parametrize("name", CELLS)


def drawn(name, dtype, seed=0, **options):
    return CELLS[name](3, 4, dtype=dtype, key=jax.random.key(seed), **options)


class Residual(eqx.Module):
    """A cell of a user's own, with an activation and a number among its leaves."""

    weight: Any
    activation: Any = jnp.tanh
    leak: float = 0.5

    def __call__(self, x, hidden):
        after = self.activation(self.weight @ jnp.concatenate([x, hidden]))
        return (1 - self.leak) * hidden + self.leak * after


def residual(dtype, seed=0, activation=jnp.tanh):
    return Residual(jax.random.normal(jax.random.key(seed), (4, 7), dtype), activation)


@pytest.mark.costly
@BOTH
def test_states_are_those_of_equinox_in_a_loop(name, inputs, states_agree):
    cell, xs = drawn(name, jnp.float32), inputs(jnp.float32)
    step = rj.adapters.from_equinox(cell)
    states_agree(step, lambda h, x: cell(x, h), step.initial_state(), xs, 1e-6)


@pytest.mark.costly
@BOTH
def test_the_chain_is_jacrev_of_the_unrolled_cell(name, inputs, jacobians_agree):
    cell, xs = drawn(name, jnp.float64), inputs(jnp.float64)
    step = rj.adapters.from_equinox(cell)
    jacobians_agree(step, lambda h, x: cell(x, h), step.initial_state(), xs)


def test_input_and_state_of_one_size_are_not_swapped(states_agree):
    cell = eqx.nn.GRUCell(4, 4, dtype=jnp.float32, key=jax.random.key(0))
    xs = jax.random.normal(jax.random.key(1), (20, 4), jnp.float32)
    step = rj.adapters.from_equinox(cell)
    states_agree(step, lambda h, x: cell(x, h), step.initial_state(), xs, 1e-6)
    assert (
        np.abs(step(jnp.zeros(4, jnp.float32), xs[0]) - cell(jnp.zeros(4, jnp.float32), xs[0])).max() > 1e-2
    )


@pytest.mark.costly
@BOTH
def test_other_weights_use_the_compiled_program(name, inputs, programs_for_other_weights):
    first, second = (rj.adapters.from_equinox(drawn(name, jnp.float64, seed)) for seed in (0, 1))
    assert programs_for_other_weights(first, second, first.initial_state(), inputs(jnp.float64)) == 0


@pytest.mark.costly
def test_a_module_of_the_users_own_is_adapted(
    inputs, states_agree, jacobians_agree, programs_for_other_weights
):
    cell, xs, state = residual(jnp.float64), inputs(jnp.float64), jnp.ones(4)
    step = rj.adapters.from_equinox(cell)
    assert is_pytree_of_arrays(step)
    states_agree(step, lambda h, x: cell(x, h), state, xs, 1e-12)
    jacobians_agree(step, lambda h, x: cell(x, h), state, xs)
    assert (
        programs_for_other_weights(step, rj.adapters.from_equinox(residual(jnp.float64, 1)), state, xs) == 0
    )


def test_another_activation_is_another_program(inputs):
    xs, state = inputs(jnp.float64), jnp.ones(4)
    tanh, sine = (rj.adapters.from_equinox(residual(jnp.float64, 0, each)) for each in (jnp.tanh, jnp.sin))
    assert np.abs(rj.trajectory(tanh, state, xs) - rj.trajectory(sine, state, xs)).max() > 1e-2


def test_weights_that_are_numpy_arrays_are_arrays_of_the_step(inputs, programs_for_other_weights):
    cells = (residual(jnp.float64, seed) for seed in (0, 1))
    first, second = (
        rj.adapters.from_equinox(eqx.tree_at(lambda tree: tree.weight, cell, np.asarray(cell.weight)))
        for cell in cells
    )
    assert programs_for_other_weights(first, second, jnp.ones(4), inputs(jnp.float64)) == 0


@pytest.mark.costly
@BOTH
def test_a_cell_without_bias_is_adapted(name, inputs, jacobians_agree):
    cell = drawn(name, jnp.float64, use_bias=False)
    step = rj.adapters.from_equinox(cell)
    jacobians_agree(step, lambda h, x: cell(x, h), step.initial_state(), inputs(jnp.float64))


def test_the_state_starts_at_zero_in_the_dtype_of_the_weights_and_the_output_is_h():
    gru, lstm = (rj.adapters.from_equinox(drawn(name, jnp.float32)) for name in CELLS)
    np.testing.assert_array_equal(gru.initial_state(), np.zeros(4, np.float32))
    assert [leaf.dtype for leaf in lstm.initial_state()] == [jnp.float32] * 2
    assert gru.output(h := jnp.ones(4)) is h
    assert lstm.output((h, jnp.zeros(4))) is h


@BOTH
def test_the_output_of_a_chain_is_h(name, inputs):
    step = rj.adapters.from_equinox(drawn(name, jnp.float64))
    chain = rj.jacobian_chain(step, step.initial_state(), inputs(jnp.float64), output=step.output)
    rows = np.linalg.norm(np.eye(4 if name == "gru" else 8)[:4])
    np.testing.assert_allclose(chain.log_output_norm[0], np.log(rows), atol=1e-12)


def test_a_module_of_unknown_state_says_what_to_pass():
    step = rj.adapters.from_equinox(residual(jnp.float64))
    with pytest.raises(
        ValueError, match=r"initial state of a Residual is not known here; pass the state h_0"
    ):
        step.initial_state()
    with pytest.raises(ValueError, match=r"visible part of the state of a Residual .* as output="):
        step.output((jnp.ones(4), jnp.ones(4)))
    assert step.output(h := jnp.ones(4)) is h


@pytest.mark.parametrize("cell", [3, jnp.tanh, lambda x, h: h])
def test_what_is_no_equinox_module_is_named(cell):
    with pytest.raises(TypeError, match=rf"cell must be an equinox.Module .* got {type(cell).__name__};"):
        rj.adapters.from_equinox(cell)


def test_a_leaf_that_cannot_be_hashed_is_named():
    with pytest.raises(TypeError, match="hashable leaves, got a set; make it an array or a static field"):
        rj.adapters.from_equinox(residual(jnp.float64, activation={1, 2}))


def test_the_example_holds(examples_hold):
    examples_hold(rj.adapters.from_equinox)


class InDict(eqx.Module):
    """A cell whose state is a dict."""

    weight: Any

    def __call__(self, x, hidden):
        return {"h": jnp.tanh(self.weight @ hidden["h"] + x)}


@pytest.mark.costly
def test_a_module_of_ones_own_is_trained_from_the_state_and_by_the_output_that_are_told(jax_promotes):
    def create(key, **told):
        return rj.adapters.from_equinox(InDict(jax.random.normal(key, (2, 2), jnp.float32)), **told)

    def train(**told):
        return rj.train(
            rj.tasks.Adding(10),
            lambda key: create(key, **told),
            key=jax.random.key(0),
            seeds=1,
            batch_size=2,
            step_budget=2,
        )

    told = {
        "initial_state": lambda cell: {"h": jnp.zeros(len(cell.weight), jnp.float32)},
        "output": lambda state: state["h"],
    }
    assert np.isfinite(train(**told).loss).all()
    with pytest.raises(ValueError, match=r"for `train` give from_equinox\(cell, initial_state=\.\.\.\)"):
        train(output=told["output"])
    with pytest.raises(ValueError, match=r"for `train` give from_equinox\(cell, output=\.\.\.\)"):
        train(initial_state=told["initial_state"])
    with pytest.raises(TypeError, match="initial_state"):
        create(jax.random.key(0), initial_state=jnp.zeros(2))
    with pytest.raises(
        TypeError, match="output must be a plain function, which holds nothing that is trained"
    ):
        create(jax.random.key(0), output=eqx.nn.LayerNorm(2))
