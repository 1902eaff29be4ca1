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
  rounding, as for a singular product, or a pivot is lost in it, it is elimination after all.
* Householder reflections: the definition.

References:
    Bauer 1957, Das Verfahren der Treppeniteration; Dieci & Van Vleck 1995 for the QR form; Fukaya,
    Nakatsukasa, Yanagisawa, Yamamoto 2014, CholeskyQR2.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from rnn_jax.devices import default_platform
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
        sizes: of the numbers whose difference a pivot is, shape (columns,); 0 where all pivots are far above rounding.
        is_rounding: True where a pivot is no larger than the rounding errors of those numbers: then it may as well be
            zero.
        is_suspect: whether one that is no zero of zeros may be no larger than the rounding errors of the products that
            made the columns.
        rows: the row of Y that each pivot stands in, shape (columns,); -1 where the basis is orthonormal.
    """

    basis: Float[Array, "n columns"]
    pivots: Float[Array, " columns"]
    sizes: Float[Array, " columns"]
    is_rounding: Bool[Array, " columns"]
    is_suspect: Bool[Array, ""]
    rows: Int[Array, " columns"]


def fastest() -> str:
    """The factorization that "auto" stands for on this device.

    On an accelerator Cholesky, which is mostly matrix products, where elimination and Householder
    reflections go column by column. Suite `gpu` measures all three.
    """
    return "elimination" if default_platform() == "cpu" else "cholesky"


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

    unit_of_rounding = _rounding(columns, products)

    def compared() -> tuple[Array, Array]:
        upper, lower = jnp.triu(compact[:count]), jnp.tril(compact[:count], -1)
        # What the products lost of a row before goes by the largest that they left in it.
        largest = jnp.max(jnp.abs(columns), axis=1)[permutation[:count]]
        at_most = jnp.maximum(jnp.abs(upper), largest[:, None])
        before = jnp.sum(jnp.abs(lower) * at_most.T, axis=1) + largest
        is_small = pivots <= unit_of_rounding * before

        def own_sizes() -> Array:
            return jnp.sum(jnp.abs(lower * upper.T), axis=1) + pivots

        sizes = jax.lax.cond(jnp.any(is_small), own_sizes, lambda: jnp.zeros(count, columns.dtype))
        return sizes, is_small & (before > 0)

    looks_small = jnp.any(pivots <= max(rows, 16) * epsilon * jnp.max(pivots))
    nothing = jnp.zeros(count, columns.dtype), jnp.zeros(count, bool)
    sizes, is_suspect = jax.lax.cond(looks_small, compared, lambda: nothing)
    is_rounding = looks_small & (pivots <= unit_of_rounding * sizes)
    return Triangular(basis, pivots, sizes, is_rounding, jnp.any(is_suspect), permutation[:count])


def reflected(columns: Float[Array, "n columns"], products: Any = 1) -> Triangular:
    """QR by Householder reflections."""
    basis, upper = jnp.linalg.qr(columns)
    pivots = jnp.abs(jnp.diagonal(upper))
    return _orthonormal_triangular(
        basis, pivots, jnp.sum(jnp.abs(upper), axis=0), _rounding(columns, products)
    )


def _orthonormal_triangular(basis: Array, pivots: Array, sizes: Array, unit_of_rounding: Array) -> Triangular:
    return Triangular(
        basis,
        pivots,
        sizes,
        is_rounding=pivots <= unit_of_rounding * sizes,
        is_suspect=jnp.any(pivots <= unit_of_rounding * jnp.max(sizes)) & (jnp.max(sizes) > 0),
        rows=jnp.full(pivots.shape, -1, jnp.int32),
    )


def by_cholesky(columns: Float[Array, "n columns"], products: Any = 1) -> Triangular:
    """Cholesky's factors of the Gram matrices of panels; elimination where there is none, or one that lost a pivot.

    What is lost goes by columns here, and by rows in elimination: in float32 the rows of a saturated net, each smaller than
    the last, keep all of their pivots in it alone.
    """
    basis, pivots, lengths, exponent = _cholesky_qr(columns, False)
    pivots, lengths = (each * power_of_two(exponent, each.dtype) for each in (pivots, lengths))
    made = _orthonormal_triangular(basis, pivots, lengths, _rounding(columns, products))
    is_right = jnp.all(jnp.isfinite(basis)) & ~jnp.any(made.is_rounding)
    return jax.lax.cond(is_right, lambda: made, lambda: eliminated(columns, products))


def with_rounding_of_product(
    made: Triangular, jacobian: Float[Array, "n n"], before: Float[Array, "n columns"]
) -> Triangular:
    """What columns are of that came out of the one product `jacobian @ before`, whose own rounding is looked at too.

    Where that cancels, as of columns that lie across what a Jacobian of condition 1/eps stretches most, the factors
    of what is left look as good as any. A pivot that cancelled to zero is as large as one unit of rounding here.
    """
    size, dtype = len(before), before.dtype
    # Sums of n numbers of either sign are as large as so many of their absolute values.
    terms = jnp.abs(jacobian) @ jnp.abs(before) / size**0.5
    is_eliminated = made.rows[0] >= 0
    rows = jnp.maximum(made.rows, 0)
    of_rows = jnp.sum(jnp.tril(jnp.abs(made.basis[rows])) * terms[rows].T, axis=1)
    largest = jnp.max(terms)
    of_columns = largest * jnp.linalg.norm(terms / jnp.where(largest > 0, largest, 1), axis=0)
    sizes = jnp.maximum(made.sizes, jnp.where(is_eliminated, of_rows, of_columns))
    # Along the pivot's own direction: where no number but zero reaches that, nothing cancelled.
    cancelled = jnp.where(is_eliminated, sizes, jnp.sum(jnp.abs(made.basis) * terms, axis=0))
    is_rounding = made.pivots <= rounding(size, dtype) * sizes
    pivots = jnp.where(made.pivots == 0, jnp.finfo(dtype).eps * cancelled, made.pivots)
    return replace(made, pivots=pivots, sizes=sizes, is_rounding=is_rounding)


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
