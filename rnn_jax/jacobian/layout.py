"""How the rows of a product are held: dense, or for diagonal cells only what is not zero."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.coordinates import ravel_reals
from rnn_jax.jacobian import scaled
from rnn_jax.jacobian.scaled import ScaledMatrix, ScaledNumber
from rnn_jax.jacobian.structure import DIAGONAL, structure_of
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


Layout = DenseLayout | DiagonalLayout


def layout_of(step: Step, state: State) -> Layout:
    """The cheapest layout that a step's structure allows.

    Raises:
        ValueError: a diagonal cell's state has leaves of different shapes or no real vectors.
    """
    if structure_of(step) != DIAGONAL:
        return DenseLayout(ravel_reals(state)[0].size)
    leaves = jax.tree.leaves(state)
    shapes = {leaf.shape for leaf in leaves}
    if len(shapes) > 1 or any(leaf.ndim != 1 or jnp.iscomplexobj(leaf) for leaf in leaves):
        raise ValueError(
            'a step of structure "diagonal" needs a state of real vectors of one length, got '
            + ", ".join(f"{leaf.shape} {leaf.dtype}" for leaf in leaves)
        )
    return DiagonalLayout(len(leaves), leaves[0].shape[0])
