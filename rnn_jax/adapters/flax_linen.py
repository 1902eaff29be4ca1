"""Cells of flax.linen, which are applied to variables, a carry and inputs, and return (carry, y)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.adapters.packages import framework, no_known_output, no_known_state
from rnn_jax.step import State


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LinenStep:
    """A cell of flax.linen as a step; made by `from_flax_linen`.

    Attributes:
        weights: its variables, a mapping with the key "params".
        cell: the module, which holds no arrays: static.
    """

    weights: Any
    cell: Any = field(metadata={"static": True})

    def __call__(self, state: State, x: Any) -> State:
        """One step for one example."""
        carry, _ = self.cell.apply(self.weights, state, x)
        return carry

    def initial_state(self) -> State:
        """What the cell's own `initialize_carry` gives for one example: h, or (c, h) of an LSTM.

        A cell made with a random `carry_init` draws the same state at every call.

        Raises:
            ValueError: the cell is none of flax.linen's own without axes of space.
        """
        nn = framework("flax.linen", "from_flax_linen")
        known = nn.SimpleCell | nn.GRUCell | nn.MGUCell | nn.LSTMCell | nn.OptimizedLSTMCell
        if not isinstance(self.cell, known):
            raise no_known_state(self.cell)
        # Only the axes before the last are read, and one example has none.
        return self.cell.initialize_carry(jax.random.key(0), (1,))

    def output(self, state: State) -> Array:
        """The visible part of the state: h.

        Raises:
            ValueError: the cell is none of flax.linen's own, and its state is not one array.
        """
        nn = framework("flax.linen", "from_flax_linen")
        if isinstance(self.cell, nn.LSTMCell | nn.OptimizedLSTMCell | nn.ConvLSTMCell):
            _, h = state
            return h
        if not hasattr(state, "dtype"):
            raise no_known_output(self.cell)
        return state


def from_flax_linen(cell: Any, variables: Any) -> LinenStep:
    """A cell of flax.linen and its variables as a step `(state, x) -> state`.

    The state is the cell's carry: h of a SimpleCell, GRUCell or MGUCell, and (c, h), in this order, of
    an LSTMCell or OptimizedLSTMCell. A cell that changes its variables or draws random numbers when it
    is applied is refused by Flax: a step is a function of its state and input.

    Args:
        cell: a module of flax.linen called as `(carry, inputs) -> (carry, y)`.
        variables: what `cell.init` gave, `{"params": ...}`, or the params alone where there is nothing else.

    Returns:
        a `LinenStep`, a pytree of the variables: new weights of the same shapes reuse a compiled
        program. It has `initial_state()` and `output(state)`.

    Raises:
        ImportError: Flax is not installed.
        TypeError: `cell` is no module of flax.linen, one that runs a whole sequence, such as `nn.RNN`, or not hashable, or
            `variables` is no mapping.
        ValueError: `variables` holds no arrays.

    Example:
        >>> import jax, jax.numpy as jnp, rnn_jax as rj
        >>> from flax import linen as nn
        >>> cell, xs = nn.GRUCell(8), jnp.ones((20, 3), jnp.float32)
        >>> carry = cell.initialize_carry(jax.random.key(0), (3,))
        >>> step = rj.adapters.from_flax_linen(cell, cell.init(jax.random.key(1), carry, xs[0]))
        >>> rj.jacobian_chain(step, step.initial_state(), xs).log_frobenius_norm.shape
        (21,)

    References:
        Heek et al., Flax: a neural network library and ecosystem for JAX, flax.readthedocs.io.
    """
    nn = framework("flax.linen", "from_flax_linen")
    if not isinstance(cell, nn.Module) or not callable(cell):
        raise TypeError(
            "cell must be a flax.linen.Module called as (carry, inputs) -> (carry, y), got "
            f"{type(cell).__name__}; a cell of flax.nnx goes to from_flax_nnx"
        )
    if isinstance(cell, nn.RNN | nn.Bidirectional):
        raise TypeError(
            f"cell must be one step, got nn.{type(cell).__name__}, which runs a whole sequence; pass the cell in it, rnn.cell, "
            'and variables["params"]["cell"]'
        )
    try:
        hash(cell)
    except TypeError as error:
        raise TypeError(
            f"cell must be hashable, so that its program is found again, but {type(cell).__name__} holds "
            f"a field that is not ({error}); make that field a tuple or a number"
        ) from error
    if not isinstance(variables, Mapping):
        raise TypeError(
            f"variables must be the mapping that cell.init gave, got {type(variables).__name__}; pass "
            'cell.init(key, carry, x), or its ["params"]'
        )
    if not jax.tree.leaves(variables):
        raise ValueError(f"variables must hold arrays, got {variables!r}; pass cell.init(key, carry, x)")
    named = variables if "params" in variables else {"params": variables}
    return LinenStep(jax.tree.map(jnp.asarray, dict(named)), cell)
