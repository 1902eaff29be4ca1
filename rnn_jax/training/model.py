"""A recurrent cell with a linear readout: what is trained."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cell_structure import ELEMENTWISE, structure_of
from rnn_jax.step import State, classes_of, materialized
from rnn_jax.training.backpropagation import last_states
from rnn_jax.training.trained import all_trained

BACKPROPAGATIONS = ("auto", "autodiff")


def check_backpropagation(backpropagation: Any) -> None:
    """Raises ValueError unless it is one of those that there are."""
    if backpropagation not in BACKPROPAGATIONS:
        raise ValueError(f"backpropagation must be 'auto' or 'autodiff', got {backpropagation!r}")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Model:
    """y_t = W cell.output(h_t) + b.

    Attributes:
        cell: the recurrent cell.
        weight: shape (output_size, hidden_size).
        bias: shape (output_size,).
        classes: of the nodes of the cell that it was created with, as `classes_of` gives them. They tell the structures
            of models apart, and so the programs that optax and others keep for them.
    """

    cell: Any
    weight: Array
    bias: Array
    classes: tuple[type, ...] = field(default=(), repr=False, metadata={"static": True, "saved": False})

    @classmethod
    def create(cls, cell: Any, output_size: int, *, key: Array) -> "Model":
        """A readout with weights N(0, 1 / hidden_size) and no bias, in the cell's dtype."""
        visible = jax.eval_shape(lambda: cell.output(cell.initial_state()))
        (hidden_size,) = visible.shape
        weight = jax.random.normal(key, (output_size, hidden_size), jnp.float32) / hidden_size**0.5
        bias = jnp.zeros(output_size, visible.dtype)
        return cls(cell=cell, weight=weight.astype(visible.dtype), bias=bias, classes=classes_of(cell))

    def readout(self, state: State) -> Float[Array, " output"]:
        """y for one state."""
        return self.weight @ self.cell.output(state) + self.bias

    def __call__(self, inputs: Float[Array, "time input"], target_steps: int) -> Float[Array, "steps output"]:
        """y after each of the last `target_steps` steps of one sequence; the others are not formed."""
        cell = materialized(self.cell)
        visible = _after_last_steps(cell, cell.initial_state(), inputs, target_steps, cell.output)
        return visible @ self.weight.T + self.bias[None]

    def outputs(
        self,
        inputs: Float[Array, "batch time input"],
        target_steps: int,
        backpropagation: str = "auto",
        adapt_step: Callable | None = None,
    ) -> Float[Array, "batch steps output"]:
        """y after each of the last `target_steps` steps of every sequence of a batch.

        Args:
            inputs: of all sequences.
            target_steps: how many outputs are read, in 1..T.
            backpropagation: how gradients are formed. "autodiff" differentiates the loop over time
                as it stands; "auto" forms an elementwise cell's weight gradients once after the
                loop, and is "autodiff" for every other cell, as for one that holds whole numbers. `jax.jvp` needs
                "autodiff".
            adapt_step: a remedy's, see `rnn_jax.remedies.Remedy`; the loop over time is then
                differentiated as it stands.

        Raises:
            ValueError: `backpropagation` is neither.
        """
        check_backpropagation(backpropagation)
        cell = materialized(self.cell)
        is_elementwise = structure_of(cell) == ELEMENTWISE and all_trained(cell)
        if adapt_step is None and (backpropagation == "autodiff" or not is_elementwise):
            return jax.vmap(lambda sequence: self(sequence, target_steps))(inputs)
        state = jax.tree.map(
            lambda leaf: jnp.broadcast_to(leaf, (inputs.shape[0], *jnp.shape(leaf))), cell.initial_state()
        )
        by_time = jnp.swapaxes(inputs, 0, 1)
        if adapt_step is None:
            states = last_states(cell, state, by_time, target_steps)
        else:
            states = _last_states(cell, state, by_time, target_steps, adapt_step)
        visible = jnp.swapaxes(jax.vmap(jax.vmap(cell.output))(states), 0, 1)
        return visible @ self.weight.T + self.bias[None, None]


def _last_states(cell: Any, state: State, inputs: Array, count: int, adapt_step: Callable) -> State:
    """`last_states` through a step that a remedy has changed, by plain autodiff."""
    step = adapt_step(lambda states, xs, steps_left: jax.vmap(cell)(states, xs))
    steps_left = jnp.arange(inputs.shape[0] - 1, -1, -1, dtype=jnp.int32)
    return _after_last_steps(
        lambda state, at: step(state, *at), state, (inputs, steps_left), count, lambda state: state
    )


def _after_last_steps(step: Callable, state: State, xs: Any, count: int, read: Callable) -> Any:
    """What `read` gives of the state after each of the last `count` steps, stacked; the steps before it are not read."""
    silent = jax.tree.leaves(xs)[0].shape[0] - count

    def advance(state, x):
        return step(state, x), None

    def advance_and_read(state, x):
        state = step(state, x)
        return state, read(state)

    state, _ = jax.lax.scan(advance, state, jax.tree.map(lambda leaf: leaf[:silent], xs))
    return jax.lax.scan(advance_and_read, state, jax.tree.map(lambda leaf: leaf[silent:], xs))[1]
