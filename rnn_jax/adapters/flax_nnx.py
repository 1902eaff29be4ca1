"""Cells of flax.nnx, which take (carry, inputs) and return (carry, y)."""

from dataclasses import dataclass, field
from typing import Any

import jax
from jaxtyping import Array

from rnn_jax.adapters.packages import framework, no_known_output, no_known_state
from rnn_jax.messages import first_line
from rnn_jax.step import State


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class NnxStep:
    """A cell of flax.nnx as a step; made by `from_flax_nnx`.

    Attributes:
        weights: its variables, an `nnx.State`.
        graph: all else, an `nnx.GraphDef`: static.
    """

    weights: Any
    graph: Any = field(metadata={"static": True})

    @property
    def cell(self) -> Any:
        """A cell of flax.nnx with these weights."""
        return framework("flax.nnx", "from_flax_nnx").merge(self.graph, _copied(self.weights))

    def __call__(self, state: State, x: Any) -> State:
        """One step for one example.

        Raises:
            ValueError: the cell draws random numbers when it is called.
        """
        try:
            carry, _ = self.cell(state, x)
        except AttributeError as error:
            if "'RngStream' object" not in str(error):  # the source of random numbers that was left out
                raise
            raise ValueError(
                f"cell {type(self.cell).__name__} draws random numbers when it is called, and a step is a function of its "
                "state and input; where that is for training alone, as of nnx.Dropout, call cell.eval() before "
                f"from_flax_nnx(cell), else let it take them with its input ({first_line(error)})"
            ) from error
        return carry

    def initial_state(self) -> State:
        """What the cell's own `initialize_carry` gives for one example: h, or (c, h) of an LSTM.

        A cell made with a random `carry_init` draws the same state at every call.

        Raises:
            ValueError: the cell is none of flax.nnx's own, so that the shape of its input is not known.
        """
        nnx, cell = framework("flax.nnx", "from_flax_nnx"), self.cell
        if not isinstance(cell, nnx.RNNCellBase) or not hasattr(cell, "in_features"):
            raise no_known_state(cell)
        return cell.initialize_carry((cell.in_features,), rngs=nnx.Rngs(0))

    def output(self, state: State) -> Array:
        """The visible part of the state: h.

        Raises:
            ValueError: the cell is none of flax.nnx's own, and its state is not one array.
        """
        nnx, cell = framework("flax.nnx", "from_flax_nnx"), self.cell
        if isinstance(cell, nnx.LSTMCell | nnx.OptimizedLSTMCell):
            _, h = state
            return h
        if not hasattr(state, "dtype"):
            raise no_known_output(cell)
        return state


def from_flax_nnx(cell: Any) -> NnxStep:
    """A cell of flax.nnx as a step `(state, x) -> state`.

    The state is the cell's carry: h of a SimpleCell or GRUCell, and (c, h), in this order, of an
    LSTMCell or OptimizedLSTMCell. The step keeps the weights that the cell has now; later changes of
    the cell do not reach it. The cell's source of random numbers, if it keeps one, is left out, and so
    is what a call would change of the cell itself: a step is a function of its state and input.

    Args:
        cell: an `nnx.GRUCell`, `nnx.LSTMCell`, `nnx.OptimizedLSTMCell`, `nnx.SimpleCell`, or any other
            `nnx.Module` called as `(carry, inputs) -> (carry, y)`.

    Returns:
        an `NnxStep`, a pytree of the cell's variables: new weights of the same shapes reuse a compiled
        program. It has `initial_state()` and `output(state)`.

    Raises:
        ImportError: Flax is not installed.
        TypeError: `cell` is no callable module of flax.nnx, or one that runs a whole sequence, such as `nnx.RNN`.

    Example:
        >>> import jax.numpy as jnp, rnn_jax as rj
        >>> from flax import nnx
        >>> step = rj.adapters.from_flax_nnx(nnx.GRUCell(3, 8, rngs=nnx.Rngs(0)))
        >>> chain = rj.jacobian_chain(step, step.initial_state(), jnp.ones((20, 3), jnp.float32))
        >>> chain.log_frobenius_norm.shape
        (21,)

    References:
        Heek et al., Flax: a neural network library and ecosystem for JAX, flax.readthedocs.io.
    """
    nnx = framework("flax.nnx", "from_flax_nnx")
    if not isinstance(cell, nnx.Module) or not callable(cell):
        raise TypeError(
            "cell must be an nnx.Module called as (carry, inputs) -> (carry, y), got "
            f"{type(cell).__name__}; a cell of flax.linen goes to from_flax_linen(cell, variables)"
        )
    if isinstance(cell, nnx.RNN | nnx.Bidirectional):
        raise TypeError(
            f"cell must be one step, got nnx.{type(cell).__name__}, which runs a whole sequence; pass the cell in it, rnn.cell"
        )
    graph, variables = nnx.split(cell)
    # Without a copy of their own, variables that are set in place later would be the step's too.
    copy = nnx.merge(graph, jax.tree.map(lambda leaf: leaf, variables))
    nnx.pop(copy, nnx.RngState)  # keys have no gradient, and another seed is not another program
    graph, weights = nnx.split(copy)
    return NnxStep(_copied(weights), graph)


def _copied(weights: Any) -> Any:
    """The same arrays in variables of their own: nnx changes a variable in place, wherever it is held."""
    return jax.tree.map(lambda leaf: leaf, weights)
