"""The temporal order problem."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import checked_draw, randint
from rnn_jax.tasks.task import Batch, Classification, checked_variant

# Where the relevant symbols stand, in tenths of the sequence.
_WINDOWS = {"two_symbol": (1, 5), "three_symbol": (1, 3, 6)}


@dataclass(frozen=True)
class TemporalOrder(Classification):
    """Tell in which order two or three relevant symbols came, among four kinds of distractors.

    Each step is one-hot over six symbols: the relevant A and B, and four distractors drawn
    uniformly. Variant "two_symbol" has one relevant symbol in each of the tenths [1, 2) and [5, 6)
    of the sequence and 4 classes; "three_symbol" in the tenths [1, 2), [3, 4), [6, 7) and 8
    classes. The class is asked for after the last step.

    Solved when at least 0.99 of the sequences are classified right; the baseline is a uniform guess, ln 4 or ln 8.

    References:
        Hochreiter & Schmidhuber 1997, experiment 6. The windows in proportion to the length:
        Pascanu, Mikolov, Bengio 2013, arXiv 1211.5063, and the code they published.
    """

    length: int
    variant: str = "two_symbol"

    VARIANTS = tuple(_WINDOWS)
    name = "temporal_order"
    input_size = 6
    target_steps = 1

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest=10)

    @property
    def sequence_length(self) -> int:
        """T."""
        return self.length

    @property
    def output_size(self) -> int:
        """4 classes for two symbols, 8 for three."""
        return 2 ** len(_WINDOWS[self.variant])

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets are classes of shape (batch, 1)."""
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        windows = _WINDOWS[self.variant]
        distractor_key, symbol_key, *place_keys = jax.random.split(key, 2 + len(windows))
        codes = randint(distractor_key, (batch_size, self.length), 2, 6)
        symbols = randint(symbol_key, (batch_size, len(windows)), 0, 2)
        steps = jnp.arange(self.length, dtype=jnp.int32)[None]
        for index, (tenth, place_key) in enumerate(zip(windows, place_keys, strict=True)):
            start, width = tenth * self.length // 10, self.length // 10
            place = jax.random.randint(place_key, (batch_size, 1), start, start + width, jnp.int32)
            codes = jnp.where(steps == place, symbols[:, index : index + 1], codes)
        weights = 2 ** jnp.arange(len(windows), dtype=jnp.int32)
        return Batch(
            inputs=jax.nn.one_hot(codes, 6, dtype=dtype),
            targets=jnp.sum(symbols * weights[None], axis=1, keepdims=True, dtype=jnp.int32),
            mask=jnp.ones((batch_size, 1), bool),
        )
