"""Step Jacobians in the cheapest exact form that a cell's structure allows.

An elementwise cell computes `state' = update(recurrent, drive, state)`, elementwise over units,
where `recurrent = W h` has one row a gate, h is the first leaf of the state, and `drive` comes from
the input. With D the diagonal matrices of the partial derivatives of `update`, its Jacobian is

    d s'_i / d h   = sum over gates g of D_ig W_g + D_i0      (dense: the first columns)
    d s'_i / d s_j = D_ij                                     (diagonal: all other columns)

so it is assembled in O(n**2), and a product with it costs n x n x hidden_size: for an LSTM half of
a dense one. The derivatives are taken from `update` itself, one forward pass a gate, so the fast
path and the step cannot disagree. Every other step has its dense `jax.jacrev`.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.jacobian.steps import step_jacobian
from rnn_jax.step import State, Step


class ElementwiseCell(Protocol):
    """What a cell declares, beside `structure = "elementwise"`, to be treated as one."""

    weight_hh: Array

    def recurrent(self, state: Any) -> Array: ...
    def drive(self, x: Any) -> Array: ...
    def update(self, recurrent: Any, drive: Any, state: Any) -> Any: ...


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DenseFactor:
    """A step Jacobian as a plain matrix, shape (n, n)."""

    matrix: Array

    def after(self, left: Float[Array, "rows n"]) -> Float[Array, "rows n"]:
        """left @ J."""
        return left @ self.matrix


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ElementwiseFactor:
    """A step Jacobian as its dense first columns and the diagonals of the rest.

    Attributes:
        matrix: derivative with respect to h, shape (n, hidden_size).
        diagonals: derivative of leaf i with respect to leaf j > 0, shape (leaves, leaves - 1, hidden_size).
    """

    matrix: Array
    diagonals: Array

    def after(self, left: Float[Array, "rows n"]) -> Float[Array, "rows n"]:
        """left @ J."""
        columns = [left @ self.matrix]
        leaves, others, hidden_size = self.diagonals.shape
        if others:
            blocks = left.reshape(left.shape[0], leaves, hidden_size)
            columns += [jnp.sum(blocks * self.diagonals[None, :, j], axis=1) for j in range(others)]
        return jnp.concatenate(columns, axis=1)


Factor = DenseFactor | ElementwiseFactor


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Diagonals:
    """The partial derivatives of an elementwise cell's update at one step: O(n) numbers.

    Attributes:
        by_gate: d s'_i / d z_g, shape (leaves, gates, hidden_size).
        by_leaf: d s'_i / d s_j, shape (leaves, leaves, hidden_size).
    """

    by_gate: Array
    by_leaf: Array


def is_elementwise(step: Step) -> bool:
    """True where the step says that it is an elementwise cell."""
    return getattr(step, "structure", "dense") == "elementwise"


def prepared(step: Step, state: State, x: Any) -> Any:
    """What one step's Jacobian needs that is cheap to make and keep for many steps at once."""
    return _diagonals(step, state, x) if is_elementwise(step) else (state, x)  # pyright: ignore[reportArgumentType]


def factor(step: Step, material: Any) -> Factor:
    """The Jacobian of one step, from what `prepared` gave, in the form its structure allows."""
    if is_elementwise(step):
        return _assembled(step, material)  # pyright: ignore[reportArgumentType]
    return DenseFactor(step_jacobian(step, *material))


def _diagonals(cell: ElementwiseCell, state: State, x: Any) -> Diagonals:
    recurrent, drive = cell.recurrent(state), cell.drive(x)
    leaves, structure = jax.tree.flatten(state)

    def update(recurrent: Array, leaves: list[Array]) -> Array:
        return jnp.stack(
            jax.tree.leaves(cell.update(recurrent, drive, jax.tree.unflatten(structure, leaves)))
        )

    def along(gate: int | None, leaf: int | None) -> Array:
        """The derivative by one gate or one leaf: elementwise, so a tangent of ones gives all."""
        gate_tangent = jnp.zeros_like(recurrent)
        if gate is not None:
            gate_tangent = gate_tangent.at[gate].set(1)
        leaf_tangents = [jnp.full_like(each, i == leaf) for i, each in enumerate(leaves)]
        return jax.jvp(update, (recurrent, leaves), (gate_tangent, leaf_tangents))[1]

    return Diagonals(
        by_gate=jnp.stack([along(gate, None) for gate in range(recurrent.shape[0])], axis=1),
        by_leaf=jnp.stack([along(None, leaf) for leaf in range(len(leaves))], axis=1),
    )


def _assembled(cell: ElementwiseCell, diagonals: Diagonals) -> ElementwiseFactor:
    leaves, gates, hidden_size = diagonals.by_gate.shape
    weights = cell.weight_hh.reshape(gates, hidden_size, hidden_size)
    on_diagonal = jnp.eye(hidden_size, dtype=bool)
    blocks = []
    for i in range(leaves):
        block = jnp.where(on_diagonal, diagonals.by_leaf[i, 0][:, None], jnp.zeros((), weights.dtype))
        for gate in range(gates):
            block = block + diagonals.by_gate[i, gate][:, None] * weights[gate]
        blocks.append(block)
    return ElementwiseFactor(matrix=jnp.concatenate(blocks), diagonals=diagonals.by_leaf[:, 1:])
