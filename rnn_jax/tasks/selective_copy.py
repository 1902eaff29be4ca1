"""Copy symbols strewn among blanks."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import below, bits, checked_draw, put, subset
from rnn_jax.tasks.task import Batch, Classification, checked_variant

# Of each variant, how many symbols and of how many kinds.
_PATTERNS = {"mamba": (16, 14), "denoise": (10, 8)}


@dataclass(frozen=True)
class SelectiveCopy(Classification):
    """Repeat, in their order, the symbols that stood at random places among blanks.

    `length` steps of blanks, with symbols at different places, every choice of them equally likely; then
    the answer is asked for. Steps are one-hot: blank 0, the symbols, and last the marker. The variants:

    * "mamba": sixteen symbols of fourteen kinds; then sixteen markers, and targets at those only.
    * "denoise": ten symbols of eight kinds; then one marker and nine blanks; a target at every step,
      blank before the marker, so that the net must also keep silent.

    Solved when at least 0.99 of the copied symbols are right. Accuracy counts only those; the baseline
    is a uniform guess of each, ln 14, or for "denoise" 10 ln 8 / (length + 10).

    References:
        mamba: Gu & Dao 2023, arXiv 2312.00752, who never released their setting; ours is that of the S4
        code (state-spaces/s4, copying, variable) with their sixteen symbols and vocabulary of sixteen.
        denoise: after Jing et al. 2019, arXiv 1706.02761, with the alphabet of `Copy`.
    """

    length: int
    variant: str = "mamba"

    VARIANTS = tuple(_PATTERNS)
    name = "selective_copy"
    draws_version = 3
    metric = "recall_accuracy"

    def __post_init__(self) -> None:
        known = isinstance(self.variant, str) and self.variant in _PATTERNS
        checked_variant(self, self.VARIANTS, shortest=_PATTERNS[self.variant][0] if known else 1)

    @property
    def sequence_length(self) -> int:
        """length + 16 for "mamba", length + 10 for "denoise"."""
        return self.length + _PATTERNS[self.variant][0]

    @property
    def target_steps(self) -> int:
        """The sixteen last for "mamba", every step for "denoise"."""
        return _PATTERNS[self.variant][0] if self.variant == "mamba" else self.sequence_length

    @property
    def input_size(self) -> int:
        """Blank, the kinds of symbol, and the marker."""
        return _PATTERNS[self.variant][1] + 2

    @property
    def output_size(self) -> int:
        """Blank, which "mamba" never asks for, and the kinds of symbol."""
        return _PATTERNS[self.variant][1] + 1

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets are classes, 0 for blank."""
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        count, kinds = _PATTERNS[self.variant]
        for_symbols, for_places = bits(key, batch_size, count, count)
        symbols = 1 + below(for_symbols, kinds)
        places = jnp.sort(subset(for_places, self.length), axis=1)
        shown = put(jnp.zeros((batch_size, self.length), jnp.int32), places, symbols)
        marker, markers = kinds + 1, count if self.variant == "mamba" else 1
        asking = jnp.zeros((batch_size, count), jnp.int32).at[:, :markers].set(marker)
        silent = self.target_steps - count
        return Batch(
            inputs=jax.nn.one_hot(jnp.concatenate([shown, asking], axis=1), self.input_size, dtype=dtype),
            targets=jnp.pad(symbols, ((0, 0), (silent, 0))),
            mask=jnp.broadcast_to(jnp.arange(self.target_steps) >= silent, (batch_size, self.target_steps)),
        )
