"""Examples of a task of one's own: drawn from the key, finite, of classes that there are."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax.tasks import TASKS, Batch
from rnn_jax.tasks.examples_check import check_examples
from rnn_jax.tasks.task import Classification


@dataclass(frozen=True)
class Signs(Classification):
    """Whether a number is positive, at each step but the first, which asks nothing."""

    silent: int = 0
    masked_loss: bool = False
    output_size: int = 2

    def sample(self, key, batch_size, dtype=None):
        inputs = jax.random.normal(key, (batch_size, 3, 1), dtype)
        mask = jnp.ones((batch_size, 3), bool).at[:, 0].set(False)
        targets = jnp.where(mask, (inputs[..., 0] > 0).astype(jnp.int32), self.silent)
        return Batch(inputs, targets, mask)


def look_at(task):
    check_examples(task, 4, 40, jnp.float32)


@pytest.mark.parametrize(("silent", "masked"), [(0, False), (1, False), (-100, True), (2, True)])
def test_classes_that_count_are_known(silent, masked):
    look_at(Signs(silent, masked))


@pytest.mark.parametrize("silent", [-1, 2])
def test_a_class_that_counts_and_is_none_is_told(silent):
    with pytest.raises(
        ValueError, match=rf"classes in 0\.\.1, below output_size, got {silent}; .* masked_loss = True"
    ):
        look_at(Signs(silent))


def test_a_class_that_does_not_count_leaves_a_masked_loss_as_it_is():
    outputs = jax.random.normal(jax.random.key(1), (4, 3, 2), jnp.float32)
    losses = [
        task.loss(outputs, task.sample(jax.random.key(0), 4, jnp.float32))
        for task in (Signs(silent, masked_loss=True) for silent in (0, -100, 7))
    ]
    assert np.isfinite(losses).all()
    assert len({float(loss) for loss in losses}) == 1


def test_a_loss_of_ones_own_may_give_any_class_a_meaning():
    look_at(type("Own", (Signs,), {"loss": lambda self, outputs, batch: jnp.mean(outputs)})(-1))


def test_examples_that_numpy_draws_are_refused():
    class Drawn(Signs):
        def sample(self, key, batch_size, dtype=None):
            return Batch(
                np.random.default_rng().normal(size=(batch_size, 3, 1)).astype(np.float32),
                np.zeros((batch_size, 3), np.int32),
                np.ones((batch_size, 3), bool),
            )

    with pytest.raises(ValueError, match=r"task\.sample must draw its inputs from its key alone"):
        look_at(Drawn())


def test_all_examples_there_are_at_every_step_are_allowed():
    class Whole(Signs):
        def sample(self, key, batch_size, dtype=None):
            return Signs.sample(self, jax.random.key(3), batch_size, dtype)

    look_at(Whole())


def test_an_input_that_is_not_finite_is_told():
    class Broken(Signs):
        def sample(self, key, batch_size, dtype=None):
            batch = Signs.sample(self, key, batch_size, dtype)
            return Batch(batch.inputs.at[0, 0, 0].set(jnp.nan), batch.targets, batch.mask)

    with pytest.raises(ValueError, match=r"task\.sample must give finite inputs"):
        look_at(Broken())


def test_a_task_of_which_nothing_counts_is_told():
    class Silent(Signs):
        def sample(self, key, batch_size, dtype=None):
            batch = Signs.sample(self, key, batch_size, dtype)
            return Batch(batch.inputs, batch.targets, jnp.zeros_like(batch.mask))

    with pytest.raises(ValueError, match="mask that is True where a target counts, it is False everywhere"):
        look_at(Silent())


def test_it_is_asked_for_no_more_at_once_than_training_asks_for():
    class Few(Signs):
        def sample(self, key, batch_size, dtype=None):
            assert batch_size <= 4
            return Signs.sample(self, key, batch_size, dtype)

    look_at(Few())


@pytest.mark.costly
@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_here_would_pass(name, monkeypatch):
    monkeypatch.setattr("rnn_jax.tasks.examples_check._OURS", "nobody")
    look_at(TASKS[name]({"sequential_mnist": 784, "sequential_digits": 64}.get(name, 20)))


def test_a_number_that_does_not_count_may_be_none_and_one_that_does_may_not():
    class Numbers(Signs):
        def loss(self, outputs, batch):
            return jnp.mean(outputs)

        def sample(self, key, batch_size, dtype=None):
            batch = Signs.sample(self, key, batch_size, dtype)
            counts = batch.mask if self.silent else ~batch.mask
            return Batch(batch.inputs, jnp.where(counts[..., None], batch.inputs, jnp.nan), batch.mask)

    look_at(Numbers(1))
    with pytest.raises(ValueError, match="finite targets where mask is True"):
        look_at(Numbers(0))
