"""The adding problem."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.dtypes import float_dtype
from rnn_jax.keys import checked_key
from rnn_jax.tasks.task import (
    Batch,
    checked_variant,
    masked_accuracy,
    mean_squared_error,
    regression_baseline,
)


@dataclass(frozen=True)
class Adding:
    """Add the two marked numbers of a sequence.

    Input 0 is uniform on [0, 1), input 1 is 1 at two steps and 0 elsewhere; the target, asked for
    after the last step, is made of the two numbers so marked. The variants:

    * "halves": one mark in the first half, one in the second; their sum (uRNN, IndRNN, LEM).
    * "anywhere": two different steps, uniform over all; their sum (TCN).
    * "mean": one mark in the first tenth, one from there to the middle; their mean (Pascanu).

    Solved when the mean squared error is under 1e-3 (of the sum; for the mean, a quarter of that).
    Accuracy is the fraction within 0.04 of the sum, the criterion of the original paper.

    References:
        Hochreiter & Schmidhuber 1997, experiment 4. halves: Arjovsky, Shah, Bengio 2016, arXiv
        1511.06464, section 5.1. anywhere: Bai, Kolter, Koltun 2018, arXiv 1803.01271, and the code
        they published. mean: Pascanu, Mikolov, Bengio 2013, arXiv 1211.5063, and the code they
        published; their sequences vary in length by a tenth, ours have one length.
    """

    length: int
    variant: str = "halves"

    VARIANTS = ("halves", "anywhere", "mean")
    name = "adding"
    input_size = 2
    output_size = 1
    target_steps = 1
    metric = "within_0.04_of_sum"

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest=10)

    @property
    def sequence_length(self) -> int:
        """T."""
        return self.length

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets have shape (batch, 1, 1)."""
        checked_key(key)
        dtype = float_dtype(dtype)
        values_key, first_key, second_key = jax.random.split(key, 3)
        values = jax.random.uniform(values_key, (batch_size, self.length), jnp.float32)
        first, second = self._marks(first_key, second_key, (batch_size, 1))
        steps = jnp.arange(self.length, dtype=jnp.int32)[None]
        marks = (steps == first) | (steps == second)
        total = jnp.take_along_axis(values, first, axis=1) + jnp.take_along_axis(values, second, axis=1)
        return Batch(
            inputs=jnp.stack([values, marks.astype(jnp.float32)], axis=-1).astype(dtype),
            targets=(total * self._scale())[..., None].astype(dtype),
            mask=jnp.ones((batch_size, 1), bool),
        )

    def _marks(self, first_key: Array, second_key: Array, shape: tuple[int, int]) -> tuple[Array, Array]:
        def steps(key: Array, low: int, high: int) -> Array:
            return jax.random.randint(key, shape, low, high, jnp.int32)

        length = self.length
        if self.variant == "halves":
            return steps(first_key, 0, length // 2), steps(second_key, length // 2, length)
        if self.variant == "mean":
            return steps(first_key, 0, length // 10), steps(second_key, length // 10, length // 2)
        first = steps(first_key, 0, length)
        other = steps(second_key, 0, length - 1)
        # Uniform over the steps that are not the first.
        return first, other + (other >= first).astype(jnp.int32)

    def _scale(self) -> float:
        return 0.5 if self.variant == "mean" else 1.0

    def loss(self, outputs: Array, batch: Batch) -> Array:
        """Mean squared error."""
        return mean_squared_error(outputs, batch)

    def accuracy(self, outputs: Array, batch: Batch) -> Array:
        """The fraction of examples within 0.04 of the sum."""
        return masked_accuracy(jnp.abs(outputs - batch.targets)[..., 0] < 0.04 * self._scale(), batch)

    def is_solved(self, loss: Array, accuracy: Array) -> Array:
        """Mean squared error under 1e-3 of the sum."""
        return loss < 1e-3 * self._scale() ** 2

    def baseline(self, key: Array) -> Array:
        """Mean squared error of the best constant; 1/6 for a sum of two uniform numbers."""
        return regression_baseline(self, key)
