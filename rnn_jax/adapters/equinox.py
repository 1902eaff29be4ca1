"""Equinox's cells, which take (input, hidden)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from rnn_jax.adapters.packages import framework, no_known_output, no_known_state
from rnn_jax.step import State


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class EquinoxStep:
    """An Equinox cell as a step; made by `from_equinox`.

    Attributes:
        weights: the cell with its arrays alone.
        rest: all else that it holds, such as activations: static, so that leaves are arrays and new
            weights reuse the compiled program.
        make_state, read_output: what `from_equinox` was given, or None.
    """

    weights: Any
    rest: tuple[Any, tuple[Any, ...]] = field(metadata={"static": True})
    make_state: Callable[[Any], State] | None = field(default=None, metadata={"static": True})
    read_output: Callable[[State], Array] | None = field(default=None, metadata={"static": True})

    @property
    def cell(self) -> Any:
        """The Equinox cell."""
        structure, leaves = self.rest
        eqx = framework("equinox", "from_equinox")
        return eqx.combine(self.weights, jax.tree.unflatten(structure, leaves))

    def __call__(self, state: State, x: Any) -> State:
        """One step for one example."""
        return self.cell(x, state)

    def initial_state(self) -> State:
        """What `from_equinox` was told; else zeros: h, or (h, c) of an LSTMCell.

        Raises:
            ValueError: the cell is neither a GRUCell nor an LSTMCell, so that its state is not known.
        """
        if self.make_state is not None:
            return self.make_state(self.cell)
        eqx, cell = framework("equinox", "from_equinox"), self.cell
        if not isinstance(cell, eqx.nn.GRUCell | eqx.nn.LSTMCell):
            raise no_known_state(cell, "; for `train` give from_equinox(cell, initial_state=...)")
        zeros = jnp.zeros(cell.hidden_size, cell.weight_hh.dtype)
        return (zeros, zeros) if isinstance(cell, eqx.nn.LSTMCell) else zeros

    def output(self, state: State) -> Array:
        """The visible part of the state: what `from_equinox` was told, else h.

        Raises:
            ValueError: the cell is neither a GRUCell nor an LSTMCell, and its state is not one array.
        """
        if self.read_output is not None:
            return self.read_output(state)
        eqx, cell = framework("equinox", "from_equinox"), self.cell
        if isinstance(cell, eqx.nn.LSTMCell):
            return state[0]
        if not hasattr(state, "dtype"):
            raise no_known_output(cell, "; for `train` give from_equinox(cell, output=...)")
        return state


def from_equinox(
    cell: Any,
    *,
    initial_state: Callable[[Any], State] | None = None,
    output: Callable[[State], Array] | None = None,
) -> EquinoxStep:
    """An Equinox cell as a step `(state, x) -> state`.

    Equinox calls a cell as `cell(input, hidden)`. Where both have one size, a swap raises nothing and
    gives wrong numbers, so this does the turning.

    The Jacobians are those of any step, dense; our own `rnn_jax.cells` have cheaper ones.

    Args:
        cell: an `equinox.nn.GRUCell`, an `equinox.nn.LSTMCell` (whose state is the tuple (h, c)), or
            any other `equinox.Module` that is called as `(input, hidden) -> hidden`. One that draws random numbers in
            training, as with `equinox.nn.Dropout`, comes as `equinox.nn.inference_mode(cell)`.
        initial_state: `initial_state(cell) -> state` of a module of your own, such as `lambda cell:
            jnp.zeros(cell.hidden_size)`; `train` asks for it.
        output: `output(state) -> vector`, its visible part; the state itself if it is one array.

    Returns:
        an `EquinoxStep`, a pytree of the cell's arrays: new weights of the same shapes reuse a
        compiled program. It has `initial_state()` and `output(state)`.

    Raises:
        ImportError: Equinox is not installed.
        TypeError: `cell` is no Equinox module, or holds something that is neither array nor hashable;
            `initial_state` or `output` is no function, or one that holds arrays.

    Example:
        >>> import equinox as eqx, jax, jax.numpy as jnp, rnn_jax as rj
        >>> step = rj.adapters.from_equinox(eqx.nn.LSTMCell(3, 8, key=jax.random.key(0)))
        >>> chain = rj.jacobian_chain(step, step.initial_state(), jnp.ones((20, 3)))
        >>> chain.log_frobenius_norm.shape
        (21,)

    References:
        Kidger & Garcia 2021, Equinox: neural networks in JAX via callable PyTrees, arXiv 2111.00254.
    """
    eqx = framework("equinox", "from_equinox")
    if not isinstance(cell, eqx.Module) or not callable(cell):
        raise TypeError(
            f"cell must be an equinox.Module called as (input, hidden), got {type(cell).__name__}; "
            "flax cells go to from_flax_nnx or from_flax_linen, a torch module's state_dict() to from_torch"
        )
    for name, given in {"initial_state": initial_state, "output": output}.items():
        if given is not None and not (callable(given) and jax.tree.leaves(given) == [given]):
            raise TypeError(
                f"{name} must be a plain function, which holds nothing that is trained, got {type(given).__name__}"
            )
    weights, rest = eqx.partition(cell, lambda leaf: isinstance(leaf, jax.Array | np.ndarray | np.generic))
    leaves, structure = jax.tree.flatten(rest)
    for leaf in leaves:
        if leaf.__hash__ is None:
            raise TypeError(
                f"cell must hold arrays, functions and other hashable leaves, got a {type(leaf).__name__}; "
                "make it an array or a static field"
            )
    return EquinoxStep(jax.tree.map(jnp.asarray, weights), (structure, tuple(leaves)), initial_state, output)
