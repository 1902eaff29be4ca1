"""Columns made triangular, so that none is lost in another.

A product J_k ... J_1 Q is factored as B U, B of well-conditioned columns and U upper triangular with
a diagonal of pivots. Where B is orthonormal this is QR. But going on from any such B instead of Q
changes no exponent, because upper triangular factors multiply: J_T ... J_1 Q_0 = B_T U_T ... U_1. One
QR of B_T at the end turns the product of the pivots into exactly the diagonal that QR at every step
would have given. So B may be what is fastest:

* Gaussian elimination with row pivoting: B = P^T L has entries of at most 1. Half to a third of the
  time of a QR on a CPU; exact zeros stay exact. (Bauer's "Treppeniteration" is the same idea.)
* Cholesky: U^T U = Y^T Y and B = Y U^-1, for a panel of columns at a time, with what the panels before
  span taken out first (`gram_schmidt`): matrix products almost alone. A panel that is far from
  orthogonal is done again (CholeskyQR2). Where a panel's Gram matrix is not positive definite in
  rounding, as for a singular product, it is elimination after all.
* Householder reflections: the definition.

References:
    Bauer 1957, Das Verfahren der Treppeniteration; Dieci & Van Vleck 1995 for the QR form; Fukaya,
    Nakatsukasa, Yanagisawa, Yamamoto 2014, CholeskyQR2.
"""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from rnn_jax.jacobian import gram_schmidt
from rnn_jax.jacobian.scaled import exponent_of, power_of_two

FACTORIZATIONS = ("auto", "elimination", "qr", "cholesky")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Triangular:
    """Y = basis @ U.

    Attributes:
        basis: well-conditioned columns, shape (n, columns).
        pivots: absolute values of U's diagonal, shape (columns,).
        is_rounding: True where a pivot is no larger than the rounding errors of the numbers whose
            difference it is: then it may as well be zero.
    """

    basis: Float[Array, "n columns"]
    pivots: Float[Array, " columns"]
    is_rounding: Bool[Array, " columns"]


def fastest() -> str:
    """The factorization that "auto" stands for on this device.

    On an accelerator Cholesky, which is mostly matrix products, where elimination and Householder
    reflections go column by column. Suite `gpu` measures all three.
    """
    return "elimination" if jax.default_backend() == "cpu" else "cholesky"


def tolerated_spread(dtype: Any, factorization: str) -> float:
    """Up to which log of the condition number columns are pushed before they are factored.

    eps**-0.5 leaves half of the digits. The Gram matrix of a panel squares it, and needs some of the other half.
    """
    share = 0.4 if factorization == "cholesky" else 0.5
    return -share * math.log(float(jnp.finfo(dtype).eps))


def factored(columns: Float[Array, "n columns"], products: Any, factorization: str) -> Triangular:
    """Any of the three, for columns that came out of so many matrix products."""
    return {"elimination": eliminated, "qr": reflected, "cholesky": by_cholesky}[factorization](
        columns, products
    )


def eliminated(columns: Float[Array, "n columns"], products: Any = 1) -> Triangular:
    """Gaussian elimination with row pivoting of columns that came out of so many matrix products."""
    rows, count = columns.shape
    compact, _, permutation = jax.lax.linalg.lu(columns)
    pivots = jnp.abs(jnp.diagonal(compact))
    epsilon = jnp.finfo(columns.dtype).eps

    # Rows in their old order first, then the mask: one pass less than a scatter of L.
    came_to = jnp.zeros_like(permutation).at[permutation].set(jnp.arange(rows, dtype=permutation.dtype))
    row, column = came_to[:, None], jnp.arange(count, dtype=permutation.dtype)[None, :]
    unit = (row == column).astype(compact.dtype)
    basis = jnp.where(row > column, jnp.take(compact, came_to, axis=0, mode="clip"), unit)

    def compared() -> Array:
        upper, lower = jnp.triu(compact[:count]), jnp.tril(compact[:count], -1)
        # What each pivot is a difference of.
        sizes = jnp.sum(jnp.abs(lower * upper.T), axis=1) + pivots
        return pivots <= _rounding(columns, products) * sizes

    suspicious = jnp.any(pivots <= rows * epsilon * jnp.max(pivots))
    is_rounding = jax.lax.cond(suspicious, compared, lambda: jnp.zeros(count, bool))
    return Triangular(basis, pivots, is_rounding)


def reflected(columns: Float[Array, "n columns"], products: Any = 1) -> Triangular:
    """QR by Householder reflections."""
    basis, upper = jnp.linalg.qr(columns)
    pivots = jnp.abs(jnp.diagonal(upper))
    sizes = jnp.sum(jnp.abs(upper), axis=0)
    return Triangular(basis, pivots, pivots <= _rounding(columns, products) * sizes)


def by_cholesky(columns: Float[Array, "n columns"], products: Any = 1) -> Triangular:
    """Cholesky's factors of the Gram matrices of panels; elimination where there is none."""
    basis, pivots, lengths, exponent = _cholesky_qr(columns, False)
    is_rounding = pivots <= _rounding(columns, products) * lengths
    made = Triangular(basis, pivots * power_of_two(exponent, pivots.dtype), is_rounding)
    return jax.lax.cond(jnp.all(jnp.isfinite(basis)), lambda: made, lambda: eliminated(columns, products))


def orthonormal(
    columns: Float[Array, "n columns"], factorization: str
) -> tuple[Float[Array, "n columns"], Float[Array, " columns"]]:
    """QR: orthonormal columns of the same flag, and the absolute values of R's diagonal."""

    def by_reflections() -> tuple[Array, Array]:
        made = reflected(columns)
        return made.basis, made.pivots

    if factorization != "cholesky":
        return by_reflections()
    basis, pivots, _, exponent = _cholesky_qr(columns, True)
    made = basis, pivots * power_of_two(exponent, pivots.dtype)
    return jax.lax.cond(jnp.all(jnp.isfinite(basis)), lambda: made, by_reflections)


def _cholesky_qr(columns: Array, twice: bool) -> tuple[Array, Array, Array, Array]:
    """Q, R's diagonal and the columns' lengths but for 2**exponent, one a column; Q not finite where it fails.

    The factor of a column commutes with all of it; taken out, no square leaves the dtype's range.
    """
    exponent = exponent_of(jnp.max(jnp.abs(columns), axis=0))
    rows = (columns * power_of_two(-exponent, columns.dtype)[None]).T
    lengths = jnp.sqrt(jnp.sum(jnp.square(rows), axis=1))

    rows, pivots = gram_schmidt.orthogonalized(rows, twice)
    return rows.T, pivots, lengths, exponent


def rounding(rows: int, dtype: Any) -> float:
    """The relative rounding error of columns that came out of one matrix product; of more it grows with their root."""
    return 4 * float(jnp.finfo(dtype).eps) * math.sqrt(rows)


def _rounding(columns: Array, products: Any) -> Array:
    return rounding(len(columns), columns.dtype) * jnp.sqrt(jnp.asarray(products, columns.dtype))
