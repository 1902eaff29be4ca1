"""What is told of an argument of `train` that cannot be used, before anything is compiled."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.training import arguments

KEY = jax.random.key(0)
TASK = rj.tasks.Adding(10)


def test_numpys_integers_count_as_pythons():
    counts = arguments.checked_counts(batch_size=np.int64(2), step_budget=3)
    assert counts == (2, 3)
    assert {type(count) for count in counts} == {int}
    assert arguments.seed_numbers(np.int64(2)).tolist() == [0, 1]


@pytest.mark.parametrize("seeds", [[2**32], [0, 2**32], [2**33 + 1]])
def test_a_seed_that_would_be_another_is_refused(seeds):
    """fold_in takes 32 bits: 2**32 would train the net of seed 0 once more."""
    with pytest.raises(ValueError, match=rf"seeds must be at most 4294967295, 32 bits, got {seeds[-1]}"):
        arguments.seed_numbers(seeds)


def test_the_largest_seed_is_one():
    assert arguments.seed_numbers([2**32 - 1]).tolist() == [4294967295]


@dataclass(frozen=True)
class Unknown:
    """A cell that no pytree is made of."""

    weight: jax.Array

    def initial_state(self):
        return {"h": jnp.zeros(2, jnp.float32), "count": jnp.zeros((), jnp.int32)}

    def __call__(self, state, x):
        return {"h": jnp.tanh(self.weight @ (state["h"] + x)), "count": state["count"] + 1}

    def output(self, state):
        return state["h"]


class OfABatch(Unknown):
    def initial_state(self, batch_size):
        return super().initial_state()


class Counting(Unknown):
    def __call__(self, state, x):
        return super().__call__(state, x) | {"count": state["count"].astype(jnp.float32)}


class Asking(Unknown):
    def __call__(self, state, x):
        return state if state["h"][0] > 0 else super().__call__(state, x)


for known in (OfABatch, Counting, Asking):
    jax.tree_util.register_dataclass(known, ["weight"], [])


def changed(cell):
    return cell(jnp.eye(2, dtype=jnp.float32))


@pytest.mark.parametrize(
    ("create", "told"),
    [
        (lambda key: 3, r"create must make a cell.*it made int\. Cells of other.*rnn_jax\.adapters"),
        (lambda key: lambda state, x: state, "create must make a cell.*it made function"),
        (lambda: 3, "create must be a function of one argument, a random key: too many positional arguments"),
        (lambda key, size: 3, "create must be a function of one argument, a random key: missing.*'size'"),
        (lambda key: changed(Unknown), "create must make a pytree, such as a dataclass that .*Unknown"),
        (lambda key: changed(OfABatch), r"initial_state\(\) takes no argument.*missing.*'batch_size'"),
        (
            lambda key: changed(Counting),
            r"step must keep the dtype of the state: state\['count'\] came in as int32 and went out as float32",
        ),
        (
            lambda key: changed(Asking),
            "whose step asks for no number's value, as it is compiled .jnp.where for if",
        ),
    ],
)
def test_what_makes_no_cell_is_told(create, told):
    with pytest.raises(ValueError, match=told):
        arguments.required_dtype(TASK, create, KEY)


def test_a_function_with_more_arguments_that_have_values_is_one_of_a_key():
    def create(key, size=4):
        return rj.cells.GRU.create(2, size, key=key, dtype=jnp.float32)

    assert arguments.required_dtype(TASK, create, KEY) == jnp.float32


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: arguments.sorted_snapshot_steps(3, 5), r"snapshot_steps must be several.*such as \[3\], got 3"),
        (lambda: arguments.sorted_snapshot_steps([6], 5), r"snapshot_steps must be whole numbers in 1\.\.5, got 6"),
        (lambda: arguments.check_progress(3), "on_progress must be a function of the steps and the losses, got 3"),
        (lambda: arguments.check_progress(lambda step: None), "on_progress must take two arguments, the steps and the losses"),
        (lambda: arguments.check_strengths(lambda strength: strength, np.ones(1)), "remedy must make a Remedy from a strength, of 1 it made 1.0"),
        (lambda: arguments.checked_learning_rates([0.1, -1.0], 2), "learning_rates must be at least 0, got -1"),
        (lambda: arguments.checked_learning_rates([0.1], 2), "learning_rates must be one finite number for each of"),
    ],
)  # fmt: skip
def test_other_arguments(call, told):
    with pytest.raises(ValueError, match=told):
        call()
