"""Exclusive or of two bits far apart."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import checked_draw, coins
from rnn_jax.tasks.marked_numbers import longest, marked_pair
from rnn_jax.tasks.task import Batch, Classification, checked_variant


@dataclass(frozen=True)
class TemporalXOR(Classification):
    """Tell whether two bits that stand far apart differ. Neither alone says anything about it.

    Every step has a random bit, 0 or 1, as a real number. The variants:

    * "marked": input 1 marks two of the bits, one in the first tenth, one from there to the middle, as
      in the adding problem; the class is asked for after the last step. Each example's length is
      uniform on length..1.1 length: shorter ones begin after steps of zeros.
    * "ends": the first and the last bit, after the last step; only one bit need be remembered. Also
      called even pairs, for the number of changes along the sequence is odd when the ends differ.
    * "delayed": at each of the last `length` of 2 length steps, the bit now and the one `length` steps
      ago; `length` bits have to be remembered.

    Solved when at least 0.99 are right; the baseline is a coin, ln 2.

    References:
        marked: Martens & Sutskever 2011, and its supplement. ends: Deletang et al. 2022, arXiv
        2207.02098, even pairs. delayed: after Elman 1990, Finding structure in time, where the third
        bit of every three is the exclusive or of the two before.
    """

    length: int
    variant: str = "marked"

    VARIANTS = ("marked", "ends", "delayed")
    name = "temporal_xor"
    draws_version = 2
    output_size = 2

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest={"marked": 10, "ends": 2}.get(self.variant, 1))

    @property
    def input_size(self) -> int:
        """The bit, and for "marked" the mark."""
        return 2 if self.variant == "marked" else 1

    @property
    def sequence_length(self) -> int:
        """T; for "marked" the longest, length + length // 10; for "delayed" 2 length."""
        if self.variant == "delayed":
            return 2 * self.length
        return longest(self.length, self.variant == "marked")

    @property
    def target_steps(self) -> int:
        """1; `length` for "delayed"."""
        return self.length if self.variant == "delayed" else 1

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets are classes, 1 where the bits differ."""
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        if self.variant == "marked":
            inputs, marked = marked_pair(key, batch_size, self.length, "tenths", varied=True, bits=True)
            pairs = marked[:, :1], marked[:, 1:]
        else:
            bits = coins(key, batch_size, self.sequence_length)
            inputs = bits[..., None]
            pairs = bits[:, : self.target_steps], bits[:, -self.target_steps :]
        return Batch(
            inputs=inputs.astype(dtype),
            targets=(pairs[0] != pairs[1]).astype(jnp.int32),
            mask=jnp.ones((batch_size, self.target_steps), bool),
        )
