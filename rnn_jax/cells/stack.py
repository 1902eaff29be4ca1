"""Several cells on top of one another."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.initializers import checked_layers
from rnn_jax.cells.normalization import normalized
from rnn_jax.step import State


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Stack:
    """A deep net: each layer's input at a step is the output of the layer under it at the same step.

    Its state is the tuple of all layers' states, the lowest first, so that a chain covers every path
    through layers and time; its output is that of the highest layer.

    Attributes:
        layers: the cells, the lowest first.
        normalized: whether a layer's input is normalized to mean 0 and variance 1 over units, but for the
            lowest layer's.
        skip: whether a layer's input is added to its output, as in a residual net, but for the lowest layer's.

    References:
        Schmidhuber 1992 and El Hihi & Bengio 1995 (stacks); He et al. 2016, arXiv 1603.05027 (skips); Ba, Kiros,
        Hinton 2016, arXiv 1607.06450 (normalization, here without gain and bias: the next layer has both).
    """

    layers: tuple[Any, ...]
    normalized: bool = field(metadata={"static": True})
    skip: bool = field(metadata={"static": True})

    structure = "dense"

    @classmethod
    def create(cls, layers: Sequence[Any], *, normalized: bool = False, skip: bool = False) -> "Stack":
        """Puts cells on top of one another.

        Args:
            layers: cells, the lowest first; the input size of each is the output size of the one under it.
            normalized, skip: see above.

        Raises:
            ValueError: there is no layer, or a layer's output does not fit the one above it.
        """
        stack = cls(checked_layers(layers), bool(normalized), bool(skip))
        sizes = [jax.eval_shape(lambda cell=cell: cell.output(cell.initial_state())) for cell in stack.layers]
        for place, (below, here) in enumerate(pairwise(sizes), start=1):
            cell, state = stack.layers[place], stack.layers[place].initial_state()
            try:
                jax.eval_shape(cell, state, below)
            except TypeError as error:
                raise ValueError(
                    f"layers[{place}] must take the output of the layer under it, shape {below.shape}: {error}"
                ) from error
            if skip and here.shape != below.shape:
                raise ValueError(
                    f"skip adds outputs of layers[{place - 1}] and layers[{place}], which have shapes "
                    f"{below.shape} and {here.shape}; give both the same hidden_size"
                )
        return stack

    def initial_state(self) -> tuple[State, ...]:
        """Those of the layers."""
        return tuple(cell.initial_state() for cell in self.layers)

    def __call__(self, state: tuple[State, ...], x: Array | None) -> tuple[State, ...]:
        """One step for one example."""
        after, visible = [], x
        for place, (cell, before) in enumerate(zip(self.layers, state, strict=True)):
            entering = normalized(jnp.asarray(visible)) if self.normalized and place else visible
            now = cell(before, entering)
            shown = cell.output(now)
            visible = shown + visible if self.skip and place else shown
            after.append(now)
        return tuple(after)

    def output(self, state: tuple[State, ...]) -> Float[Array, " hidden"]:
        """That of the highest layer; with skips the sum of all layers' outputs."""
        shown = [cell.output(each) for cell, each in zip(self.layers, state, strict=True)]
        return reduce(jnp.add, shown) if self.skip else shown[-1]
