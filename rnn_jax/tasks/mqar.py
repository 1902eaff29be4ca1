"""Multi-query associative recall."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, UInt

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import below, bits, checked_draw, distinct, places_by_rank, put
from rnn_jax.tasks.task import Batch, Classification, checked_variant

_KEYS = 64
_VALUES = 64
_STEPS_PER_PAIR = 16
_POWER = 0.01


@dataclass(frozen=True)
class MQAR(Classification):
    """Give the value of every key that comes again: multi-query associative recall.

    One pair of key and value for every 16 steps comes first, keys different, values different; then every
    key once more, at every second step at most, sooner more often than later: the k-th such place with a
    weight of k**-0.99, drawn without replacement. Steps are one-hot over blank 0, 64 keys and 64 values;
    the answers are the 64 values. Variant "zoology" has uniform random symbols wherever neither pair nor
    key stands, "blank" has blanks there.

    Only the steps where a key comes again ask for anything: loss, accuracy and baseline count those.
    Solved when at least 0.99 are right; the baseline is a uniform guess, ln 64.

    References:
        Arora et al. 2023, arXiv 2312.04927 (Zoology), and the code they published, with 4, 8 and 16
        pairs in 64, 128 and 256 steps as there (512 steps have 64 pairs there, 32 here), a vocabulary of
        129 in place of 8,192, and one-hot inputs in place of a learnt embedding.
    """

    length: int
    variant: str = "zoology"

    VARIANTS = ("zoology", "blank")
    name = "mqar"
    draws_version = 3
    input_size = 1 + _KEYS + _VALUES
    output_size = _VALUES
    masked_loss = True

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest=_STEPS_PER_PAIR)
        if self.pairs > _KEYS:
            longest = _STEPS_PER_PAIR * (_KEYS + 1) - 1
            raise ValueError(f"length of {self.name} must be at most {longest}, got {self.length}")

    @property
    def pairs(self) -> int:
        """How many pairs are shown, and asked for."""
        return self.length // _STEPS_PER_PAIR

    @property
    def sequence_length(self) -> int:
        """T."""
        return self.length

    @property
    def target_steps(self) -> int:
        """All that follow the pairs; the mask is True where a key comes again."""
        return self.length - 2 * self.pairs

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets are classes, 0 where nothing is asked for."""
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        is_filled = self.variant == "zoology"
        for_keys, for_values, for_places, for_rest = bits(
            key, batch_size, _KEYS, _VALUES, self.target_steps // 2, self.target_steps if is_filled else 0
        )
        keys, values = 1 + distinct(for_keys, self.pairs), distinct(for_values, self.pairs)
        places = 2 * _weighted_places(for_places)[:, : self.pairs]
        nothing = jnp.zeros((batch_size, self.target_steps), jnp.int32)
        asked = put(nothing, places, jnp.ones_like(places)) == 1
        rest = below(for_rest, self.input_size) if is_filled else nothing
        pairs = jnp.stack([keys, 1 + _KEYS + values], axis=-1).reshape(batch_size, 2 * self.pairs)
        return Batch(
            inputs=jax.nn.one_hot(
                jnp.concatenate([pairs, put(rest, places, keys)], axis=1), self.input_size, dtype=dtype
            ),
            targets=put(nothing, places, values),
            mask=asked,
        )


def _weighted_places(drawn: UInt[Array, "batch size"]) -> Int[Array, "batch size"]:
    """All numbers k under `size`, drawn one after another with weights (k + 1)**-0.99.

    Exponential waiting times divided by the weights come in the order of such draws.
    """
    waits = -jnp.log1p(-(drawn >> 8).astype(jnp.float32) / 2**24)
    weights = jnp.arange(1, drawn.shape[1] + 1, dtype=jnp.float32) ** (_POWER - 1)
    # Floating-point numbers that are not negative are ordered as their bits are.
    return places_by_rank(jax.lax.bitcast_convert_type(waits / weights[None], jnp.uint32))
