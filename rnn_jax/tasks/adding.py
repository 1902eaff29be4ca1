"""The adding problem."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.dtypes import float_dtype
from rnn_jax.keys import checked_key
from rnn_jax.tasks.marked_numbers import longest, marked_pair
from rnn_jax.tasks.task import (
    Batch,
    checked_variant,
    masked_accuracy,
    mean_squared_error,
    regression_baseline,
)

_PLACEMENTS = {"halves": "halves", "anywhere": "anywhere", "mean": "tenths", "martens": "tenths"}


@dataclass(frozen=True)
class Adding:
    """Add the two marked numbers of a sequence.

    Input 0 is uniform on [0, 1), input 1 is 1 at two steps and 0 elsewhere; the target, asked for
    after the last step, is made of the two numbers so marked. The variants:

    * "halves": one mark in the first half, one in the second; their sum (uRNN, IndRNN, LEM).
    * "anywhere": two different steps, uniform over all; their sum (TCN).
    * "mean": one mark in the first tenth, one from there to the middle; their mean (Pascanu).
    * "martens": marks as in "mean"; their sum. Each example's length is uniform on length..1.1 length:
      shorter ones begin after steps of zeros, so that all end together (Martens & Sutskever).

    Solved when the mean squared error is under 1e-3 (of the sum; for the mean, a quarter of that).
    Accuracy is the fraction within 0.04 of the sum, the criterion of the original paper.

    References:
        Hochreiter & Schmidhuber 1997, experiment 4. halves: Arjovsky, Shah, Bengio 2016, arXiv
        1511.06464, section 5.1. anywhere: Bai, Kolter, Koltun 2018, arXiv 1803.01271, and the code
        they published. mean: Pascanu, Mikolov, Bengio 2013, arXiv 1211.5063, and the code they
        published; there all sequences of a batch share a random length, ours have one length. martens:
        Martens & Sutskever 2011, and its supplement.
    """

    length: int
    variant: str = "halves"

    VARIANTS = tuple(_PLACEMENTS)
    name = "adding"
    input_size = 2
    output_size = 1
    target_steps = 1
    metric = "within_0.04_of_sum"

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest=10)

    @property
    def sequence_length(self) -> int:
        """T; for "martens" the longest, length + length // 10."""
        return longest(self.length, self.variant == "martens")

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets have shape (batch, 1, 1)."""
        checked_key(key)
        dtype = float_dtype(dtype)
        placement, varied = _PLACEMENTS[self.variant], self.variant == "martens"
        inputs, marked = marked_pair(key, batch_size, self.length, placement, varied)
        total = jnp.sum(marked, axis=1, keepdims=True)
        return Batch(
            inputs=inputs.astype(dtype),
            targets=(total * self._scale())[..., None].astype(dtype),
            mask=jnp.ones((batch_size, 1), bool),
        )

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
