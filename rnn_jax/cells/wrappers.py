"""Cells made from another cell: leaky, with skip connections over time, with layer normalization."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from rnn_jax.cell_structure import DENSE, ELEMENTWISE, KRONECKER, structure_of
from rnn_jax.cells.initializers import checked_cell, checked_number, checked_range, normal_matrix
from rnn_jax.cells.normalization import normalized
from rnn_jax.keys import checked_key
from rnn_jax.step import State
from rnn_jax.whole_numbers import checked_whole


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Leaky:
    """s_t = (1 - leak) s_{t-1} + leak * cell(s_{t-1}, x_t), for the whole state s of the cell but its integers.

    Its step Jacobian is (1 - leak) I + leak J. What is computed elementwise over units stays so.

    Attributes:
        cell: any cell.
        leak: in (0, 1]; 1 is the cell itself.

    References:
        Jaeger, Lukosevicius, Popovici, Siewert 2007, Optimization and applications of echo state
        networks with leaky-integrator neurons, equation 3.
    """

    cell: Any
    leak: float = field(metadata={"static": True})

    @property
    def structure(self) -> str:
        """That of the cell, but of a Kronecker cell dense: its other leaves keep a part of themselves too."""
        structure = structure_of(self.cell)
        return DENSE if structure == KRONECKER else structure

    @property
    def weight_hh(self) -> Array:
        """That of the cell."""
        return self.cell.weight_hh

    @classmethod
    def create(cls, cell: Any, leak: float) -> "Leaky":
        """Wraps a cell.

        Raises:
            ValueError: the leak is no number in (0, 1], or the cell is none, or one with a skip connection.
        """
        checked_cell("cell", cell)
        checked_range("leak", leak, above=0, at_most=1)
        if isinstance(cell, Skip | AddedSkip):
            raise ValueError(
                "a leaky cell would mix the past that a skip connection keeps; put the skip connection around the "
                "leaky cell: as remedies leaky+skip"
            )
        return cls(cell, float(leak))

    def initial_state(self) -> State:
        """That of the cell."""
        return self.cell.initial_state()

    def recurrent(self, state: State) -> Array:
        """That of an elementwise cell."""
        return self.cell.recurrent(state)

    def drive(self, x: Array | None) -> Array:
        """That of an elementwise or diagonal cell."""
        return self.cell.drive(x)

    def update(self, *arguments: Any) -> State:
        """The next state, elementwise over units; the last argument is the state."""
        return self._between(arguments[-1], self.cell.update(*arguments))

    def __call__(self, state: State, x: Array | None) -> State:
        """One step for one example."""
        return self._between(state, self.cell(state, x))

    def output(self, state: State) -> Array:
        """That of the cell."""
        return self.cell.output(state)

    def _between(self, before: State, after: State) -> State:
        def between(old: Array, new: Array) -> Array:
            return (1 - self.leak) * old + self.leak * new if _is_continuous(new) else new

        return jax.tree.map(between, before, after)


class SkipState(NamedTuple):
    """s_t, and what is kept of s_{t-1} .. s_{t-k+1}, stacked in this order; before the beginning all is zero."""

    now: Any
    past: Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Skip:
    """A cell whose pre-activations read (W h_{t-1} + V h_{t-k}) / sqrt(1 + gain**2) for W h_{t-1}: a skip
    connection over time.

    h is the cell's output. V is a matrix of its own, one for each gate, so that the gradient finds a way
    back that is k times as short. The divisor leaves the pre-activations as large as W h alone makes
    them at the start: else most of what such a connection does would be that of a larger gain. The
    state holds the outputs of the last k - 1 steps besides.

    Attributes:
        cell: an elementwise cell, leaky and with layer normalization or without, which V h is not part of.
        weight_skip: V, shape (gates, hidden_size, hidden_size).
        delay: k, at least 1.
        gain: of V when it was drawn.

    References:
        Lin, Horne, Tino, Giles 1996, Learning long-term dependencies in NARX recurrent neural networks;
        Zhang et al. 2016, Architectural complexity measures of recurrent neural networks, arXiv
        1602.08210, section 5 (skips over time).
    """

    cell: Any
    weight_skip: Array
    delay: int = field(metadata={"static": True})
    gain: float = field(metadata={"static": True})

    structure = DENSE

    @classmethod
    def create(cls, cell: Any, delay: int, *, key: Array, gain: float = 1.0) -> "Skip":
        """Wraps a cell; V begins with independent normal entries of variance gain**2 / hidden_size.

        Raises:
            ValueError: the delay is not a whole number of at least 1, the gain no number of at least 0, the key no
                random key, or the cell is not elementwise.
        """
        checked_key(key)
        checked_range("gain", gain, at_least=0)
        if not _has_preactivations(cell):
            raise ValueError(
                "a skip connection under the nonlinearity needs a cell with recurrent and update, of structure "
                f"'elementwise'; {type(cell).__name__} is '{structure_of(cell)}': AddedSkip, the remedy added_skip, "
                "takes any cell"
            )
        rows, shown = _shapes(cell)
        shape = (*rows.shape, *shown.shape)
        weight = normal_matrix(key, shape, gain / shown.shape[0] ** 0.5, rows.dtype)
        return cls(cell, weight, checked_whole("delay", delay), float(gain))

    def initial_state(self) -> SkipState:
        """The cell's, and zeros before it."""
        shown = _shapes(self.cell)[1]
        return SkipState(self.cell.initial_state(), jnp.zeros((self.delay - 1, *shown.shape), shown.dtype))

    def __call__(self, state: SkipState, x: Array | None) -> SkipState:
        """One step for one example."""
        last = jnp.concatenate([self.cell.output(state.now)[None], state.past])  # h_{t-1} .. h_{t-k}
        recurrent = self.cell.recurrent(state.now) + self.weight_skip @ last[-1]
        recurrent = recurrent / (1 + self.gain**2) ** 0.5
        return SkipState(self.cell.update(recurrent, self.cell.drive(x), state.now), last[:-1])

    def output(self, state: SkipState) -> Array:
        """That of the cell, of s_t."""
        return self.cell.output(state.now)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class AddedSkip:
    """s_t = cell(s_{t-1}, x_t) + weight * s_{t-k}, for the whole state s of the cell but its integers.

    The state holds the last k states of the cell, so it is k times as large. Added past the nonlinearity
    it can grow without bound, which `Skip` cannot.

    Attributes:
        cell: any cell.
        delay: k, at least 1.
        weight: of the connection.

    References:
        Residual connections, as He et al. 2016, arXiv 1603.05027, have them over layers, over time.
    """

    cell: Any
    delay: int = field(metadata={"static": True})
    weight: float = field(metadata={"static": True})

    structure = DENSE

    @classmethod
    def create(cls, cell: Any, delay: int, weight: float = 1.0) -> "AddedSkip":
        """Wraps a cell.

        Raises:
            ValueError: the delay is not a whole number of at least 1, the weight no finite number, or the cell none.
        """
        checked_cell("cell", cell)
        checked_number("weight", weight)
        return cls(cell, checked_whole("delay", delay), float(weight))

    def initial_state(self) -> SkipState:
        """The cell's, and zeros before it."""
        now = self.cell.initial_state()
        return SkipState(
            now, jax.tree.map(lambda leaf: jnp.zeros((self.delay - 1, *leaf.shape), leaf.dtype), now)
        )

    def __call__(self, state: SkipState, x: Array | None) -> SkipState:
        """One step for one example."""
        last = jax.tree.map(
            lambda now, past: jnp.concatenate([now[None], past]), state.now, state.past
        )  # s_{t-1} .. s_{t-k}

        def added(new: Array, old: Array) -> Array:
            return new + self.weight * old[-1] if _is_continuous(new) else new

        after = jax.tree.map(added, self.cell(state.now, x), last)
        return SkipState(after, jax.tree.map(lambda leaf: leaf[:-1], last))

    def output(self, state: SkipState) -> Array:
        """That of the cell, of s_t."""
        return self.cell.output(state.now)


