"""A task of one's own that is not what `Task` says is told before anything is compiled."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import rnn_jax as rj
from rnn_jax.tasks import TASKS, Batch
from rnn_jax.tasks.protocol_check import check_batches, check_task, checked_baseline
from rnn_jax.tasks.task import mean_squared_error, regression_baseline


@dataclass(frozen=True)
class Sum:
    """The sum of all numbers, asked for at the end."""

    length: int = 7
    sequence_length: int = 7
    input_size: int = 1
    output_size: int = 1
    target_steps: int = 1
    name: str = "sum"
    variant: str = "plain"
    metric: str = "accuracy"
    change: Any = None
    loss_of: Any = mean_squared_error

    def sample(self, key, batch_size, dtype=None):
        inputs = jax.random.normal(key, (batch_size, self.length, 1), jnp.float32).astype(
            dtype or jnp.float32
        )
        targets = jnp.sum(inputs, axis=1, keepdims=True)
        batch = Batch(inputs, targets, jnp.ones(targets.shape[:2], bool))
        return batch if self.change is None else self.change(batch)

    def loss(self, outputs, batch):
        return self.loss_of(outputs, batch)

    def accuracy(self, outputs, batch):
        return jnp.mean((jnp.abs(outputs - batch.targets) < 0.1).astype(jnp.float32))

    def is_solved(self, loss, accuracy):
        return loss < 0.01

    def baseline(self, key):
        return regression_baseline(self, key)


def trained(task):
    return rj.train(
        task,
        lambda key: rj.cells.GRU.create(1, 4, key=key, dtype=jnp.float32),
        key=jax.random.key(0),
        step_budget=1,
        batch_size=3,
    )


def look_at(task):
    check_task(task)
    check_batches(task, 3, 3, jnp.float32)


def test_one_that_fits_is_trained(jax_promotes):
    assert jnp.isfinite(trained(Sum()).loss).all()


@pytest.mark.parametrize(
    ("task", "told"),
    [
        # It would broadcast: five steps of outputs against the one target.
        (Sum(target_steps=5), r"task\.sample must give targets of shape \(3, 5, 1\).* got \(3, 1, 1\)"),
        (Sum(output_size=2), r"targets of shape \(3, 1, 2\).* got \(3, 1, 1\)"),
        (Sum(input_size=2), r"inputs of shape \(3, 7, 2\).* got \(3, 7, 1\)"),
        (Sum(sequence_length=8), r"inputs of shape \(3, 8, 1\)"),
        (Sum(change=lambda batch: replace(batch, inputs=batch.inputs[..., 0])), r"inputs of shape .* got \(3, 7\)"),
        (Sum(change=lambda batch: (batch.inputs, batch.targets)), r"must return a rnn_jax\.tasks\.Batch.* got tuple"),
        (
            Sum(change=lambda batch: replace(batch, inputs=batch.inputs.astype(jnp.int32))),
            "inputs of the dtype that it is asked for, float32, got int32",
        ),
        (Sum(change=lambda batch: replace(batch, mask=batch.mask[:, 0])), r"mask of shape \(3, 1\).* got \(3,\)"),
        (Sum(loss_of=lambda outputs, batch: outputs[:, 0, 0]), r"task\.loss must give one number for a batch, got"),
        (
            Sum(loss_of=lambda outputs, batch: jax.lax.complex(jnp.sum(outputs), jnp.sum(outputs))),
            r"task\.loss must give a real floating number, got complex64",
        ),
        (Sum(change=lambda batch: replace(batch, mask=batch.mask.astype(jnp.int32))), "a mask of bool, got int32"),
        (Sum(change=lambda batch: replace(batch, mask=None)), "must give mask as one array, got NoneType"),
        (Sum(change=lambda batch: replace(batch, targets=[1.0])), "must give targets as one array, got list"),
        (
            Sum(change=lambda batch: replace(batch, targets=batch.targets[..., 0])),
            r"targets of shape \(3, 1, 1\) \(numbers; classes are whole numbers, of shape \(3, 1\)\)",
        ),
        (
            Sum(change=lambda batch: replace(batch, targets=batch.targets[..., 0] > 0)),
            "targets that are numbers or classes, got bool",
        ),
        (Sum(target_steps=9), "task must have target_steps of at most its sequence_length, 7, got 9"),
        (Sum(name=None), "task must have name, a string"),
        (Sum(length="x"), "task must have length, a positive whole number.* it is 'x'"),
        (Sum(target_steps=0), "task must have target_steps, a positive whole number.* of Sum it is 0"),
        (Sum(input_size=None), "task must have input_size.* it is None"),
        (Sum, r"task must be a task such as Sum\(100\), got the class itself"),
    ],
)  # fmt: skip
def test_one_that_does_not_is_told(task, told):
    with pytest.raises(ValueError, match=told):
        look_at(task)


def test_train_tells_it():
    with pytest.raises(ValueError, match=r"targets of shape \(3, 5, 1\)"):
        trained(Sum(target_steps=5))


def test_a_method_that_is_missing():
    class Nothing:
        def sample(self, key, batch_size, dtype=None):
            raise AssertionError

    with pytest.raises(
        ValueError, match=r"task must have a method loss, see rnn_jax\.tasks\.Task; Nothing has none"
    ):
        check_task(Nothing())


def test_the_held_out_examples_are_looked_at_too():
    @dataclass(frozen=True)
    class Longer(Sum):
        def evaluation_task(self):
            return Sum(length=9)

    with pytest.raises(
        ValueError, match=r"task\.evaluation_task\(\)\.sample must give inputs of shape \(3, 7, 1\)"
    ):
        check_batches(Longer(), 3, 3, jnp.float32)


class Signs(Sum):
    """The same with classes for numbers."""

    def sample(self, key, batch_size, dtype=None):
        batch = super().sample(key, batch_size, dtype)
        return replace(batch, targets=(batch.targets[..., 0] > 0).astype(jnp.int32))

    def loss(self, outputs, batch):
        return jnp.mean(outputs)

    accuracy = loss


@pytest.mark.parametrize(
    ("held_out", "told"),
    [
        (rj.tasks.Adding(20), "must have the task's own input_size, 1, as one net is scored, got 2"),
        (
            rj.tasks.TemporalXOR(5, "ends"),
            "must have the task's own output_size, 1, as one net is scored, got 2",
        ),
        (Signs(), "must give targets that are numbers, as the task's are, got classes"),
    ],
)
def test_held_out_examples_are_of_the_same_net(held_out, told):
    own = type("Own", (Sum,), {"evaluation_task": lambda self: held_out})()
    with pytest.raises(ValueError, match=rf"task\.evaluation_task\(\) {told}"):
        check_batches(own, 3, 3, jnp.float32)


def _with_a_gap(batch):
    rare = jnp.abs(batch.inputs) > 2.9  # one example in forty
    return replace(batch, inputs=jnp.where(rare, jnp.nan, batch.inputs))


@pytest.mark.parametrize(
    ("task", "called"),
    [
        (Sum(change=_with_a_gap), r"task\.sample"),
        (
            type("Own", (Sum,), {"evaluation_task": lambda self: Sum(change=_with_a_gap)})(),
            r"task\.evaluation_task\(\)\.sample",
        ),
    ],
)
def test_one_example_in_many_that_is_not_finite_is_told_beforehand(task, called):
    with pytest.raises(ValueError, match=rf"{called} must give finite inputs"):
        trained(task)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"baseline": lambda self: 1.0},
            r"task\.baseline must take \(key\), see rnn_jax\.tasks\.Task: too many",
        ),
        (
            {"baseline": lambda self, key: "1.0"},
            r"task\.baseline\(key\) must give one number, a loss, got '1.0'",
        ),
    ],
)
def test_a_baseline_that_is_none(change, told):
    with pytest.raises(ValueError, match=told):
        checked_baseline(type("Own", (Sum,), change)(), jax.random.key(0))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"sample": lambda self, key, batch_size: None},
            r"task\.sample must take \(key, batch_size, dtype\), see rnn_jax\.tasks\.Task: too many positional",
        ),
        ({"sample": 3}, "task must have a method sample"),
        ({"evaluation_task": Sum()}, "task.evaluation_task must be a method that gives a task"),
        ({"evaluation_task": lambda self: None}, r"task\.evaluation_task\(\) must be a task such as"),
        (
            {"accuracy": lambda self, outputs, batch: None},
            "task.accuracy must give one number for a batch, got None",
        ),
        (
            {"is_solved": lambda self, loss, accuracy: None},
            "task.is_solved must give one truth value, got None",
        ),
        (
            {"is_solved": lambda self, loss, accuracy: accuracy},
            "task.is_solved must give a truth value, such as accuracy >= 0.99, got one number of float32",
        ),
    ],
)
def test_methods_that_are_not_what_is_called(change, told):
    with pytest.raises(ValueError, match=told):
        look_at(type("Own", (Sum,), change)())


def test_what_sample_calls_its_arguments_is_its_own_affair():
    look_at(type("Own", (Sum,), {"sample": lambda self, seed, n, kind: Sum().sample(seed, n, kind)})())


@pytest.mark.parametrize("found", ["x", None, [1.0, 2.0]])
def test_a_baseline_that_is_no_number(found):
    own = type("Own", (Sum,), {"baseline": lambda self, key: found})()
    with pytest.raises(ValueError, match=r"task\.baseline\(key\) must give one number, a loss, got"):
        checked_baseline(own, jax.random.key(0))


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_here_fits(name):
    look_at(TASKS[name]({"sequential_mnist": 784, "sequential_digits": 64}.get(name, 20)))


@pytest.mark.parametrize("given", [-1.5, 0.0, float("nan"), float("inf")])
def test_a_baseline_that_verdicts_cannot_use_is_told(given):
    @dataclass(frozen=True)
    class Other(Sum):
        def baseline(self, key):
            return given

    with pytest.raises(ValueError, match=rf"task\.baseline\(key\) must give a positive loss, got {given}"):
        checked_baseline(Other(), jax.random.key(0))


def test_the_baseline_of_targets_far_from_zero_is_their_variance():
    near, far = (
        regression_baseline(Sum(change=change), jax.random.key(0))
        for change in (None, lambda batch: replace(batch, targets=batch.targets + 3000.0))
    )
    assert near == pytest.approx(7.0, rel=0.01)
    assert far == pytest.approx(float(near), rel=1e-3)


def test_as_many_held_out_examples_as_are_scored_are_due():
    class Few(Sum):
        def sample(self, key, batch_size, dtype=None):
            return Sum.sample(self, key, min(batch_size, 50), dtype)

    check_batches(Few(), 3, 50, jnp.float32)
    with pytest.raises(ValueError, match=r"inputs of shape \(2000, 7, 1\).* got \(50, 7, 1\)"):
        check_batches(Few(), 3, 2000, jnp.float32)


def test_a_task_that_can_be_changed_is_refused_as_its_program_would_go_on_with_what_it_was():
    named = {name: getattr(Sum(), name) for name in Sum.__dataclass_fields__}
    methods = {name: getattr(Sum, name) for name in ("sample", "loss", "accuracy", "is_solved", "baseline")}
    told = r"task must be a frozen dataclass, @dataclass\(frozen=True\)"
    plain, changed = type("Own", (), named | methods), type("Own", (), named | methods)()
    check_task(plain())  # it holds nothing that could be changed
    changed.gain = 3
    thawed = dataclass(type("Own", (plain,), {"__annotations__": {"gain": int}, "gain": 1}))
    for own in (changed, thawed()):
        with pytest.raises(ValueError, match=told):
            check_task(own)
    by_value = {"__hash__": lambda self: 3, "__eq__": lambda self, other: type(self) is type(other)}
    check_task(type("Own", (), named | methods | by_value)())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"is_solved": lambda self, loss, accuracy: bool(loss < 1)},
            r"task\.is_solved asks for a number before there is one.*leave out float\(\) and bool\(\)",
        ),
        (
            {"loss": lambda self, outputs, batch: float(outputs.mean())},
            r"task\.loss of outputs of shape \(3, 1, 1\) and targets of shape \(3, 1, 1\) asks for a number",
        ),
        (
            {
                "accuracy": lambda self, outputs, batch: (
                    outputs + jnp.ones(2, jnp.float32)[None, None] + jnp.ones(3, jnp.float32)[None, None]
                )
            },
            r"task\.accuracy of outputs of shape \(3, 1, 1\) and targets of shape \(3, 1, 1\) fails: \w+Error: ",
        ),
        (
            {"sample": lambda self, key, batch_size, dtype: int(jax.random.bits(key))},
            r"task\.sample for 3 examples asks for a number before there is one",
        ),
    ],
)
def test_a_method_that_fails_is_named_with_what_it_was_given(change, told):
    with pytest.raises(ValueError, match=told):
        look_at(type("Own", (Sum,), change)())
