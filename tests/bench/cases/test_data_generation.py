"""What is timed of drawing a batch, and that it is what training does."""

import jax
import numpy as np
import optax
import pytest

import rnn_jax as rj
from bench.cases import KINDS, data_generation
from bench.cases.data_generation import DRAWING, GIVEN_BATCH, WITH_DRAWING
from bench.machine import Environment
from bench.schema import RESULT_FILES
from bench.suite.case import Case
from rnn_jax.training.run import Recipe, start, training_batch

DOUBLE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float64")
SMALL = {"cell": "elman_tanh", "task": "parity", "task_length": 5, "hidden_size": 3, "batch_size": 4}


def case(**chosen):
    parameters = {each.name: each.default for each in data_generation.PARAMETERS}
    parameters |= SMALL | {"training_steps": 6, "rounds": 3} | chosen
    return Case("data_generation", data_generation.resolved(parameters), (0,))


@pytest.fixture
def made(jax_promotes):
    """`made(steps)`: what the three loops of so many steps give, and the key of their batches."""
    task = rj.tasks.Parity(5)

    def loops(steps):
        def create(key):
            return rj.cells.create("elman_tanh", task.input_size, 3, key=key, dtype="float64")

        recipe = Recipe(rj.remedies.none(), optax.adam(2e-3))
        run = start(task, create, recipe, steps, jax.random.key(1), None, None)
        calls = data_generation.loops(task, run, 4, steps)
        return {part: call() for part, call in calls.items()}, (task, run)

    return loops


def test_the_loop_that_only_draws_makes_the_batches_of_training(made):
    results, (task, run) = made(6)
    last = training_batch(task, run.key, 5, 4, np.float64)
    for one, other in zip(jax.tree.leaves(results[DRAWING]), jax.tree.leaves(last), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_step_on_a_batch_that_is_there_is_the_step_that_draws_it(made):
    results, _ = made(2)
    given, drawn = (jax.tree.leaves(results[part][0].model) for part in (GIVEN_BATCH, WITH_DRAWING))
    for one, other in zip(given, drawn, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    assert int(results[WITH_DRAWING][0].step) == 2


@pytest.mark.costly
def test_rows_say_what_was_timed(jax_promotes):
    rows = KINDS["data_generation"].run(case(), DOUBLE, "tiny", lambda *_: None)["data_generation"]
    columns = {column.name for column in RESULT_FILES["data_generation"].all_columns}
    assert all(set(row) <= columns for row in rows)
    told = [(row["part"], row["round"]) for row in rows]
    assert sorted(told) == [
        (part, number) for part in sorted((DRAWING, GIVEN_BATCH, WITH_DRAWING)) for number in range(3)
    ]
    for row in rows:
        assert (row["task"], row["variant"], row["task_length"]) == ("parity", "varied", 5)
        assert (row["batch_size"], row["training_steps"], row["dtype"]) == (4, 6, "float64")
        assert row["run_s"] > 0


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"variant": "vared"}, "variant of parity must be one of varied, fixed"),
        ({"task": "associative_recall", "task_length": 100}, "length of associative_recall"),
        ({"forget_bias": 1.0}, "no forget gate"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(chosen, message):
    with pytest.raises(ValueError, match=message):
        case(**chosen)
