"""How the rows of a product are held: in full, or of a structured one only entries that are neither zero nor repeated."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rnn_jax.cell_structure import DIAGONAL, KRONECKER, structure_of
from rnn_jax.coordinates import ravel_reals, real_size
from rnn_jax.jacobian import scaled
from rnn_jax.jacobian.scaled import ScaledMatrix, ScaledNumber
from rnn_jax.step import State, Step


@dataclass(frozen=True)
class DenseLayout:
    """Every row of the product in full."""

    size: int

    def identity(self, dtype: Any) -> Float[Array, "n n"]:
        """The product of no factor."""
        return jnp.eye(self.size, dtype=dtype)

    def compressed(self, rows: Float[Array, "m n"]) -> Float[Array, "rows n"]:
        """Rows of the same Frobenius norm after any product."""
        return rows

    def product(self, left: ScaledMatrix, right: ScaledMatrix) -> ScaledMatrix:
        """left @ right, `right` of n rows."""
        return scaled.product(left, right)

    def largest(self, product: ScaledMatrix) -> ScaledNumber:
        """The spectral norm."""
        return scaled.spectral_norm(product)

    def in_full(self, product: ScaledMatrix) -> ScaledMatrix:
        """The product as a matrix, shape (n, n)."""
        return product


@dataclass(frozen=True)
class DiagonalLayout:
    """Row (i, u), leaf i and unit u, holds its derivatives by unit u of each leaf; all others are zero."""

    leaves: int
    hidden_size: int

    def identity(self, dtype: Any) -> Float[Array, "n leaves"]:
        """The product of no factor."""
        return jnp.repeat(jnp.eye(self.leaves, dtype=dtype), self.hidden_size, axis=0)

    def compressed(self, rows: Float[Array, "m n"]) -> Float[Array, "rows leaves"]:
        """Rows of the same Frobenius norm after any product: units do not mix, so each has its own.

        The m rows of one unit are replaced by the triangular factor of their QR decomposition.
        """
        by_unit = jnp.moveaxis(rows.reshape(-1, self.leaves, self.hidden_size), 2, 0)
        triangular = jnp.linalg.qr(by_unit, mode="r")
        return jnp.moveaxis(triangular, 0, 1).reshape(-1, self.leaves)

    def product(self, left: ScaledMatrix, right: ScaledMatrix) -> ScaledMatrix:
        """left @ right, `right` of n rows."""
        by_unit = jax.vmap(scaled.product)(self._by_unit(left), self._by_unit(right))
        return ScaledMatrix(
            jnp.moveaxis(by_unit.mantissa, 0, 1).reshape(left.mantissa.shape), by_unit.exponent.T.reshape(-1)
        )

    def _by_unit(self, rows: ScaledMatrix) -> ScaledMatrix:
        """One small matrix a unit, the unit's axis first."""
        mantissa = rows.mantissa.reshape(-1, self.hidden_size, self.leaves)
        return ScaledMatrix(jnp.moveaxis(mantissa, 1, 0), rows.exponent.reshape(-1, self.hidden_size).T)

    def largest(self, product: ScaledMatrix) -> ScaledNumber:
        """The spectral norm: the largest over the units."""
        by_unit = jax.vmap(scaled.spectral_norm)(self._by_unit(product))
        column, highest = scaled.aligned(scaled.normalized(by_unit.mantissa[:, None], by_unit.exponent))
        return ScaledNumber(jnp.max(column), highest)

    def in_full(self, product: ScaledMatrix) -> ScaledMatrix:
        """The product as a matrix, shape (n, n)."""
        units = jnp.eye(self.hidden_size, dtype=product.mantissa.dtype)
        blocks = product.mantissa.reshape(self.leaves, self.hidden_size, self.leaves)
        size = self.leaves * self.hidden_size
        return ScaledMatrix(jnp.einsum("iuj,uv->iujv", blocks, units).reshape(size, size), product.exponent)


