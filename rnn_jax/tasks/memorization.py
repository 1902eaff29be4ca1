"""Noiseless memorization."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import checked_draw
from rnn_jax.tasks.task import Batch, Classification, checked_variant

# Of each variant, how many symbols and of how many kinds.
_PATTERNS = {"5_bit": (5, 2), "20_bit": (10, 5)}


@dataclass(frozen=True)
class NoiselessMemorization(Classification):
    """Repeat a pattern of symbols after `length` blanks.

    The pattern, `length` blanks, one delimiter, and blanks while the pattern is answered; the delimiter
    comes with the first answer. Steps are one-hot over the kinds of symbol, then blank, then
    delimiter; a target stands at every step: blank, but for the pattern in the last steps. Variant
    "5_bit" has five symbols of two kinds, "20_bit" ten symbols of five kinds (9.8 million patterns).

    Solved when at least 0.99 of the symbols are right. Accuracy counts only those; the baseline is that
    of blanks and then a uniform guess.

    References:
        Martens & Sutskever 2011; Pascanu, Mikolov, Bengio 2013, arXiv 1211.5063, and the code they
        published, after Hochreiter & Schmidhuber 1997.
    """

    length: int
    variant: str = "5_bit"

    VARIANTS = tuple(_PATTERNS)
    name = "noiseless_memorization"
    metric = "recall_accuracy"

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest=1)

    @property
    def sequence_length(self) -> int:
        """length + 10 for "5_bit", length + 20 for "20_bit"."""
        return self.length + 2 * _PATTERNS[self.variant][0]

    @property
    def target_steps(self) -> int:
        """Every step has a target."""
        return self.sequence_length

    @property
    def input_size(self) -> int:
        """The kinds of symbol, blank and delimiter."""
        return _PATTERNS[self.variant][1] + 2

    @property
    def output_size(self) -> int:
        """The kinds of symbol, and blank."""
        return _PATTERNS[self.variant][1] + 1

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets are classes of shape (batch, sequence_length)."""
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        count, kinds = _PATTERNS[self.variant]
        blank, delimiter = kinds, kinds + 1
        pattern = jax.random.randint(key, (batch_size, count), 0, kinds, jnp.int32)
        blanks = jnp.full((batch_size, self.length + count), blank, jnp.int32)
        codes = jnp.concatenate([pattern, blanks.at[:, self.length].set(delimiter)], axis=1)
        recalled = jnp.arange(self.sequence_length, dtype=jnp.int32) >= self.length + count
        return Batch(
            inputs=jax.nn.one_hot(codes, self.input_size, dtype=dtype),
            targets=jnp.concatenate([blanks, pattern], axis=1),
            mask=jnp.broadcast_to(recalled, (batch_size, self.sequence_length)),
        )
