"""What every task has in common: batches, scores, and the baseline."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.dtypes import at_least_float32
from rnn_jax.keys import checked_key
from rnn_jax.whole_numbers import is_whole

BASELINE_EXAMPLES = 1 << 17
_BASELINE_CHUNK = 1 << 10


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Batch:
    """Examples of a task.

    Attributes:
        inputs: shape (batch, sequence_length, input_size), float.
        targets: for the last `target_steps` steps: classes, shape (batch, target_steps), int32, or
            numbers, shape (batch, target_steps, output_size).
        mask: True where a target counts for the accuracy, shape (batch, target_steps). The loss
            counts every target, but for tasks whose other steps ask nothing (`masked_loss`). A mean over none is 0.
    """

    inputs: Array
    targets: Array
    mask: Array


class Task(Protocol):
    """What `train` asks of a task. Implementations are frozen dataclasses, so they can be static: a program compiled for one
    serves all equal ones; what holds arrays has no hash, and is compiled anew at every call unless it says `eq=False`. Its
    methods are compiled, each once: they use `jax.numpy`, and `sample` draws from its key alone. Those of `Classification` do
    where targets are classes.

    A task that is scored on other examples than it is trained on (longer ones, or the test part of a
    fixed set) also has `evaluation_task()`, which gives the task that makes those. One of real data also has
    `data_source`, `examples()` (every example once), `plain_outputs()` (what plain predictors put out on them) and
    `scores(outputs, batch)`: see `RealTask`.
    """

    @property
    def name(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def length(self) -> int: ...
    @property
    def sequence_length(self) -> int: ...
    @property
    def input_size(self) -> int: ...
    @property
    def output_size(self) -> int: ...
    @property
    def target_steps(self) -> int: ...
    @property
    def metric(self) -> str: ...

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch: ...
    def loss(self, outputs: Array, batch: Batch) -> Array: ...
    def accuracy(self, outputs: Array, batch: Batch) -> Array: ...
    def is_solved(self, loss: Array, accuracy: Array) -> Array: ...
    def baseline(self, key: Array) -> Array: ...


@runtime_checkable
class RealTask(Task, Protocol):
    """What tasks of real data have besides: plain predictors on the same examples, scored alike."""

    @property
    def data_source(self) -> str: ...
    def examples(self, dtype: Any = None) -> Batch: ...
    def plain_outputs(self) -> dict[str, Array]: ...
    def scores(self, outputs: Array, batch: Batch) -> list[tuple[str, int | None, float]]: ...


def evaluation_task(task: Task) -> Task:
    """The task that makes the held-out examples: the task itself, unless it names another."""
    named = getattr(task, "evaluation_task", None)
    return task if named is None else named()


def mean_squared_error(outputs: Float[Array, "batch steps output"], batch: Batch) -> Float[Array, ""]:
    """Mean over examples, steps and outputs of the squared error, at least in float32."""
    checked_outputs(outputs, batch)
    return jnp.mean(jnp.square(at_least_float32(outputs) - at_least_float32(batch.targets)))


def checked_outputs(outputs: Array, batch: Batch) -> None:
    """Raises ValueError unless there is one vector of outputs for each target: else they would broadcast."""
    fits = outputs.ndim == 3 and outputs.shape[:2] == batch.targets.shape[:2]
    if batch.targets.ndim == 3:
        fits = outputs.shape == batch.targets.shape
    if not fits:
        wanted = (*batch.targets.shape[:2], batch.targets.shape[2] if batch.targets.ndim == 3 else "classes")
        raise ValueError(
            f"outputs must have the shape {wanted} (batch, target_steps, output_size), got {outputs.shape}"
        )


def cross_entropy(
    outputs: Float[Array, "batch steps classes"], batch: Batch, masked: bool = False
) -> Float[Array, ""]:
    """Mean over examples and steps of -log p(target), in nats, at least in float32; over masked targets only if `masked`."""
    checked_outputs(outputs, batch)
    logs = jax.nn.log_softmax(at_least_float32(outputs))
    logs = jnp.take_along_axis(logs, batch.targets[..., None], axis=-1)
    if not masked:
        return -jnp.mean(logs)
    # The class of a target that does not count may be none.
    return -jnp.sum(jnp.where(batch.mask, logs[..., 0], 0)) / _how_many(batch, logs.dtype)


def masked_accuracy(correct: Array, batch: Batch) -> Float[Array, ""]:
    """The fraction of masked targets that are right."""
    counted = batch.mask.astype(jnp.float32)
    return jnp.sum(correct.astype(jnp.float32) * counted) / _how_many(batch, jnp.float32)


def _how_many(batch: Batch, dtype: Any) -> Array:
    """The number of targets that count; 1 where none does, so that a mean over none is 0."""
    return jnp.maximum(jnp.sum(batch.mask.astype(dtype)), 1)


def class_accuracy(outputs: Float[Array, "batch steps classes"], batch: Batch) -> Float[Array, ""]:
    """The fraction of masked targets whose class has the largest output."""
    checked_outputs(outputs, batch)
    return masked_accuracy(jnp.argmax(outputs, axis=-1).astype(jnp.int32) == batch.targets, batch)


def regression_baseline(task: Task, key: Array) -> Float[Array, ""]:
    """Mean squared error of the best constant, the mean target, over 131,072 examples."""
    checked_key(key)
    return _compiled(_variance_of_targets, task, key)


def classification_baseline(task: Task, key: Array) -> Float[Array, ""]:
    """Cross-entropy of the best guess that knows the position, and whether an answer is asked for there.

    It remembers nothing. At each target step, masked or not, that guess is the distribution of the
    classes there, counted over 131,072 examples; a `masked_loss` counts the masked steps only.
    """
    checked_key(key)
    asked, silent = _compiled(_mean_class_shares, task, key)
    counted = (asked,) if getattr(task, "masked_loss", False) else (asked, silent)
    entropies = jnp.stack([_class_entropy(share) for share in counted])
    return jnp.sum(entropies) / jnp.sum(jnp.stack(counted))


def _class_entropy(share: Float[Array, "steps classes"]) -> Array:
    """Sum over steps of how often the step counts times the entropy of its classes."""
    entropy = jax.scipy.special.entr
    return jnp.sum(jnp.sum(entropy(share), axis=1) - entropy(jnp.sum(share, axis=1)))


def _moments_around(task: Task, batch: Batch, near: Array) -> Array:
    """Of the targets less a number near their mean: else their variance would be lost under a large mean."""
    offsets = batch.targets - near
    return jnp.stack([jnp.mean(offsets), jnp.mean(jnp.square(offsets))])


def _class_shares(task: Task, batch: Batch) -> Array:
    """How often each class stands at each target step, masked and not: (2, target_steps, classes)."""
    classes = jax.nn.one_hot(batch.targets, task.output_size, dtype=jnp.float32)
    mask = batch.mask[..., None]
    return jnp.stack([jnp.mean(jnp.where(part, classes, 0), axis=0) for part in (mask, ~mask)])


def _mean_class_shares(task: Task, key: Array) -> Array:
    return _mean_over_samples(task, _class_shares, key)


def _mean_over_samples(task: Task, statistic: Callable[..., Array], key: Array, *more: Array) -> Array:
    """The mean of a statistic of the targets; under jit the inputs, unused, are never made."""
    keys = jax.random.split(key, BASELINE_EXAMPLES // _BASELINE_CHUNK)
    chunks = jax.lax.map(
        lambda each: statistic(task, task.sample(each, _BASELINE_CHUNK, jnp.float32), *more), keys
    )
    return jnp.mean(chunks, axis=0)


def _variance_of_targets(task: Task, key: Array) -> Array:
    near = jnp.mean(task.sample(key, _BASELINE_CHUNK, jnp.float32).targets)
    mean, square = _mean_over_samples(task, _moments_around, key, near)
    return square - jnp.square(mean)


def _compiled(statistic: Callable[[Task, Array], Array], task: Task, key: Array) -> Array:
    try:
        hash(task)
    except TypeError:  # one that holds arrays is compiled anew
        return jax.jit(partial(statistic, task))(key)
    return _of_equal_tasks(statistic, task, key)


@partial(jax.jit, static_argnums=(0, 1))
def _of_equal_tasks(statistic: Callable[[Task, Array], Array], task: Task, key: Array) -> Array:
    return statistic(task, key)


class Classification:
    """What tasks have in common whose targets are classes: cross-entropy, and a share of them right."""

    metric = "accuracy"
    masked_loss = False
    solved_from = 0.99

    def loss(self, outputs: Array, batch: Batch) -> Array:
        """Mean cross-entropy over all target steps (the masked ones if `masked_loss`), in nats."""
        return cross_entropy(outputs, batch, self.masked_loss)

    def accuracy(self, outputs: Array, batch: Batch) -> Array:
        """The fraction of the masked targets that are classified right."""
        return class_accuracy(outputs, batch)

    def is_solved(self, loss: Array, accuracy: Array) -> Array:
        """At least `solved_from` of the masked targets right."""
        return accuracy >= self.solved_from

    def baseline(self: Task, key: Array) -> Array:
        """Cross-entropy of the best guess without memory: see `classification_baseline`."""
        return classification_baseline(self, key)


def checked_variant(task: Task, variants: tuple[str, ...], shortest: int) -> None:
    """Raises ValueError unless the task's variant and length are allowed."""
    if task.variant not in variants:
        raise ValueError(f"variant of {task.name} must be one of {', '.join(variants)}, got {task.variant!r}")
    if not is_whole(task.length):
        raise ValueError(f"length of {task.name} must be a whole number, got {task.length!r}")
    if task.length < shortest:
        raise ValueError(f"length of {task.name} must be at least {shortest}, got {task.length}")
