"""The adding problem."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.tasks.marked_numbers import MarkedRegression

_PLACEMENTS: Mapping[str, str] = MappingProxyType(
    {"halves": "halves", "anywhere": "anywhere", "mean": "tenths", "martens": "tenths"}
)


@dataclass(frozen=True)
class Adding(MarkedRegression):
    """Add the two marked numbers of a sequence.

    Input 0 is uniform on [0, 1), input 1 is 1 at two steps and 0 elsewhere; the target, asked for
    after the last step, is made of the two numbers so marked. The variants:

    * "halves": one mark in the first half, one in the second; their sum (uRNN, IndRNN, LEM).
    * "anywhere": two different steps, uniform over all; their sum (TCN).
    * "mean": one mark in the first tenth, one from there to the middle; their mean (Pascanu).
    * "martens": marks as in "mean"; their sum. Each example's length is uniform on length..1.1 length:
      shorter ones begin after steps of zeros, so that all end together (Martens & Sutskever).

    Solved when the mean squared error is under 1e-3 (of the sum; for the mean, a quarter of that).
    Accuracy is the fraction within 0.04 of the sum, the criterion of the original paper.

    References:
        Hochreiter & Schmidhuber 1997, experiment 4. halves: Arjovsky, Shah, Bengio 2016, arXiv
        1511.06464, section 5.1. anywhere: Bai, Kolter, Koltun 2018, arXiv 1803.01271, and the code
        they published. mean: Pascanu, Mikolov, Bengio 2013, arXiv 1211.5063, and the code they
        published; there all sequences of a batch share a random length, ours have one length. martens:
        Martens & Sutskever 2011, and its supplement.
    """

    length: int
    variant: str = "halves"

    PLACEMENTS = _PLACEMENTS
    VARIANTS = tuple(_PLACEMENTS)
    name = "adding"
    metric = "within_0.04_of_sum"

    def target(self, marked: Float[Array, "batch 2"]) -> Float[Array, " batch"]:
        """Their sum, or their mean."""
        return self._scale * jnp.sum(marked, axis=1)

    @property
    def tolerance(self) -> float:
        """0.04 of the sum."""
        return 0.04 * self._scale

    @property
    def solved_below(self) -> float:
        """1e-3 of the sum. The best constant has 1/6."""
        return 1e-3 * self._scale**2

    @property
    def _scale(self) -> float:
        return 0.5 if self.variant == "mean" else 1.0
