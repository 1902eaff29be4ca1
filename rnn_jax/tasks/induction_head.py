"""Complete a pair that was seen once."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import below, bits, checked_draw
from rnn_jax.tasks.task import Batch, Classification, checked_variant

_ORDINARY = 15


@dataclass(frozen=True)
class InductionHead(Classification):
    """Give the symbol that followed the special one when that comes again at the end.

    Each step is one-hot over sixteen symbols: fifteen ordinary ones, drawn uniformly, and the special one,
    15, which stands at the last step and at one other, uniform over the first length - 2. The answer is
    the ordinary symbol after that one.

    Solved when at least 0.99 of the sequences are right; the baseline is a uniform guess, ln 15.

    References:
        mamba: Gu & Dao 2023, arXiv 2312.00752, induction heads: vocabulary 16, length 256 (they also test
        the trained net at other lengths); after Olsson et al. 2022, arXiv 2209.11895.
    """

    length: int
    variant: str = "mamba"

    VARIANTS = ("mamba",)
    name = "induction_head"
    draws_version = 2
    input_size = _ORDINARY + 1
    output_size = _ORDINARY
    target_steps = 1

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest=3)

    @property
    def sequence_length(self) -> int:
        """T."""
        return self.length

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets are classes of shape (batch, 1)."""
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        for_symbols, for_place = bits(key, batch_size, self.length, 1)
        symbols, place = below(for_symbols, _ORDINARY), below(for_place, self.length - 2)
        steps = jnp.arange(self.length, dtype=jnp.int32)[None]
        special = (steps == place) | (steps == self.length - 1)
        return Batch(
            inputs=jax.nn.one_hot(jnp.where(special, _ORDINARY, symbols), self.input_size, dtype=dtype),
            targets=jnp.take_along_axis(symbols, place + 1, axis=1),
            mask=jnp.ones((batch_size, 1), bool),
        )
