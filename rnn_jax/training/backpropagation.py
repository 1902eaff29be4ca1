"""Backpropagation through time for a batch of sequences through an elementwise cell.

An elementwise cell computes `state' = update(recurrent, drive, state)` with `recurrent = W h` (see
`rnn_jax.cell_structure`). Plain autodiff of the loop over time adds a term to dL/dW at every
step. Here the loop that runs backwards takes dL/dstate and dL/drecurrent only, and the gradients of
all weights are formed after it, each by one product over all steps and examples. A `vmap` over
examples would undo that, so the batch is an axis of its own.

Every derivative is taken by `jax.vjp` from the cell's own `recurrent`, `drive` and `update`: the
cell and the rule cannot disagree. Of `update` only the values of its transcendental functions are
stored; products and sums are cheaper to form again than to keep. On accelerators the drives of all
steps are formed before the loop, by one product; formed so on CPUs a training step took 1.1 to 1.3
times as long. There a cell that allows it is gone through gate by gate (`by_gate`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cell_structure import ElementwiseCell
from rnn_jax.gates import Gates
from rnn_jax.step import State
from rnn_jax.training.by_gate import goes_by_gate, through_drive, through_weights
from rnn_jax.unrolling import backpropagation_unroll, on_an_accelerator

_SAVED = ("tanh", "logistic", "exp", "exp2", "log", "log1p", "expm1", "erf", "sqrt", "rsqrt", "sin", "cos")


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
        by_gate: whether the pullback gives and takes gates one by one.
        is_added: for each part of the drive, whether the gradient by it is that by the same part of `recurrent`.
    """

    arrays: list[Array]
    places: tuple[int, ...] = field(metadata={"static": True})
    structure: Any = field(metadata={"static": True})
    by_gate: bool = field(metadata={"static": True})
    is_added: tuple[bool, ...] = field(metadata={"static": True})

    @classmethod
    def of(cls, tree: Any, by_gate: bool, is_added: tuple[bool, ...]) -> "_Record":
        leaves, structure = jax.tree.flatten(tree)
        numbers: dict[int, int] = {}
        places = tuple(numbers.setdefault(id(leaf), len(numbers)) for leaf in leaves)
        arrays = [leaves[places.index(number)] for number in range(len(numbers))]
        return cls(arrays, places, structure, by_gate, is_added)

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
    example = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), state)
    by_gate = goes_by_gate(cell, example, jax.ShapeDtypeStruct(inputs.shape[2:], inputs.dtype))
    update = jax.checkpoint(partial(_update_of_parts, by_gate), prevent_cse=False, policy=_is_saved)
    in_loop, drive = _inputs_and_drive(cell, inputs)
    unroll = backpropagation_unroll(inputs.shape[0])

    def advance(state, x):
        parts = _parts(_recurrent(cell, state), by_gate), _parts(drive(x), by_gate)
        after, pull = jax.vjp(update, cell, *parts, state)
        record = _Record.of((pull, state), by_gate, _is_added(by_gate, cell, *parts, state))
        return after, (after if reads else None, record)

    last, (states, records) = jax.lax.scan(advance, state, in_loop, unroll=unroll)
    return (last, states), (cell, inputs, records)


def _run_backwards(reads: bool, residuals: Any, cotangents: Any):
    del reads
    cell, inputs, records = residuals
    by_gate, is_added = records.by_gate, records.is_added

    def retreat(carry, at):
        after, by_cell = carry
        read, record = at
        pull, state = record.tree()
        after = after if read is None else _sum(after, read)
        by_cell_here, by_recurrent, by_drive, before = pull(after)
        before = _sum(before, _through_recurrent(cell, state, by_recurrent, by_gate))
        own = tuple(None if added else part for part, added in zip(by_drive, is_added, strict=True))
        return (before, _sum(by_cell, by_cell_here)), (by_recurrent, own)

    last, states = cotangents
    # Only parameters that `update` reads itself, such as a GRU's c_n, get anything in the loop.
    nothing = jax.tree.map(jnp.zeros_like, cell)
    (first, by_cell), parts = jax.lax.scan(
        retreat,
        (last, nothing),
        (states, records),
        reverse=True,
        unroll=backpropagation_unroll(inputs.shape[0]),
    )
    together = partial(jax.tree.map, lambda leaf: jax.lax.collapse(leaf, 0, 2))
    by_recurrent, own = together(parts)
    by_drive = tuple(by_recurrent[place] if part is None else part for place, part in enumerate(own))
    _, before = together(records.tree())
    if by_gate:
        by_weights = through_weights(cell, jax.tree.leaves(before)[0], by_recurrent)
        by_input_weights, by_inputs = through_drive(cell, together(inputs), by_drive)
    else:
        (by_weights,) = jax.vjp(lambda cell: _recurrent(cell, before), cell)[1](*by_recurrent)
        by_input_weights, by_inputs = jax.vjp(_drive, cell, together(inputs))[1](*by_drive)
    return _sum(_sum(by_cell, by_weights), by_input_weights), first, by_inputs.reshape(inputs.shape)


