"""The copy problem, also called copying memory."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import checked_draw, randint
from rnn_jax.tasks.task import Batch, Classification, checked_variant

_COPIED = 10
_SYMBOLS = 8


@dataclass(frozen=True)
class Copy(Classification):
    """Repeat ten symbols, of eight kinds, that were shown `length` steps ago.

    A sequence has length + 20 steps. A target stands at every step: blank, but for the ten symbols
    in the last ten steps. The variants lay the input out differently:

    * "urnn": ten symbols, length - 1 blanks, one delimiter, ten blanks; one-hot over ten classes
      (eight symbols, blank 8, delimiter 9); nine output classes.
    * "tcn": ten digits 1..8, length - 1 zeros, eleven nines; the digit itself is the one real
      input; ten output classes.
    * "exprnn": ten symbols, length blanks, one delimiter, nine blanks; one-hot over ten classes (blank
      0, symbols 1..8, delimiter 9); nine output classes. The delimiter comes with the first answer.

    Solved when at least 0.99 of the copied symbols are right. Accuracy counts only those; the
    baseline is that of blanks and then a uniform guess, 10 ln 8 / (length + 20).

    References:
        Hochreiter & Schmidhuber 1997. urnn: Arjovsky, Shah, Bengio 2016, arXiv 1511.06464, section
        5.1. tcn: Bai, Kolter, Koltun 2018, arXiv 1803.01271, and the code they published. exprnn:
        Lezcano-Casado & Martinez-Rubio 2019, arXiv 1901.08428, and the code they published.
    """

    length: int
    variant: str = "urnn"

    VARIANTS = ("urnn", "tcn", "exprnn")
    name = "copy"
    metric = "recall_accuracy"

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest=1)

    @property
    def sequence_length(self) -> int:
        """length + 20."""
        return self.length + 2 * _COPIED

    @property
    def target_steps(self) -> int:
        """Every step has a target."""
        return self.sequence_length

    @property
    def input_size(self) -> int:
        """One real number for "tcn", else a one-hot of 10."""
        return 1 if self.variant == "tcn" else 10

    @property
    def output_size(self) -> int:
        """10 classes for "tcn", else 9."""
        return 10 if self.variant == "tcn" else 9

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets are classes of shape (batch, length + 20)."""
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        steps = self.sequence_length
        drawn = randint(key, (batch_size, _COPIED), 0, _SYMBOLS)
        symbols, blank = (drawn, _SYMBOLS) if self.variant == "urnn" else (drawn + 1, 0)
        rest = jnp.full((batch_size, steps - _COPIED), blank, jnp.int32)
        # Counted from the end of the ten symbols.
        delimiter = self.length if self.variant == "exprnn" else self.length - 1
        if self.variant == "tcn":
            codes = jnp.concatenate([symbols, rest.at[:, delimiter:].set(9)], axis=1)
            inputs = codes[..., None].astype(dtype)
        else:
            codes = jnp.concatenate([symbols, rest.at[:, delimiter].set(9)], axis=1)
            inputs = jax.nn.one_hot(codes, 10, dtype=dtype)
        recalled = jnp.arange(steps, dtype=jnp.int32) >= steps - _COPIED
        return Batch(
            inputs=inputs,
            targets=jnp.concatenate([rest, symbols], axis=1),
            mask=jnp.broadcast_to(recalled, (batch_size, steps)),
        )
