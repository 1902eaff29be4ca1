"""Step Jacobians in the cheapest exact form that a cell's structure allows (`rnn_jax.cell_structure`).

An elementwise cell's is assembled in O(n**2), and a product with it costs n x n x hidden_size: for an LSTM half of
a dense one; a product with a diagonal cell's costs O(n); a Kronecker cell's A is taken from the step itself: it is
what the tangent I of M becomes. The derivatives are taken from `update` itself, one forward pass a gate or leaf, so
the fast path and the step cannot disagree. Every other step has its dense `jax.jacrev`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cell_structure import (
    DIAGONAL,
    ELEMENTWISE,
    KRONECKER,
    DiagonalCell,
    ElementwiseCell,
    KroneckerCell,
    structure_of,
)
from rnn_jax.jacobian.steps import step_jacobian
from rnn_jax.slopes import with_exact_slopes
from rnn_jax.step import State


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DenseFactor:
    """A step Jacobian as a plain matrix, shape (n, n)."""

    matrix: Array

    def after(self, left: Float[Array, "rows n"]) -> Float[Array, "rows n"]:
        """left @ J."""
        return left @ self.matrix

    def before(self, right: Float[Array, "n columns"]) -> Float[Array, "n columns"]:
        """J @ right."""
        return self.matrix @ right


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ElementwiseFactor:
    """A step Jacobian as its dense first columns and the diagonals of the rest.

    Attributes:
        matrix: derivative with respect to h, shape (n, hidden_size).
        diagonals: one for each leaf j > 0: the derivatives of all leaves with respect to it,
            shape (leaves, hidden_size), or None where nothing depends on it but through `recurrent`.
    """

    matrix: Array
    diagonals: tuple[Array | None, ...]

    def after(self, left: Float[Array, "rows n"]) -> Float[Array, "rows n"]:
        """left @ J."""
        return _with_diagonal_columns(left @ self.matrix, left, self.diagonals)

    def before(self, right: Float[Array, "n columns"]) -> Float[Array, "n columns"]:
        """J @ right."""
        size = self.matrix.shape[1]
        return _plus_diagonal_blocks(self.matrix @ right[:size], right, (None, *self.diagonals))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GatedFactor:
    """The same, its first columns never assembled: sum over gates of (left D_g) W_g.

    Where there are no more gates than leaves this takes no more multiplications, and scaling the
    left side shares its reading with whatever else reads it.

    Attributes:
        by_gate: one a gate, shape (leaves, hidden_size).
        by_first: derivatives of all leaves with respect to h but for `recurrent`, or None.
        weights: shape (gates * hidden_size, hidden_size).
        diagonals: as of an `ElementwiseFactor`.
    """

    by_gate: tuple[Array, ...]
    by_first: Array | None
    weights: Array
    diagonals: tuple[Array | None, ...]

    def after(self, left: Float[Array, "rows n"]) -> Float[Array, "rows n"]:
        """left @ J."""
        gates = [_weighted_blocks(left, each) for each in self.by_gate]
        first = jnp.concatenate(gates, axis=1) @ self.weights
        if self.by_first is not None:
            first = first + _weighted_blocks(left, self.by_first)
        return _with_diagonal_columns(first, left, self.diagonals)

    def before(self, right: Float[Array, "n columns"]) -> Float[Array, "n columns"]:
        """J @ right."""
        leaves, size = self.by_gate[0].shape
        recurrent = (self.weights @ right[:size]).reshape(len(self.by_gate), size, -1)
        gates = list(zip(self.by_gate, recurrent, strict=True))
        blocks = [sum(of_gate[i][:, None] * rows for of_gate, rows in gates) for i in range(leaves)]
        return _plus_diagonal_blocks(jnp.concatenate(blocks), right, (self.by_first, *self.diagonals))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DiagonalFactor:
    """A step Jacobian whose unit u of leaf i depends on unit u of the leaves only.

    Attributes:
        by_leaf: d s'_i / d s_j, shape (leaves, leaves, hidden_size).
    """

    by_leaf: Array

    def after(self, left: Float[Array, "rows leaves"]) -> Float[Array, "rows leaves"]:
        """left @ J, where row (.., u) of `left` holds the columns that belong to unit u."""
        leaves, _, hidden_size = self.by_leaf.shape
        blocks = left.reshape(-1, hidden_size, leaves)
        columns = [
            sum(blocks[:, :, j] * self.by_leaf[j, column][None] for j in range(leaves))
            for column in range(leaves)
        ]
        return _formed_once(jnp.stack(columns, axis=-1).reshape(left.shape), leaves)

    def before(self, right: Float[Array, "n columns"]) -> Float[Array, "n columns"]:
        """J @ right, where row (leaf, u) of `right` belongs to unit u of that leaf."""
        return _plus_diagonal_blocks(jnp.zeros_like(right), right, tuple(jnp.moveaxis(self.by_leaf, 1, 0)))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class KroneckerFactor:
    """A step Jacobian that sends every row m of a matrix through one factor, and all other leaves to zero.

    Attributes:
        matrix: d m' / d m = A^T, shape (key_size, key_size).
        value_size: the number of rows.
    """

    matrix: Array
    value_size: int = field(metadata={"static": True})

    def after(self, left: Float[Array, "rows columns"]) -> Float[Array, "rows columns"]:
        """left @ J, `left` held as a `KroneckerLayout` does: its last column stands for the other leaves."""
        return jnp.concatenate([left[:, :-1] @ self.matrix, jnp.zeros_like(left[:, -1:])], axis=1)

    def before(self, right: Float[Array, "n columns"]) -> Float[Array, "n columns"]:
        """J @ right."""
        size = self.value_size * self.matrix.shape[0]
        by_row = right[:size].reshape(self.value_size, self.matrix.shape[0], -1)
        moved = jnp.einsum("ij,vjc->vic", self.matrix, by_row).reshape(size, -1)
        return jnp.concatenate([moved, jnp.zeros_like(right[size:])])


Factor = DenseFactor | ElementwiseFactor | GatedFactor | DiagonalFactor | KroneckerFactor


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Diagonals:
    """The partial derivatives of an update at one step: O(n) numbers.

    Attributes:
        by_gate: for each gate g, d s'_i / d z_g of all leaves i, shape (leaves, hidden_size); None for a diagonal cell.
        by_leaf: for each leaf j, d s'_i / d s_j of all leaves i, shape (leaves, hidden_size); None
            where the update does not read leaf j.
    """

    by_gate: tuple[Array, ...] | None
    by_leaf: tuple[Array | None, ...]


def prepared(step: Any, state: State, x: Any, nan_or_zero: Any = 0.0) -> Any:
    """What one step's Jacobian needs that is cheap to make and keep for many steps at once.

    Args:
        step, state, x: the step and where it is taken.
        nan_or_zero: NaN makes the Jacobian NaN.
    """
    structure = structure_of(step)
    if structure == ELEMENTWISE:
        made = _diagonals(step, state, x)
        assert made.by_gate is not None
        return replace(made, by_gate=tuple(each + nan_or_zero for each in made.by_gate))
    if structure == DIAGONAL:
        made = _diagonals_alone(step, state, x)
        return replace(made, by_leaf=tuple(leaf + nan_or_zero for leaf in made.by_leaf))
    if structure == KRONECKER:
        made = _of_rows(step, state, x)
        return replace(made, matrix=made.matrix + nan_or_zero)
    return state, x, nan_or_zero


def factor(step: Any, material: Any) -> Factor:
    """The Jacobian of one step, from what `prepared` gave, in the form its structure allows."""
    structure = structure_of(step)
    if structure == ELEMENTWISE:
        return _assembled(step, material)
    if structure == DIAGONAL:
        return DiagonalFactor(jnp.stack(material.by_leaf, axis=1))
    if structure == KRONECKER:
        return material
    state, x, nan_or_zero = material
    return DenseFactor(step_jacobian(step, state, x) + nan_or_zero)


def is_of_one_leaf(step: Any, material: Any) -> bool:
    """Whether a product with a step's Jacobian is formed of one leaf's rows alone, by what `prepared` gave."""
    structure = structure_of(step)
    return structure == KRONECKER or (structure == ELEMENTWISE and len(material.by_leaf) == 1)


def _diagonals(cell: ElementwiseCell, state: State, x: Any) -> Diagonals:
    recurrent, drive = cell.recurrent(state), cell.drive(x)
    leaves, structure = jax.tree.flatten(state)

    def by_recurrent(recurrent: Array) -> Array:
        return jnp.stack(jax.tree.leaves(cell.update(recurrent, drive, state)))

    def by_leaves(leaves: Sequence[Array]) -> Array:
        return jnp.stack(
            jax.tree.leaves(cell.update(recurrent, drive, jax.tree.unflatten(structure, leaves)))
        )

    exact = with_exact_slopes(by_recurrent, recurrent)
    gates = [jnp.zeros_like(recurrent).at[gate].set(1) for gate in range(recurrent.shape[0])]
    return Diagonals(
        by_gate=tuple(jax.jvp(exact, (recurrent,), (gate,))[1] for gate in gates),
        by_leaf=_by_leaf(by_leaves, leaves),
    )


def _diagonals_alone(cell: DiagonalCell, state: State, x: Any) -> Diagonals:
    drive = cell.drive(x)
    leaves, structure = jax.tree.flatten(state)

    def by_leaves(leaves: Sequence[Array]) -> Array:
        return jnp.stack(jax.tree.leaves(cell.update(drive, jax.tree.unflatten(structure, leaves))))

    zeros = jnp.stack([jnp.zeros_like(leaf) for leaf in leaves])
    by_leaf = (zeros if each is None else each for each in _by_leaf(by_leaves, leaves))
    return Diagonals(by_gate=None, by_leaf=tuple(by_leaf))


def _of_rows(cell: KroneckerCell, state: State, x: Any) -> KroneckerFactor:
    """A row of the identity, as a tangent of the matrix, becomes that row of A."""
    leaves, structure = jax.tree.flatten(state)
    memory = leaves[0]
    value_size, key_size = memory.shape

    def moved(memory: Array) -> Array:
        return jax.tree.leaves(cell(jax.tree.unflatten(structure, [memory, *leaves[1:]]), x))[0]

    # As many rows at once as the matrix has.
    count = -(-key_size // value_size)
    tangents = jnp.eye(count * value_size, key_size, dtype=memory.dtype).reshape(count, value_size, key_size)
    by_row = jnp.stack([jax.jvp(moved, (memory,), (tangent,))[1] for tangent in tangents])
    return KroneckerFactor(by_row.reshape(-1, key_size)[:key_size].T, value_size)


def _by_leaf(function: Callable, leaves: Sequence[Array]) -> tuple[Array | None, ...]:
    """Derivatives by each leaf: elementwise, so that a tangent of ones gives all; None if it is not read."""
    jaxpr = jax.make_jaxpr(function)(leaves).jaxpr
    read = {id(variable) for equation in jaxpr.eqns for variable in equation.invars}
    read |= {id(variable) for variable in jaxpr.outvars}
    exact, derivatives = with_exact_slopes(function, leaves), []
    for place, variable in enumerate(jaxpr.invars):
        if id(variable) not in read:
            derivatives.append(None)
            continue
        tangents = [jnp.full_like(leaf, other == place) for other, leaf in enumerate(leaves)]
        derivatives.append(jax.jvp(exact, (leaves,), (tangents,))[1])
    return tuple(derivatives)


def _assembled(cell: ElementwiseCell, diagonals: Diagonals) -> ElementwiseFactor | GatedFactor:
    assert diagonals.by_gate is not None
    gates, (leaves, hidden_size) = len(diagonals.by_gate), diagonals.by_gate[0].shape
    by_first, others = diagonals.by_leaf[0], diagonals.by_leaf[1:]
    if gates <= leaves:
        return GatedFactor(diagonals.by_gate, by_first, cell.weight_hh, others)
    weights = cell.weight_hh.reshape(gates, hidden_size, hidden_size)
    on_diagonal = jnp.eye(hidden_size, dtype=bool)
    blocks = []
    for i in range(leaves):
        block = sum(each[i][:, None] * rows for each, rows in zip(diagonals.by_gate, weights, strict=True))
        if by_first is not None:
            block = block + jnp.where(on_diagonal, by_first[i][:, None], jnp.zeros((), weights.dtype))
        blocks.append(block)
    return ElementwiseFactor(matrix=jnp.concatenate(blocks), diagonals=others)


def _weighted_blocks(left: Float[Array, "rows n"], weights: Float[Array, "leaves hidden"]) -> Array:
    """left @ [D_0; D_1; ...], each D_i diagonal: shape (rows, hidden_size)."""
    size = weights.shape[1]
    return sum(left[:, i * size : (i + 1) * size] * weight[None] for i, weight in enumerate(weights))  # pyright: ignore[reportReturnType]


def _with_diagonal_columns(first: Array, left: Array, diagonals: Sequence[Array | None]) -> Array:
    if not diagonals:
        return first
    columns = [jnp.zeros_like(first) if each is None else _weighted_blocks(left, each) for each in diagonals]
    return _formed_once(jnp.concatenate([first, *columns], axis=1), len(diagonals))


def _formed_once(rows: Array, mixed: int) -> Array:
    """The rows, kept by themselves where several leaves mix without a matrix product in between.

    XLA would put an elementwise step into each of its readers. Where a leaf is read by two or more others, it
    is then formed anew for each of them, and over k steps in a row 2^k times or more: an sLSTM's chain never ended.
    """
    return rows if mixed < 2 else jax.lax.optimization_barrier(rows)


def _plus_diagonal_blocks(product: Array, right: Array, diagonals: Sequence[Array | None]) -> Array:
    """product + [diagonals of leaf 0, of leaf 1, ...] @ right, those that are None being zero."""
    for j, each in enumerate(diagonals):
        if each is not None:
            size = each.shape[1]
            block = each[:, :, None] * right[None, j * size : (j + 1) * size]
            product = product + block.reshape(product.shape)
    return product
