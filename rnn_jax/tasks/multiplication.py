"""The multiplication problem."""

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

_PLACEMENTS = {"halves": "halves", "pascanu": "tenths", "martens": "tenths"}
_VARIANCE = 7 / 144  # of the product of two independent numbers uniform on [0, 1)


@dataclass(frozen=True)
class Multiplication:
    """Multiply the two marked numbers of a sequence.

    Input 0 is uniform on [0, 1), input 1 is 1 at two steps and 0 elsewhere; the target, asked for
    after the last step, is the product of the two numbers so marked. The variants:

    * "halves": one mark in the first half, one in the second, as in `Adding`.
    * "pascanu": one mark in the first tenth, one from there to the middle.
    * "martens": the same marks; each example's length is uniform on length..1.1 length: shorter ones
      begin after steps of zeros, so that all end together.

    Solved when the mean squared error is under 0.006 of the target's variance, as for adding;
    accuracy is the fraction within 0.04 of the product, the criterion of the original paper.

    References:
        Hochreiter & Schmidhuber 1997, experiment 5. pascanu: Pascanu, Mikolov, Bengio 2013, arXiv
        1211.5063, and the code they published; there all sequences of a batch share a random length,
        ours have one length. martens: Martens & Sutskever 2011, and its supplement.
    """

    length: int
    variant: str = "halves"

    VARIANTS = tuple(_PLACEMENTS)
    name = "multiplication"
    input_size = 2
    output_size = 1
    target_steps = 1
    metric = "within_0.04_of_product"

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
        return Batch(
            inputs=inputs.astype(dtype),
            targets=jnp.prod(marked, axis=1)[:, None, None].astype(dtype),
            mask=jnp.ones((batch_size, 1), bool),
        )

    def loss(self, outputs: Array, batch: Batch) -> Array:
        """Mean squared error."""
        return mean_squared_error(outputs, batch)

    def accuracy(self, outputs: Array, batch: Batch) -> Array:
        """The fraction of examples within 0.04 of the product."""
        return masked_accuracy(jnp.abs(outputs - batch.targets)[..., 0] < 0.04, batch)

    def is_solved(self, loss: Array, accuracy: Array) -> Array:
        """Mean squared error under 0.006 of the product's variance, 7/144."""
        return loss < 0.006 * _VARIANCE

    def baseline(self, key: Array) -> Array:
        """Mean squared error of the best constant; 7/144 for a product of two uniform numbers."""
        return regression_baseline(self, key)