_run.defvjp(_run_and_record, _run_backwards)


def _recurrent(cell: Any, states: State) -> Array:
    return jax.vmap(cell.recurrent)(states)


def _parts(stacked: Float[Array, "batch ..."], by_gate: bool) -> tuple[Array, ...]:
    """Its gates, shape (batch, hidden) each; or it alone."""
    return tuple(stacked[:, gate] for gate in range(stacked.shape[1])) if by_gate else (stacked,)


def _through_recurrent(cell: Any, state: State, by_recurrent: tuple[Array, ...], by_gate: bool) -> State:
    """dL by the state before a step, as far as `recurrent` reads it."""
    if not by_gate:
        return jax.vjp(partial(_recurrent, cell), state)[1](*by_recurrent)[0]
    weights = cell.weight_hh.reshape(len(by_recurrent), -1, cell.weight_hh.shape[1])
    (h, *others), structure = jax.tree.flatten(jax.tree.map(jnp.zeros_like, state))
    h = sum((rows @ weight for rows, weight in zip(by_recurrent, weights, strict=True)), h)
    return jax.tree.unflatten(structure, [h, *others])


def _drive(cell: Any, inputs: Array) -> Array:
    return jax.vmap(cell.drive)(inputs)


def _inputs_and_drive(cell: Any, inputs: Array) -> tuple[Array, Callable[[Array], Array]]:
    """What the loop over time reads at a step, and the drive that it forms from that."""
    if on_an_accelerator():
        return jax.vmap(partial(_drive, cell))(inputs), lambda drive: drive
    return inputs, partial(_drive, cell)


def _update(cell: Any, recurrent: Array, drive: Array, states: State) -> State:
    return jax.vmap(cell.update)(recurrent, drive, states)


def _update_of_parts(
    by_gate: bool, cell: Any, recurrent: tuple[Array, ...], drive: tuple[Array, ...], states: State
) -> State:
    def update(recurrent: tuple[Array, ...], drive: tuple[Array, ...], state: State) -> State:
        if by_gate:
            return cell.update(Gates(recurrent), Gates(drive), state)
        return cell.update(*recurrent, *drive, state)

    return jax.vmap(update)(recurrent, drive, states)


def _is_saved(primitive: Any, *_: Any, **__: Any) -> bool:
    return primitive.name in _SAVED


def _is_added(
    by_gate: bool, cell: Any, recurrent: tuple[Array, ...], drive: tuple[Array, ...], state: State
) -> tuple[bool, ...]:
    """For each part of the drive, whether `update` reads recurrent + drive there and neither alone."""
    same = []

    def look(recurrent: tuple[Array, ...], drive: tuple[Array, ...], state: State) -> None:
        after, pull = jax.vjp(partial(_update_of_parts, by_gate, cell), recurrent, drive, state)
        by_recurrent, by_drive, _ = pull(after)
        if len(by_recurrent) == len(by_drive):
            same.extend(left is right for left, right in zip(by_recurrent, by_drive, strict=True))
        else:
            same.extend([False] * len(by_drive))

    jax.eval_shape(look, recurrent, drive, state)
    return tuple(same)


def _sum(left: Any, right: Any) -> Any:
    return jax.tree.map(jnp.add, left, right)
