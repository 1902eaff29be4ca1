"""The random permutation problem."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import below, bits, checked_draw
from rnn_jax.tasks.task import Batch, Classification, checked_variant

_SYMBOLS = 100


@dataclass(frozen=True)
class RandomPermutation(Classification):
    """Tell after the last step which of two symbols came first; all between is random.

    Each step is one-hot over 100 symbols. The first is symbol 0 or 1, every other one is drawn
    uniformly from the 98 others. The answer, the first symbol, is one of 100 classes.

    Solved when at least 0.99 of the sequences are classified right; the baseline is a coin, ln 2.

    References:
        Hochreiter & Schmidhuber 1997, experiment 2b. pascanu: Martens & Sutskever 2011, and Pascanu,
        Mikolov, Bengio 2013, arXiv 1211.5063, in the form of the code that these published.
    """

    length: int
    variant: str = "pascanu"

    VARIANTS = ("pascanu",)
    name = "random_permutation"
    draws_version = 2
    input_size = _SYMBOLS
    output_size = _SYMBOLS
    target_steps = 1

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest=2)

    @property
    def sequence_length(self) -> int:
        """T."""
        return self.length

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets are classes of shape (batch, 1)."""
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        for_first, for_others = bits(key, batch_size, 1, self.length - 1)
        first, others = below(for_first, 2), 2 + below(for_others, _SYMBOLS - 2)
        return Batch(
            inputs=jax.nn.one_hot(jnp.concatenate([first, others], axis=1), _SYMBOLS, dtype=dtype),
            targets=first,
            mask=jnp.ones((batch_size, 1), bool),
        )