@dataclass(frozen=True)
class KroneckerLayout:
    """Of a product I (x) P for the rows of a matrix and c I for the other leaves: P, and c in a corner of its own.

    P is held times sqrt(value_size) and c times the root of how many numbers the other leaves have, so that the
    Frobenius norm of what is held is that of the whole.

    Attributes:
        value_size, key_size: the matrix's rows and columns.
        others: how many numbers the other leaves have.
    """

    value_size: int
    key_size: int
    others: int

    def identity(self, dtype: Any) -> Float[Array, "rows rows"]:
        """The product of no factor."""
        corner = [1.0] if self.others else [0.0]
        return jnp.diag(jnp.asarray(self._weights() * ([1.0] * self.key_size + corner), dtype))

    def compressed(self, rows: Float[Array, "m n"]) -> Float[Array, "rows columns"]:
        """Rows of the same Frobenius norm after any product: of all the rows that P will meet, the triangular factor.

        The other leaves are met by c alone, so that of their columns the norm is enough.
        """
        size = self.value_size * self.key_size
        triangular = jnp.linalg.qr(rows[:, :size].reshape(-1, self.key_size), mode="r")
        others = jnp.sqrt(jnp.sum(jnp.square(rows[:, size:])))
        held = jnp.zeros((triangular.shape[0] + 1, self.key_size + 1), rows.dtype)
        return held.at[:-1, :-1].set(triangular).at[-1, -1].set(others)

    def product(self, left: ScaledMatrix, right: ScaledMatrix) -> ScaledMatrix:
        """left @ right, `right` as the identity is held."""
        weights = jnp.asarray(1 / self._weights(), right.mantissa.dtype)
        return scaled.product(left, ScaledMatrix(right.mantissa * weights[:, None], right.exponent))

    def largest(self, product: ScaledMatrix) -> ScaledNumber:
        """The spectral norm: the larger one of P's and c."""
        weight, weight_of_others = self._weights()[0], self._weights()[-1]
        of_rows = scaled.spectral_norm(jax.tree.map(lambda leaf: leaf[:-1], product))
        mantissas = jnp.stack([of_rows.mantissa / weight, product.mantissa[-1, -1] / weight_of_others])
        exponents = jnp.stack([of_rows.exponent, product.exponent[-1]])
        column, highest = scaled.aligned(scaled.normalized(mantissas[:, None], exponents))
        return ScaledNumber(jnp.max(column), highest)

    def in_full(self, product: ScaledMatrix) -> ScaledMatrix:
        """The product as a matrix, shape (n, n)."""
        dtype = product.mantissa.dtype
        held = product.mantissa * jnp.asarray(1 / self._weights(), dtype)[:, None]
        of_rows = jnp.kron(jnp.eye(self.value_size, dtype=dtype), held[:-1, :-1])
        of_others = held[-1, -1] * jnp.eye(self.others, dtype=dtype)
        exponents = [
            jnp.tile(product.exponent[:-1], self.value_size),
            jnp.tile(product.exponent[-1:], self.others),
        ]
        return ScaledMatrix(jax.scipy.linalg.block_diag(of_rows, of_others), jnp.concatenate(exponents))

    def _weights(self) -> np.ndarray:
        """Of each row that is held."""
        return np.sqrt([self.value_size] * self.key_size + [max(self.others, 1)])


Layout = DenseLayout | DiagonalLayout | KroneckerLayout


def layout_of(step: Step, state: State) -> Layout:
    """The cheapest layout that a step's structure allows.

    Raises:
        ValueError: a diagonal cell's state has leaves of different shapes or no real vectors, or that of a
            Kronecker cell does not begin with a real matrix.
    """
    structure, leaves = structure_of(step), jax.tree.leaves(state)
    if structure == KRONECKER:
        memory = leaves[0]
        if memory.ndim != 2 or not jnp.issubdtype(memory.dtype, jnp.floating):
            raise ValueError(
                'a step of structure "kronecker" needs a state whose first leaf is a real matrix, got '
                f"{memory.shape} {memory.dtype}"
            )
        return KroneckerLayout(*memory.shape, others=real_size(leaves[1:]))
    if structure != DIAGONAL:
        return DenseLayout(ravel_reals(state)[0].size)
    shapes = {leaf.shape for leaf in leaves}
    if len(shapes) > 1 or any(leaf.ndim != 1 or jnp.iscomplexobj(leaf) for leaf in leaves):
        raise ValueError(
            'a step of structure "diagonal" needs a state of real vectors of one length, got '
            + ", ".join(f"{leaf.shape} {leaf.dtype}" for leaf in leaves)
        )
    return DiagonalLayout(len(leaves), leaves[0].shape[0])
