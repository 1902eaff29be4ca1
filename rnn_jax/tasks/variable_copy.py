"""The copy problem when the net cannot count on a fixed delay."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import below, bits, checked_draw
from rnn_jax.tasks.task import Batch, Classification, checked_variant

_MOST = 10
_SYMBOLS, _BLANK, _DELIMITER = 8, 8, 9


@dataclass(frozen=True)
class VariableCopy(Classification):
    """Repeat the symbols shown at the start once a delimiter comes, after a delay not known beforehand.

    The alphabet and length of `Copy`'s variant "urnn": one-hot over eight symbols, blank 8 and delimiter
    9; length + 20 steps, a target at every step: blank, but for the symbols in the steps that follow the
    delimiter. The variants:

    * "delay": ten symbols, then 0 to length - 1 blanks, each as likely, then the delimiter, then blanks.
    * "count": one to ten symbols, each number as likely, then blanks; the delimiter always at the same
      step, as in `Copy`.

    Solved when at least 0.99 of the copied symbols are right. Accuracy counts only those; the baseline
    is the guess that sees the delimiter and knows how many symbols are due: blanks, and then one of
    eight; 10 ln 8 / (length + 20) for "delay", 5.5 ln 8 / (length + 20) for "count".

    References:
        delay: Henaff, Szlam, LeCun 2016, arXiv 1602.06662, variable length copy. count: the same
        question with the number of symbols varied, as in Graves, Wayne, Danihelka 2014, arXiv 1410.5401,
        in the layout of Arjovsky, Shah, Bengio 2016, arXiv 1511.06464.
    """

    length: int
    variant: str = "delay"

    VARIANTS = ("delay", "count")
    name = "variable_copy"
    draws_version = 2
    metric = "recall_accuracy"
    input_size = 10
    output_size = 9

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest=1)

    @property
    def sequence_length(self) -> int:
        """length + 20."""
        return self.length + 2 * _MOST

    @property
    def target_steps(self) -> int:
        """Every step has a target."""
        return self.sequence_length

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets are classes of shape (batch, length + 20)."""
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        for_symbols, for_choice = bits(key, batch_size, _MOST, 1)
        symbols = below(for_symbols, _SYMBOLS)
        if self.variant == "delay":
            count = jnp.full((batch_size, 1), _MOST, jnp.int32)
            delay = below(for_choice, self.length)
        else:
            count = 1 + below(for_choice, _MOST)
            delay = jnp.full((batch_size, 1), self.length - 1, jnp.int32)
        steps = jnp.arange(self.sequence_length, dtype=jnp.int32)[None]
        delimiter = _MOST + delay
        place = steps - delimiter - 1
        asked = (place >= 0) & (place < count)
        recalled = jnp.take_along_axis(symbols, jnp.clip(place, 0, _MOST - 1), axis=1)
        shown = jnp.pad(symbols, ((0, 0), (0, self.sequence_length - _MOST)))
        codes = jnp.where(steps < count, shown, jnp.where(steps == delimiter, _DELIMITER, _BLANK))
        return Batch(
            inputs=jax.nn.one_hot(codes, self.input_size, dtype=dtype),
            targets=jnp.where(asked, recalled, _BLANK),
            mask=asked,
        )
