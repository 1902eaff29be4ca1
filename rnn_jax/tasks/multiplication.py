"""The multiplication problem."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.tasks.marked_numbers import MarkedRegression

_PLACEMENTS: Mapping[str, str] = MappingProxyType(
    {"halves": "halves", "pascanu": "tenths", "martens": "tenths"}
)
_VARIANCE = 7 / 144  # of the product of two independent numbers uniform on [0, 1)


@dataclass(frozen=True)
class Multiplication(MarkedRegression):
    """Multiply the two marked numbers of a sequence.

    Input 0 is uniform on [0, 1), input 1 is 1 at two steps and 0 elsewhere; the target, asked for
    after the last step, is the product of the two numbers so marked. The variants:

    * "halves": one mark in the first half, one in the second, as in `Adding`.
    * "pascanu": one mark in the first tenth, one from there to the middle.
    * "martens": the same marks; each example's length is uniform on length..1.1 length: shorter ones
      begin after steps of zeros, so that all end together.

    Solved when the mean squared error is under 0.006 of the target's variance, as for adding;
    accuracy is the fraction within 0.04 of the product, the criterion of the original paper.

    References:
        Hochreiter & Schmidhuber 1997, experiment 5. pascanu: Pascanu, Mikolov, Bengio 2013, arXiv
        1211.5063, and the code they published; there all sequences of a batch share a random length,
        ours have one length. martens: Martens & Sutskever 2011, and its supplement.
    """

    length: int
    variant: str = "halves"

    PLACEMENTS = _PLACEMENTS
    VARIANTS = tuple(_PLACEMENTS)
    name = "multiplication"
    metric = "within_0.04_of_product"

    def target(self, marked: Float[Array, "batch 2"]) -> Float[Array, " batch"]:
        """Their product."""
        return jnp.prod(marked, axis=1)

    @property
    def tolerance(self) -> float:
        """0.04 of the product."""
        return 0.04

    @property
    def solved_below(self) -> float:
        """0.006 of the product's variance, 7/144, which is the best constant's error."""
        return 0.006 * _VARIANCE
