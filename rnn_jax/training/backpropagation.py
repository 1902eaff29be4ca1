"""Backpropagation through time for a batch of sequences through an elementwise cell.

An elementwise cell computes `state' = update(recurrent, drive, state)` with `recurrent = W h` (see
`rnn_jax.cell_structure`). Plain autodiff of the loop over time adds a term to dL/dW at every
step. Here the loop that runs backwards takes dL/dstate and dL/drecurrent only, and the gradients of
all weights are formed after it, each by one product over all steps and examples. A `vmap` over
examples would undo that, so the batch is an axis of its own.

The derivatives of `drive` and `update` are taken from the cell's own by `jax.vjp`; those of
`recurrent` are products with `weight_hh`. Of `update` only the values of its transcendental functions
and the rows that it reads by themselves are stored; products and sums are cheaper to form again than
to keep.

A CPU goes gate by gate: put together in one array of all gates, their gradients are written and read
several times more. An accelerator, where each product is a launch, takes all gates at once; and it
forms the drives of all steps before the loop, by one product. Formed so on a CPU a training step took
1.1 to 1.3 times as long.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cell_structure import ElementwiseCell
from rnn_jax.step import State
from rnn_jax.training.through_drive import through_drive
from rnn_jax.unrolling import backpropagation_unroll, on_an_accelerator

_KEPT = (
    "split",
    "tanh",
    "logistic",
    "exp",
    "exp2",
    "log",
    "log1p",
    "expm1",
    "erf",
    "sqrt",
    "rsqrt",
    "sin",
    "cos",
)


def last_states(
    cell: ElementwiseCell, state: State, inputs: Float[Array, "time batch input"], count: int
) -> State:
    """The states after each of the last `count` steps of a batch of sequences.

    Its gradients with respect to the cell, the initial state and the inputs are those of plain
    autodiff to rounding. It has no forward-mode derivative: `jax.jvp` through it raises TypeError.
    States that are not asked for are stored for the gradient only.

    Args:
        cell: with `structure = "elementwise"`.
        state: the initial states; leaves lead with the batch axis.
        inputs: x_1..x_T of every sequence.
        count: how many states, in 1..T.

    Returns:
        the states, whose leaves lead with the axes (count, batch).

    References:
        Werbos 1990, Backpropagation through time; the product after the loop: Appleyard, Kocisky,
        Blunsom 2016, arXiv 1604.01946, section 3.3.
    """
    if count == 1:  # then it is what the loop ends with, and there is no second one
        made: Any = _run(cell, state, inputs, False)
        return jax.tree.map(lambda leaf: leaf[None], made[0])
    silent = inputs.shape[0] - count
    before: Any = _run(cell, state, inputs[:silent], False)
    after: Any = _run(cell, before[0], inputs[silent:], True)
    return after[1]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Record:
    """What a step leaves for the backward pass: a pytree whose equal leaves are held once.

    Attributes:
        arrays: the different leaves.
        places: for each leaf its place in `arrays`.
        structure: of (the pullback of `update`, the state before the step).
        drive_is_added: True where the gradient by the drive is that by `recurrent`.
    """

    arrays: list[Array]
    places: tuple[int, ...] = field(metadata={"static": True})
    structure: Any = field(metadata={"static": True})
    drive_is_added: bool = field(metadata={"static": True})

    @classmethod
    def of(cls, tree: Any, drive_is_added: bool) -> "_Record":
        leaves, structure = jax.tree.flatten(tree)
        numbers: dict[int, int] = {}
        places = tuple(numbers.setdefault(id(leaf), len(numbers)) for leaf in leaves)
        arrays = [leaves[places.index(number)] for number in range(len(numbers))]
        return cls(arrays, places, structure, drive_is_added)

    def tree(self) -> Any:
        return jax.tree.unflatten(self.structure, [self.arrays[place] for place in self.places])


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _run(cell: Any, state: State, inputs: Array, reads: bool) -> tuple[State, State | None]:
    """The last state and, where `reads`, all states after a step."""

    inputs, drive = _inputs_and_drive(cell, inputs)

    def advance(state, x):
        state = _update(cell, _recurrent(cell, state), drive(x), state)
        return state, state if reads else None

    return jax.lax.scan(advance, state, inputs, unroll=backpropagation_unroll(inputs.shape[0]))


def _run_and_record(cell: Any, state: State, inputs: Array, reads: bool):
    update = jax.checkpoint(_update, prevent_cse=False, policy=_is_saved)
    in_loop, drive = _inputs_and_drive(cell, inputs)
    unroll = backpropagation_unroll(inputs.shape[0])

    def advance(state, x):
        recurrent, driven = _recurrent(cell, state), drive(x)
        after, pull = jax.vjp(update, cell, recurrent, driven, state)
        record = _Record.of((pull, state), _drive_is_added(cell, recurrent, driven, state))
        return after, (after if reads else None, record)

    last, (states, records) = jax.lax.scan(advance, state, in_loop, unroll=unroll)
    return (last, states), (cell, inputs, records)


def _run_backwards(reads: bool, residuals: Any, cotangents: Any):
    del reads
    cell, inputs, records = residuals
    weight_hh = cell.weight_hh
    gates = 1 if on_an_accelerator() else weight_hh.shape[0] // weight_hh.shape[1]
    weights = jnp.split(weight_hh, gates)

    def retreat(carry, at):
        after, by_cell = carry
        read, record = at
        pull, _ = record.tree()
        after = after if read is None else _sum(after, read)
        by_cell_here, by_recurrent, by_drive, before = pull(after)
        (h, *others), structure = jax.tree.flatten(before)
        by_gate = _parts(by_recurrent)
        h = h + sum(part @ weight for part, weight in zip(by_gate, weights, strict=True))
        before = jax.tree.unflatten(structure, [h, *others])
        parts = by_gate, None if record.drive_is_added else _parts(by_drive)
        return (before, _sum(by_cell, by_cell_here)), parts

    last, states = cotangents
    # Only parameters that `update` reads itself, such as a GRU's c_n, get anything in the loop.
    nothing = jax.tree.map(jnp.zeros_like, cell)
    (first, by_cell), (by_recurrent, by_drive) = jax.lax.scan(
        retreat,
        (last, nothing),
        (states, records),
        reverse=True,
        unroll=backpropagation_unroll(inputs.shape[0]),
    )
    by_drive = by_recurrent if by_drive is None else by_drive
    _, before = records.tree()
    together = partial(jax.tree.map, lambda leaf: jax.lax.collapse(leaf, 0, 2))
    h = together(jax.tree.leaves(before)[0])
    by_weight_hh = jnp.concatenate([together(part).T @ h for part in by_recurrent])
    (by_weights,) = jax.vjp(lambda cell: cell.weight_hh, cell)[1](by_weight_hh)
    by_input_weights, by_inputs = through_drive(cell, together(inputs), together(by_drive))
    return _sum(_sum(by_cell, by_weights), by_input_weights), first, by_inputs.reshape(inputs.shape)


_run.defvjp(_run_and_record, _run_backwards)


def _recurrent(cell: Any, states: State) -> Array:
    return jax.vmap(cell.recurrent)(states)


def _parts(stacked: Float[Array, "batch gates hidden"]) -> tuple[Array, ...]:
    """Gate by gate on a CPU, all of them in one part on an accelerator; shape (batch, columns) each."""
    if on_an_accelerator():
        return (stacked.reshape(stacked.shape[0], -1),)
    return tuple(stacked[:, gate] for gate in range(stacked.shape[1]))


def _drive(cell: Any, inputs: Array) -> Array:
    return jax.vmap(cell.drive)(inputs)


def _inputs_and_drive(cell: Any, inputs: Array) -> tuple[Array, Callable[[Array], Array]]:
    """What the loop over time reads at a step, and the drive that it forms from that."""
    if on_an_accelerator():
        return jax.vmap(partial(_drive, cell))(inputs), lambda drive: drive
    return inputs, partial(_drive, cell)


def _update(cell: Any, recurrent: Array, drive: Array, states: State) -> State:
    return jax.vmap(cell.update)(recurrent, drive, states)


def _is_saved(primitive: Any, *_: Any, **__: Any) -> bool:
    return primitive.name in _KEPT


def _drive_is_added(cell: Any, recurrent: Array, drive: Array, state: State) -> bool:
    """True where `update` reads recurrent + drive and neither alone: then their gradients are one."""
    same = []

    def look(recurrent: Array, drive: Array, state: State) -> None:
        after, pull = jax.vjp(partial(_update, cell), recurrent, drive, state)
        by_recurrent, by_drive, _ = pull(after)
        same.append(by_recurrent is by_drive)

    jax.eval_shape(look, recurrent, drive, state)
    return same[0]


def _sum(left: Any, right: Any) -> Any:
    return jax.tree.map(jnp.add, left, right)
