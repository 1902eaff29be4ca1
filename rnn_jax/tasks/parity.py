"""Parity of a string of bits."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import bits, checked_draw, coins
from rnn_jax.tasks.generalization import LengthGeneralization
from rnn_jax.tasks.task import Batch


@dataclass(frozen=True)
class Parity(LengthGeneralization):
    """Tell after the last step whether the number of ones in a string of bits is odd.

    Each bit is one-hot over two symbols. Variant "varied": the string's length is uniform on 1..length,
    and steps before it have no symbol (all inputs 0); held-out strings are longer, length + 2 to 5
    length. Variant "fixed": all strings have `length` bits, held-out ones 5 length.

    Solved when at least 0.99 of the longer strings are right; the baseline is a coin, ln 2.

    References:
        Deletang et al. 2022, arXiv 2207.02098, parity check: trained on lengths 1..40, tested on up to 500.
    """

    name = "parity"
    draws_version = 2
    input_size = 2
    output_size = 2

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets are classes of shape (batch, 1)."""
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        symbol_key, length_key = jax.random.split(key)
        symbols = coins(symbol_key, batch_size, self.length)
        (for_lengths,) = bits(length_key, batch_size, 1)
        steps = jnp.arange(self.length, dtype=jnp.int32)[None]
        there = steps >= self.length - self.lengths(for_lengths)
        ones = jnp.sum(jnp.where(there, symbols, 0), axis=1, keepdims=True, dtype=jnp.int32)
        return Batch(
            inputs=jax.nn.one_hot(jnp.where(there, symbols, -1), 2, dtype=dtype),  # -1 has no symbol
            targets=ones % 2,
            mask=jnp.ones((batch_size, 1), bool),
        )
