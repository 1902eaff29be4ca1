"""Echo of the input after a delay."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import below, bits, checked_draw
from rnn_jax.tasks.task import Batch, Classification, checked_variant

_KINDS = {"symbols": 8, "bits": 2}


@dataclass(frozen=True)
class DelayedCopy(Classification):
    """Say at each step which symbol came `length` steps ago.

    2 length steps, each one-hot over symbols drawn uniformly, eight kinds for "symbols", two for "bits";
    a target at each of the last `length`. `length` symbols have to be remembered at any time.

    Solved when at least 0.99 are right; the baseline is a uniform guess, ln 8 or ln 2.

    References:
        Jaeger 2001, Short term memory in echo state networks, GMD report 152, with symbols in place of
        real numbers; the lag task of the S4 code (state-spaces/s4, copying, lag), without the steps
        that ask for what came before the sequence.
    """

    length: int
    variant: str = "symbols"

    VARIANTS = tuple(_KINDS)
    name = "delayed_copy"
    draws_version = 2

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest=1)

    @property
    def sequence_length(self) -> int:
        """2 length."""
        return 2 * self.length

    @property
    def target_steps(self) -> int:
        """The last `length`."""
        return self.length

    @property
    def input_size(self) -> int:
        """The kinds of symbol."""
        return _KINDS[self.variant]

    @property
    def output_size(self) -> int:
        """The kinds of symbol."""
        return _KINDS[self.variant]

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets are classes of shape (batch, length)."""
        checked_draw(key, batch_size)
        kinds, dtype = _KINDS[self.variant], float_dtype(dtype)
        (drawn,) = bits(key, batch_size, self.sequence_length)
        codes = below(drawn, kinds)
        return Batch(
            inputs=jax.nn.one_hot(codes, kinds, dtype=dtype),
            targets=codes[:, : self.length],
            mask=jnp.ones((batch_size, self.length), bool),
        )