def _is_continuous(leaf: Array) -> bool:
    """False for a counter or a random key, which are carried as they are."""
    return jnp.issubdtype(leaf.dtype, jnp.inexact)


def _has_preactivations(cell: Any) -> bool:
    """True where `update(recurrent(state), drive(x), state)` is the cell's step."""
    inner = cell.cell if isinstance(cell, Leaky | LayerNorm) else cell
    return structure_of(inner) == ELEMENTWISE or (inner is not cell and _has_preactivations(inner))


def _shapes(cell: Any) -> tuple[Any, Any]:
    """Those of what an elementwise cell adds to its pre-activations, and of what it shows."""
    state = jax.eval_shape(cell.initial_state)
    return jax.eval_shape(cell.recurrent, state), jax.eval_shape(cell.output, state)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LayerNorm:
    """A cell whose recurrent pre-activation W h is normalized: gain * (W h - mean) / deviation.

    Mean and standard deviation are taken over the units, each gate by itself. What comes from the
    input and the biases is added as it is, so that an input keeps its size and a forget bias its
    value; of the two normalizations in the LSTM of the source this is the one on the state.

    Attributes:
        cell: an elementwise cell.
        gain: shape (gates, hidden_size).

    References:
        Ba, Kiros, Hinton 2016, Layer normalization, arXiv 1607.06450, equations 4 and 20.
    """

    cell: Any
    gain: Array

    structure = DENSE  # every unit's mean reads all units

    @classmethod
    def create(cls, cell: Any, gain: float | Array = 1.0) -> "LayerNorm":
        """Wraps a cell; all gains begin at `gain`.

        Raises:
            ValueError: the cell is not elementwise, or the gain of another shape or not finite.
        """
        if isinstance(cell, Skip):
            raise ValueError("layer normalization goes inside a skip connection: as remedies layer_norm+skip")
        if structure_of(cell) != ELEMENTWISE:
            raise ValueError(
                "layer normalization needs a cell with recurrent and update, of structure "
                f"'elementwise'; {type(cell).__name__} is '{structure_of(cell)}'"
            )
        rows, _ = _shapes(cell)
        if np.ndim(gain) == 0:
            checked_number("gain", gain)
        elif np.shape(gain) != rows.shape:
            raise ValueError(
                f"gain must be one number or have shape (gates, hidden_size) = {rows.shape}, got {np.shape(gain)}"
            )
        elif not isinstance(gain, Tracer) and not np.isfinite(gain).all():
            raise ValueError(f"gain must be finite, got {gain!r}")
        return cls(cell, jnp.broadcast_to(jnp.asarray(gain, rows.dtype), rows.shape))

    def initial_state(self) -> State:
        """That of the cell."""
        return self.cell.initial_state()

    def recurrent(self, state: State) -> Array:
        """That of the cell, normalized."""
        return self.gain * normalized(self.cell.recurrent(state))

    def drive(self, x: Array | None) -> Array:
        """That of the cell."""
        return self.cell.drive(x)

    def update(self, recurrent: Array, drive: Array, state: State) -> State:
        """That of the cell."""
        return self.cell.update(recurrent, drive, state)

    def __call__(self, state: State, x: Array | None) -> State:
        """One step for one example."""
        return self.update(self.recurrent(state), self.drive(x), state)

    def output(self, state: State) -> Array:
        """That of the cell."""
        return self.cell.output(state)


WRAPPERS = (Leaky, Skip, AddedSkip, LayerNorm)


def with_innermost(cell: Any, change: Callable[[Any], Any]) -> Any:
    """The cell with `change` applied to what all wrappers around it are made from."""
    if isinstance(cell, WRAPPERS):
        return replace(cell, cell=with_innermost(cell.cell, change))
    return change(cell)
