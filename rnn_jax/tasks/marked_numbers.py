"""Two marked numbers of a sequence: what the adding, multiplication and XOR problems share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import checked_draw, coins, marked_steps
from rnn_jax.tasks.task import (
    Batch,
    Task,
    checked_outputs,
    checked_variant,
    masked_accuracy,
    mean_squared_error,
    regression_baseline,
)


def longest(length: int, varied: bool) -> int:
    """The number of steps: a tenth more where the length of the examples varies."""
    return length + length // 10 if varied else length


def marked_pair(
    key: Array, batch_size: int, length: int, placement: str, varied: bool = False, bits: bool = False
) -> tuple[Float[Array, "batch time 2"], Float[Array, "batch 2"]]:
    """Numbers with two marks, and the two marked numbers, in float32.

    Args:
        key: a random key.
        batch_size: how many examples.
        length: of a sequence; where it varies, the shortest.
        placement: of the marks, see `marked_steps`.
        varied: whether each example's length is uniform on length..length + length // 10. All take
            as many steps: shorter ones begin later, after steps whose two inputs are 0.
        bits: 0 or 1 in place of numbers uniform on [0, 1).

    Returns:
        inputs: the numbers, and 1 at the two marked steps, else 0.
        marked: the two marked numbers.
    """
    values_key, first_key, second_key, *length_key = jax.random.split(key, 4 if varied else 3)
    steps = longest(length, varied)
    if bits:
        values = coins(values_key, batch_size, steps).astype(jnp.float32)
    else:
        values = jax.random.uniform(values_key, (batch_size, steps), jnp.float32)
    at = jnp.arange(steps, dtype=jnp.int32)[None]
    if varied:
        lengths = _lengths(length_key[0], batch_size, length)
        first, second = marked_steps(placement, first_key, second_key, lengths, batch_size)
        start = steps - lengths
        first, second, values = first + start, second + start, jnp.where(at >= start, values, 0)
    else:
        first, second = marked_steps(placement, first_key, second_key, length, batch_size)
    marks = (at == first) | (at == second)
    marked = jnp.take_along_axis(values, jnp.concatenate([first, second], axis=1), axis=1)
    return jnp.stack([values, marks.astype(jnp.float32)], axis=-1), marked


def _lengths(key: Array, batch_size: int, length: int) -> Int[Array, "batch 1"]:
    return jax.random.randint(key, (batch_size, 1), length, longest(length, varied=True) + 1, jnp.int32)


class MarkedRegression(ABC):
    """A number is made of the two marked ones, and asked for after the last step.

    A subclass is a frozen dataclass with `length` and `variant`, says where the marks of each variant
    stand, and gives `target`, `tolerance` and `solved_below`. The lengths of the examples of variant
    "martens" vary.
    """

    PLACEMENTS: Mapping[str, str]
    length: int
    variant: str
    input_size = 2
    output_size = 1
    target_steps = 1

    @abstractmethod
    def target(self, marked: Float[Array, "batch 2"]) -> Float[Array, " batch"]:
        """What is made of the two numbers."""

    @property
    @abstractmethod
    def tolerance(self) -> float:
        """An answer this near counts as right."""

    @property
    @abstractmethod
    def solved_below(self) -> float:
        """The task is solved at a mean squared error under this."""

    def __post_init__(self: Any) -> None:
        checked_variant(self, tuple(self.PLACEMENTS), shortest=10)

    @property
    def sequence_length(self) -> int:
        """T; for "martens" the longest, length + length // 10."""
        return longest(self.length, self.variant == "martens")

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets have shape (batch, 1, 1)."""
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        placement, varied = self.PLACEMENTS[self.variant], self.variant == "martens"
        inputs, marked = marked_pair(key, batch_size, self.length, placement, varied)
        return Batch(
            inputs=inputs.astype(dtype),
            targets=self.target(marked)[:, None, None].astype(dtype),
            mask=jnp.ones((batch_size, 1), bool),
        )

    def loss(self, outputs: Array, batch: Batch) -> Array:
        """Mean squared error."""
        return mean_squared_error(outputs, batch)

    def accuracy(self, outputs: Array, batch: Batch) -> Array:
        """The fraction of examples within `tolerance` of the target."""
        checked_outputs(outputs, batch)
        return masked_accuracy(jnp.abs(outputs - batch.targets)[..., 0] < self.tolerance, batch)

    def is_solved(self, loss: Array, accuracy: Array) -> Array:
        """Mean squared error under `solved_below`."""
        return loss < self.solved_below

    def baseline(self: Task, key: Array) -> Array:
        """Mean squared error of the best constant."""
        return regression_baseline(self, key)
