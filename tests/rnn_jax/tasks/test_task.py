from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.tasks.task import (
    Batch,
    Classification,
    checked_variant,
    class_accuracy,
    classification_baseline,
    cross_entropy,
    evaluation_task,
    mean_squared_error,
)


@dataclass(frozen=True)
class Toy(Classification):
    """Two steps: at step 0 class 0 is asked for; at step 1, in half of the examples, one of 1 and 2."""

    masked_loss: bool = False
    length: int = 2
    variant: str = "only"

    name = "toy"
    output_size = 3

    def sample(self, key, batch_size, dtype=None):
        asked = jnp.arange(batch_size) % 2 == 0
        answer = 1 + (jnp.arange(batch_size) % 4 == 0).astype(jnp.int32)
        return Batch(
            inputs=jnp.zeros((batch_size, 2, 1), dtype),
            targets=jnp.stack([jnp.zeros_like(answer), jnp.where(asked, answer, 0)], axis=1),
            mask=jnp.stack([jnp.zeros_like(asked), asked], axis=1),
        )


def test_the_baseline_knows_when_an_answer_is_asked_for_and_guesses_it():
    # Of two steps, half of the second ones cost ln 2.
    assert classification_baseline(Toy(), jax.random.key(0)) == pytest.approx(np.log(2) / 4, rel=1e-5)


def test_a_masked_loss_and_its_baseline_count_masked_steps_only():
    assert classification_baseline(Toy(masked_loss=True), jax.random.key(0)) == pytest.approx(
        np.log(2), rel=1e-5
    )


def test_cross_entropy_is_that_of_a_softmax_and_counts_masked_targets_if_told():
    outputs = jax.random.normal(jax.random.key(1), (3, 2, 4))
    mask = jnp.array([[True, False], [False, False], [True, True]])
    batch = Batch(jnp.zeros((3, 2, 1)), jnp.array([[0, 3], [1, 2], [2, 2]], jnp.int32), mask)
    logits = np.asarray(outputs)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    costs = np.array([[-np.log(probabilities[i, t, batch.targets[i, t]]) for t in (0, 1)] for i in (0, 1, 2)])
    assert cross_entropy(outputs, batch) == pytest.approx(costs.mean(), rel=1e-12)
    assert cross_entropy(outputs, batch, masked=True) == pytest.approx(
        costs[np.asarray(mask)].mean(), rel=1e-12
    )
    right = (logits.argmax(axis=2) == np.asarray(batch.targets))[np.asarray(mask)]
    assert class_accuracy(outputs, batch) == pytest.approx(right.mean())


def test_a_gradient_of_the_masked_loss_is_zero_at_other_steps():
    batch = Toy().sample(None, 4, jnp.float64)
    gradient = jax.grad(lambda outputs: cross_entropy(outputs, batch, masked=True))(jnp.ones((4, 2, 3)))
    np.testing.assert_array_equal(np.abs(gradient).sum(axis=2) > 0, batch.mask)


def test_held_out_examples_are_the_tasks_own_unless_it_names_others():
    @dataclass(frozen=True)
    class Longer(Toy):
        def evaluation_task(self):
            return replace(self, length=9)

    assert evaluation_task(Toy()) == Toy()
    assert evaluation_task(Longer()) == Longer(length=9)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Toy(variant="all"), "variant of toy must be one of only, got 'all'"),
        (Toy(length=1), "length of toy must be at least 2, got 1"),
        (Toy(length=True), "length of toy must be a whole number, got True"),
        (Toy(length=2.5), "length of toy must be a whole number, got 2.5"),  # pyright: ignore
    ],
)
def test_a_wrong_argument_is_named(task, message):
    with pytest.raises(ValueError, match=message):
        checked_variant(task, ("only",), shortest=2)


def test_a_length_may_be_a_whole_number_of_numpy():
    checked_variant(Toy(length=np.int64(3)), ("only",), shortest=2)  # pyright: ignore
    with pytest.raises(ValueError, match="length of toy must be at least 2, got 1"):
        checked_variant(Toy(length=np.int64(1)), ("only",), shortest=2)  # pyright: ignore


@pytest.mark.parametrize("name", ["adding", "copy", "temporal_order"])
def test_outputs_that_would_broadcast_are_refused(name):
    task = rj.tasks.TASKS[name](20)
    batch = task.sample(jax.random.key(0), 4)
    wrong = jnp.zeros((4, task.target_steps + 1, task.output_size))
    for score in (task.loss, task.accuracy):
        with pytest.raises(ValueError, match=r"outputs must have the shape \(4, .*, got \(4, "):
            score(wrong, batch)


def test_a_masked_loss_of_many_examples_stays_in_the_range_of_16_bits():
    outputs = jnp.zeros((4000, 40, 3), jnp.float16)
    batch = Batch(outputs[..., 0], jnp.zeros((4000, 40), jnp.int32), jnp.ones((4000, 40), bool))
    loss = cross_entropy(outputs, batch, masked=True)
    assert float(loss) == pytest.approx(np.log(3), rel=1e-3)


@pytest.mark.parametrize("masked", [False, True])
def test_a_loss_of_outputs_of_16_bits_has_the_digits_of_float32(masked):
    """In bfloat16 a loss of 4.7442 would stay 4.75 for many steps."""
    outputs = jax.random.normal(jax.random.key(0), (7, 5, 3), jnp.bfloat16)
    classes = Batch(outputs[..., 0], jnp.zeros((7, 5), jnp.int32), jnp.ones((7, 5), bool))
    numbers = replace(classes, targets=outputs[::-1])
    for loss, batch in ((partial(cross_entropy, masked=masked), classes), (mean_squared_error, numbers)):
        found = loss(outputs, batch)
        as_float32 = [
            leaf.astype(jnp.float32) if leaf.dtype == jnp.bfloat16 else leaf
            for leaf in (outputs, batch.targets)
        ]
        assert found.dtype == jnp.float32
        assert found == loss(as_float32[0], replace(batch, targets=as_float32[1]))


def test_a_batch_of_which_no_target_counts_is_no_number_that_is_none():
    outputs = jnp.ones((2, 4, 3))
    batch = Batch(outputs[..., 0], jnp.zeros((2, 4), jnp.int32), jnp.zeros((2, 4), bool))
    assert cross_entropy(outputs, batch, masked=True) == 0
    assert class_accuracy(outputs, batch) == 0
    assert (jax.grad(lambda outputs: cross_entropy(outputs, batch, masked=True))(outputs) == 0).all()


@dataclass(frozen=True)
class Held(Toy):
    """One that holds arrays, which cannot be hashed."""

    table: Any = None

    def sample(self, key, batch_size, dtype=None):
        return replace(
            super().sample(key, batch_size, dtype),
            targets=jnp.asarray(self.table)[None].repeat(batch_size, 0),
        )


def test_a_task_that_holds_arrays_has_a_baseline():
    assert classification_baseline(Held(table=np.zeros(2, np.int32)), jax.random.key(0)) == pytest.approx(0)
