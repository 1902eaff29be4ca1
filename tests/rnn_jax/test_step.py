from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from jax.tree_util import Partial

import rnn_jax as rj
from rnn_jax import step as step_module
from rnn_jax.step import bound_method_as_pytree, call_compiled, checked


def keep(state, x):
    return state


def test_python_and_numpy_numbers_become_arrays_of_the_same_values():
    state, xs, length = checked(keep, {"a": 1.5, "b": [2]}, jnp.ones((4, 1)), None)
    assert length == 4
    assert xs.shape == (4, 1)
    assert state["a"].dtype == jnp.float64
    assert state["b"][0] == 2


def test_a_step_must_be_callable():
    with pytest.raises(TypeError, match="step"):
        rj.trajectory(3, jnp.ones(2), None, length=2)


def test_the_message_names_the_leaf_of_a_nested_state():
    def step(state, _):
        return {"h": state["h"], "memory": (state["memory"][0], jnp.ones(5))}

    state = {"h": jnp.ones(2), "memory": (jnp.ones(3), jnp.ones(4))}
    with pytest.raises(ValueError, match=r"state\['memory'\]\[1\] came in as \(4,\) and went out as \(5,\)"):
        checked(step, state, None, 3)


def test_an_error_inside_the_step_that_is_not_about_shapes_is_left_alone():
    def step(state, x):
        raise TypeError("no such gate")

    with pytest.raises(TypeError, match=r"^no such gate"):
        checked(step, jnp.ones(2), None, 3)


def test_another_frameworks_cell_called_in_its_own_order_asks_for_state_then_input():
    cell = eqx.nn.GRUCell(3, 4, key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"is the order \(state, x\)\?"):
        checked(cell, jnp.ones(4), jnp.ones((5, 3)), None)
    checked(lambda state, x: cell(x, state), jnp.ones(4), jnp.ones((5, 3)), None)


def test_arguments_in_the_wrong_order_of_a_state_with_names():
    with pytest.raises(ValueError, match=r"is the order \(state, x\)\?.*string indexing"):
        checked(lambda x, state: {"h": state["h"] + x}, {"h": jnp.ones(3)}, jnp.ones((5, 2)), None)


def test_a_list_of_steps_is_told_what_it_is():
    with pytest.raises(ValueError, match=r"xs\[0\] must lead with the time axis.*jnp\.asarray\(xs\)"):
        checked(keep, jnp.ones(2), [1.0, 2.0], None)
    with pytest.raises(ValueError, match=r"is xs a list of steps\? Then give jnp\.stack\(xs\)"):
        checked(lambda state, x: jnp.eye(2) @ state + jnp.eye(2) @ x, jnp.ones(2), [jnp.ones(2)] * 4, None)
    _, xs, length = checked(lambda state, x: state + x[0] + x[1], jnp.ones(2), [jnp.ones((4, 2))] * 2, None)
    assert (len(xs), length) == (2, 4), "several inputs at each step"


@pytest.mark.parametrize("name", ["state", "xs"])
def test_what_is_no_number_is_told_with_its_place(name):
    arguments = {"state": {"h": jnp.ones(2)}, "xs": {"h": jnp.ones((4, 2))}}
    arguments[name]["h"] = "abc"
    with pytest.raises(
        ValueError, match=rf"^{name} must be a pytree of arrays or numbers, got {name}\['h'\] = 'abc'"
    ):
        checked(keep, arguments["state"], arguments["xs"], None)


def test_a_step_that_changes_a_weak_type_is_no_error():
    state, _, _ = checked(lambda h, _: jnp.float64(2.0) * h, 1.0, None, 3)
    assert rj.trajectory(lambda h, _: 2.0 * h, state, None, length=3)[-1] == 8.0


def add(callable_, other, operand):
    return callable_(operand) + (0 if other is None else other(operand))


def test_a_missing_callable_does_not_stop_the_compiled_program_from_being_used_again(compilations):
    double = jax.tree_util.Partial(jnp.multiply, jnp.array(2.0))
    triple = jax.tree_util.Partial(jnp.multiply, jnp.array(3.0))
    operand = jnp.array(5.0)
    assert call_compiled(add, (double, None), operand) == 10
    with compilations() as compiled:
        result = call_compiled(add, (triple, None), operand)
    assert compiled == []
    assert result == 15


