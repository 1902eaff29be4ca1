"""Recall the value that was shown with a key."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import below, bits, checked_draw, distinct
from rnn_jax.tasks.task import Batch, Classification, checked_variant

_KEYS, _VALUES = 26, 10
_QUESTION = _KEYS + _VALUES
_DELAYED_PAIRS = 8


@dataclass(frozen=True)
class AssociativeRecall(Classification):
    """Give the digit that stood after a letter, as in c9k8j3f1??c: 9.

    Pairs of a letter and a digit, question marks, and one of the letters shown. The letters of an
    example are different, the digits independent, the letter asked for is any of them. Steps are one-hot
    over 26 letters, ten digits and the question mark. The variants:

    * "ba": `length` pairs (at most 26) and two question marks.
    * "delayed": eight pairs and `length` question marks, over which they have to be kept.

    Solved when at least 0.99 are right; the baseline is a uniform guess, ln 10.

    References:
        ba: Ba, Hinton, Mnih, Leibo, Ionescu 2016, arXiv 1610.06258, section 4.1, a simple form of the
        associative recall of Graves, Wayne, Danihelka 2014, arXiv 1410.5401. delayed: ours.
    """

    length: int
    variant: str = "ba"

    VARIANTS = ("ba", "delayed")
    name = "associative_recall"
    draws_version = 3
    input_size = _QUESTION + 1
    output_size = _VALUES
    target_steps = 1

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest=1)
        if self.variant == "ba" and self.length > _KEYS:
            raise ValueError(
                f"length of {self.name}, variant 'ba', must be at most {_KEYS}, got {self.length}"
            )

    @property
    def pairs(self) -> int:
        """How many pairs are shown."""
        return self.length if self.variant == "ba" else _DELAYED_PAIRS

    @property
    def question_marks(self) -> int:
        """How many stand between the pairs and the letter asked for."""
        return 2 if self.variant == "ba" else self.length

    @property
    def sequence_length(self) -> int:
        """Two steps a pair, the question marks, and the letter."""
        return 2 * self.pairs + self.question_marks + 1

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets are classes of shape (batch, 1)."""
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        for_letters, for_digits, for_asked = bits(key, batch_size, _KEYS, self.pairs, 1)
        letters = distinct(for_letters, self.pairs)
        digits, asked = below(for_digits, _VALUES), below(for_asked, self.pairs)
        pairs = jnp.stack([letters, _KEYS + digits], axis=-1).reshape(batch_size, 2 * self.pairs)
        marks = jnp.full((batch_size, self.question_marks), _QUESTION, jnp.int32)
        codes = jnp.concatenate([pairs, marks, jnp.take_along_axis(letters, asked, axis=1)], axis=1)
        return Batch(
            inputs=jax.nn.one_hot(codes, self.input_size, dtype=dtype),
            targets=jnp.take_along_axis(digits, asked, axis=1),
            mask=jnp.ones((batch_size, 1), bool),
        )
