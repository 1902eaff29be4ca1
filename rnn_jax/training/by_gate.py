"""Backpropagation through an elementwise cell gate by gate: what a CPU does where the cell allows it.

Put together in one array of all gates, their gradients are written and read several times more, and a product of that
array with a few columns copies all of it. On two cores, 32 to 128 units, a training step of a GRU took 0.65 to 0.7 of the
time gate by gate, of an LSTM 0.85 to 0.97.

Three things are demanded of a cell, and looked up in its own functions: that `recurrent` is the product with `weight_hh`
and nothing else, that `drive` is affine in the input, and that `update` takes its gates as `Gates`.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cell_structure import ElementwiseCell
from rnn_jax.gates import Gates
from rnn_jax.step import State
from rnn_jax.unrolling import on_an_accelerator

_FEW = 8
"""Inputs, up to which a product of a vector and a matrix for each is faster than one of matrices: that copies the larger."""

_AFFINE = {
    "add", "broadcast_in_dim", "concatenate", "div", "dot_general", "expand_dims", "mul", "neg", "reshape", "squeeze",
    "sub", "transpose",
}  # fmt: skip
"""Primitives that an affine function may be of; JAX says of products and quotients whether they are linear."""

_OF_ROWS = {"broadcast_in_dim", "concatenate", "expand_dims", "reshape", "slice", "squeeze", "unstack"}
"""Primitives that only take rows apart or put them together; JAX 0.12 unpacks an array by `unstack`."""

_NAMED = re.compile(r"= (\w+)")
"""A primitive where a program is written out."""


def goes_by_gate(cell: ElementwiseCell, state: State, x: Any) -> bool:
    """Whether this is a CPU, and the cell allows it.

    Args:
        cell, state, x: of one example; their shapes and dtypes are looked at.
    """
    if on_an_accelerator():
        return False
    try:
        recurrent, drive = jax.eval_shape(lambda c, s, x: (c.recurrent(s), c.drive(x)), cell, state, x)
        dtypes = {leaf.dtype for leaf in (cell.weight_hh, jax.tree.leaves(state)[0], recurrent, drive, x)}
        if recurrent.ndim != 2 or drive.ndim != 2 or len(dtypes) > 1:
            return False
        return _is_plain_product(cell, state) and is_affine(cell.drive, x) and _takes_gates(cell, state, x)
    except Exception:  # what a cell of somebody's own raises here, it raises on the other way again, or never
        return False


def through_weights(
    cell: ElementwiseCell, h: Float[Array, "examples hidden"], by_recurrent: tuple[Array, ...]
) -> Any:
    """dL by the cell's own numbers, as far as `recurrent` reads them.

    Args:
        cell: whose `recurrent` it is.
        h: before all steps, of all examples.
        by_recurrent: dL/drecurrent there, a gate each, shape (examples, hidden).
    """
    by_weight_hh = jnp.concatenate([rows.T @ h for rows in by_recurrent])
    (by_cell,) = jax.vjp(lambda cell: cell.weight_hh, cell)[1](by_weight_hh)
    return by_cell


def through_drive(
    cell: ElementwiseCell, inputs: Float[Array, "examples input"], by_drive: tuple[Array, ...]
) -> tuple[Any, Float[Array, "examples input"]]:
    """dL by the cell's own numbers, as far as `drive` reads them, and by the inputs.

    An affine function is known from what it is at 0 and along each input. So of the steps and examples no more is
    needed than, for each gate, the sum of dL/ddrive and its sums weighted by each input.

    Args:
        cell: whose `drive` it is.
        inputs: of all steps and examples.
        by_drive: dL/ddrive there, a gate each, shape (examples, hidden).
    """
    none = jnp.zeros(inputs.shape[1:], inputs.dtype)

    def response(cell: ElementwiseCell) -> tuple[Array, Array]:
        along = jax.vmap(lambda unit: jax.jvp(cell.drive, (none,), (unit,))[1])
        return cell.drive(none), along(jnp.eye(none.size, dtype=none.dtype))

    (_, along), pull = jax.vjp(response, cell)
    of_all = jnp.ones(inputs.shape[0], inputs.dtype)
    sums = jnp.stack([of_all @ rows for rows in by_drive])
    weighted = jnp.stack([_weighted_sums(inputs, rows) for rows in by_drive], axis=1)
    (by_cell,) = pull((sums, weighted))
    return by_cell, sum(rows @ along[:, gate].T for gate, rows in enumerate(by_drive))  # pyright: ignore[reportReturnType]


def is_affine(function: Callable[[Array], Array], x: Any) -> bool:
    """Whether a function is affine, and made of nothing that could hide that it is not."""
    if not {equation.primitive.name for equation in jax.make_jaxpr(function)(x).eqns} <= _AFFINE:
        return False
    try:
        jax.eval_shape(jax.linear_transpose(function, x), jax.eval_shape(function, x))
    except Exception:  # what is raised differs from primitive to primitive
        return False
    return True


def _weighted_sums(inputs: Float[Array, "examples input"], rows: Float[Array, "examples hidden"]) -> Array:
    if 0 < inputs.shape[1] <= _FEW:
        return jnp.stack([column @ rows for column in inputs.T])
    return inputs.T @ rows


def _is_plain_product(cell: ElementwiseCell, state: State) -> bool:
    """Whether `recurrent` reads as the product does, written in one of the two ways that give it a row a gate."""

    def by_reshape(cell: ElementwiseCell, state: State) -> Array:
        h = jax.tree.leaves(state)[0]
        return (cell.weight_hh @ h).reshape(-1, h.size)

    def by_index(cell: ElementwiseCell, state: State) -> Array:
        return (cell.weight_hh @ jax.tree.leaves(state)[0])[None]

    text = _text(lambda cell, state: cell.recurrent(state), cell, state)
    return text in {_text(way, cell, state) for way in (by_reshape, by_index)}


def _text(function: Callable, *arguments: Any) -> str:
    return str(jax.make_jaxpr(function)(*arguments))


def _takes_gates(cell: ElementwiseCell, state: State, x: Any) -> bool:
    """Whether `update` does the same with `Gates` as with arrays: gives the same shapes, by the same primitives."""

    def update(made: Callable, cell: ElementwiseCell, state: State, x: Any) -> State:
        return cell.update(made(cell.recurrent(state)), made(cell.drive(x)), state)

    ways = [partial(update, made) for made in (lambda stacked: stacked, Gates)]
    shapes = [jax.eval_shape(way, cell, state, x) for way in ways]
    primitives = [set(_NAMED.findall(_text(way, cell, state, x))) - _OF_ROWS for way in ways]
    return shapes[0] == shapes[1] and primitives[0] == primitives[1]