def test_a_bound_method_of_a_cell_carries_the_cells_arrays():
    cell = rj.cells.create("lstm", 2, 3, key=jax.random.key(0))
    output = bound_method_as_pytree(cell.output)
    assert len(jax.tree.leaves(output)) == len(jax.tree.leaves(cell))
    assert (output(cell.initial_state()) == cell.output(cell.initial_state())).all()
    assert bound_method_as_pytree(keep) is keep
    assert bound_method_as_pytree(None) is None


class Narrow:
    """What shows half of a state."""

    def output(self, state):
        return state[:1]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Wide(Narrow):
    weight: jax.Array

    def output(self, state):
        return 100.0 * state

    view = Narrow.output


@pytest.mark.parametrize("of", [lambda cell: cell.view, lambda cell: super(Wide, cell).output])
def test_a_bound_method_is_the_one_that_was_given_and_not_another_of_its_name(of):
    output = bound_method_as_pytree(of(Wide(jnp.ones(2))))
    assert len(jax.tree.leaves(output)) == 1
    assert output(jnp.ones(2)).tolist() == [1.0]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (Partial(lambda p, h, x: sum(h for _ in range(p["k"])), {"k": 2}), r"step\.args\[0\]\['k'\] = 2"),
        (Partial(lambda h, x, on: h if on else -h, on=True), r"step\.keywords\['on'\] = True"),
    ],
)
def test_a_number_whose_value_a_step_needs_is_named(step, told):
    with pytest.raises(ValueError, match=f"step needs the value of a number that it holds, {told}"):
        checked(step, jnp.zeros(2), None, 1)


def test_an_error_without_words_is_told_by_its_name():
    def step(state, x):
        raise AttributeError

    with pytest.raises(ValueError, match="AttributeError"):
        checked(step, jnp.ones(2), None, 3)


def test_what_was_checked_is_remembered_but_not_for_ever(monkeypatch):
    monkeypatch.setattr(step_module, "_CHECKED", {})
    monkeypatch.setattr(step_module, "_MOST_CHECKED", 2)
    traced = []

    def look(size):
        checked(Partial(lambda scale, h, x: traced.append(size) or scale * h, 2.0), jnp.ones(size), None, 1)

    def again(cell, size):
        checked(cell, jnp.ones(size), None, 1)

    cell = Partial(lambda scale, h, x: traced.append(0) or scale * h, 2.0)
    again(cell, 1)
    again(cell, 1)
    assert traced == [0], "the second time it is known"
    look(2)
    look(3)
    assert len(step_module._CHECKED) == 2
    again(cell, 1)
    assert traced == [0, 2, 3, 0], "the oldest was forgotten"


def test_what_is_often_meant_otherwise_is_asked():
    cell = rj.cells.LSTM.create(1, 3, key=jax.random.key(0))
    state, xs = cell.initial_state(), jnp.ones((5, 1))
    with pytest.raises(
        TypeError, match="step must be a cell, got the class LSTM itself; make one by its `create`"
    ):
        rj.trajectory(rj.cells.LSTM, state, xs)
    own = " Its own state is LSTMState of shape (3,), (3,), as initial_state() gives it"
    assert step_module._hint(cell, jnp.zeros(3), xs) == own
    assert "do several sequences lead? Then jax.vmap" in step_module._hint(cell, state, xs[None])
    assert "is there one input a step? Then give xs[:, None]" in step_module._hint(cell, state, xs[:, 0])
    assert not step_module._hint(cell, state, xs)


def test_a_class_defined_again_never_has_the_program_of_the_one_before():
    """Of 60 classes alike but for their step about one in ten had, before programs were told apart by class."""

    def factory(factor):
        @jax.tree_util.register_dataclass
        @dataclass(frozen=True)
        class Again:
            weight: jax.Array

            def __call__(self, state, x):
                return factor * self.weight * state

        return Again(jnp.ones(()))

    for number in range(60):
        product = rj.trajectory(factory(float(number)), jnp.ones(1), None, length=1)[1]
        assert float(product[0]) == number
