"""A long product held as X D Y, with D diagonal of any range and X, Y well conditioned.

Every singular value of such a product is determined to relative accuracy by X, D and Y, however far
they lie apart, where the product itself as one matrix would have lost all but the largest. The
parts: `extended` multiplies from the left, by Gaussian elimination with complete pivoting on the
scaled columns, and `with_orthogonal_right` keeps Y well conditioned; `rows_of` turns X D Y into rows
of unit size times D; `orthogonalized` makes those rows orthogonal by one-sided Jacobi rotations, after
which D holds the singular values.

References:
    Demmel, Gu, Eisenstat, Slapnicar, Veselic, Drmac 1999, Computing the singular value decomposition
    with high relative accuracy; Demmel & Veselic 1992, Jacobi's method is more accurate than QR;
    Stewart 1997, On graded QR decompositions of products of matrices.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rnn_jax.jacobian.scaled import ScaledNumber, multiplied, ones, power_of_two

MOST_SWEEPS = 60


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GradedProduct:
    """left @ diag(scale) @ right.

    Attributes:
        left: X, shape (n, n), entries of at most 1.
        scale: D, shape (n,), largest first as far as pivoting sees; exact zeros where the product
            is singular.
        right: Y, shape (n, n).
    """

    left: Array
    scale: ScaledNumber
    right: Array


def identity(size: int, dtype: Any) -> GradedProduct:
    """The empty product."""
    eye = jnp.eye(size, dtype=dtype)
    return GradedProduct(eye, ones(size, dtype), eye)


def extended(matrix: Float[Array, "n n"], product: GradedProduct) -> GradedProduct:
    """matrix @ product.

    Columns are scaled by D throughout, which commutes with elimination of rows: so only the choice
    of pivots and the rows of U need D, and those as quotients of at most 1.
    """
    size, dtype = matrix.shape[0], matrix.dtype
    scale = product.scale

    def eliminate(index, carry):
        rest, left, upper, pivots, order = carry
        column_peaks = jnp.max(jnp.abs(rest), axis=0)
        # -inf for a column that is used up or zero: it is taken last, and gives a pivot of zero.
        column = jnp.argmax(jnp.log2(column_peaks * scale.mantissa) + scale.exponent.astype(dtype)).astype(
            jnp.int32
        )
        entries = rest[:, column]
        row = jnp.argmax(jnp.abs(entries))
        pivot = entries[row]
        inverse = jnp.where(pivot == 0, 0, 1 / pivot)
        multipliers, values = entries * inverse, rest[row] * jnp.abs(inverse)
        # Rounding must not bring back what is eliminated.
        rest = (rest - multipliers[:, None] * rest[row][None]).at[row].set(0).at[:, column].set(0)
        chosen = jax.tree.map(lambda each: each[column], scale)
        upper = upper.at[index].set(values * _quotient(scale, chosen))
        left = left.at[:, index].set(multipliers)
        return rest, left, upper, pivots.at[index].set(jnp.abs(pivot)), order.at[index].set(column)

    nothing = jnp.zeros((size, size), dtype)
    start = (matrix @ product.left, nothing, nothing, jnp.zeros(size, dtype), jnp.zeros(size, jnp.int32))
    _, left, upper, pivots, order = jax.lax.fori_loop(0, size, eliminate, start)
    # Zero rows stay zero. Zero columns of the matrix do not in its product with X: there rounding is
    # all that is left for the last pivots.
    missing = jnp.sum(jnp.all(matrix == 0, axis=0), dtype=jnp.int32)
    pivots = jnp.where(jnp.arange(size, dtype=jnp.int32) >= size - missing, 0, pivots)
    scale = multiplied(jax.tree.map(lambda each: each[order], scale), pivots)
    return GradedProduct(left, scale, upper @ product.right)


def with_orthogonal_right(product: GradedProduct) -> GradedProduct:
    """The same product with an orthogonal Y.

    Factors with entries of at most 1 are well conditioned one by one, but many of them in a row are
    not. With Y^T = Q R, X D Y = (X D R^T D^-1) D Q^T, and D R^T D^-1 has only quotients of a smaller
    to a larger entry of D. What Y had of bad condition goes into X, and the next elimination takes it away.
    """
    scale = product.scale
    order = jnp.argsort(-scale.log())
    scale = jax.tree.map(lambda each: each[order], scale)
    orthogonal, upper = jnp.linalg.qr(product.right[order].T)
    sizes = jnp.abs(jnp.diagonal(upper))
    after = multiplied(scale, sizes)
    by_row = jax.tree.map(lambda each: each[:, None], scale)
    mixing = upper.T * _quotient(by_row, jax.tree.map(lambda each: each[None], after))
    return GradedProduct(product.left[:, order] @ jnp.tril(mixing), after, orthogonal.T)


def log_singular_values(product: GradedProduct) -> tuple[Float[Array, " n"], Array]:
    """All of them in descending order, -inf for exact zeros; and how many Jacobi sweeps it took."""
    rows, scale = rows_of(product)
    scale, sweeps = orthogonalized(rows, scale)
    return -jnp.sort(-scale.log()), sweeps


def rows_of(product: GradedProduct) -> tuple[Float[Array, "n n"], ScaledNumber]:
    """Rows of unit length and their sizes, whose matrix has the product's singular values."""
    size = product.left.shape[0]
    scale = product.scale
    order = jnp.argsort(-scale.log())
    scale = jax.tree.map(lambda each: each[order], scale)
    upper = jnp.linalg.qr(product.left[:, order], mode="r")
    by_row = jax.tree.map(lambda each: each[:, None], scale)
    quotients = jnp.triu(_quotient(jax.tree.map(lambda each: each[None], scale), by_row))
    rows = (upper * quotients) @ product.right[order]
    return _unit_rows(rows, scale) if size else (rows, scale)


def orthogonalized(rows: Float[Array, "n n"], scale: ScaledNumber) -> tuple[ScaledNumber, Array]:
    """The singular values of diag(scale) @ rows, by one-sided Jacobi; and the number of sweeps.

    With rho the quotient of the smaller size to the larger one and c the cosine between the two
    rows, the rotation that makes them orthogonal is, in units of each row's own size,

        larger + tau rho**2 smaller,   smaller - tau larger,   both times 1 / sqrt(1 + (tau rho)**2),
        tau = 2 c / (1 - rho**2 + sqrt((1 - rho**2)**2 + 4 rho**2 c**2)),

    which for rho = 0 is a step of Gram-Schmidt. Sizes enter as rho alone, so they may be of any range.
    """
    size, dtype = rows.shape[0], rows.dtype
    rounds = _rounds(size)
    tolerance = 4 * jnp.finfo(dtype).eps * size**0.5

    def rotate(index, carry):
        rows, scale, largest = carry
        one, other = rounds[index, 0], rounds[index, 1]
        swap = scale.log()[one] < scale.log()[other]
        big, small = jnp.where(swap, other, one), jnp.where(swap, one, other)
        at_big, at_small = (jax.tree.map(lambda each: each[where], scale) for where in (big, small))  # noqa: B023
        rho = jnp.minimum(_quotient(at_small, at_big), 1)
        cosine = jnp.sum(rows[big] * rows[small], axis=1)
        gap = (1 - rho) * (1 + rho)
        below = gap + jnp.sqrt(gap**2 + (2 * rho * cosine) ** 2)
        tau = jnp.where(below > 0, 2 * cosine / below, 0)
        shrink = 1 / jnp.sqrt(1 + (tau * rho) ** 2)
        larger = shrink[:, None] * (rows[big] + (tau * rho**2)[:, None] * rows[small])
        smaller = shrink[:, None] * (rows[small] - tau[:, None] * rows[big])
        larger, at_big = _unit_rows(larger, at_big)
        smaller, at_small = _unit_rows(smaller, at_small)
        rows = rows.at[big].set(larger).at[small].set(smaller)
        scale = jax.tree.map(lambda each, b, s: each.at[big].set(b).at[small].set(s), scale, at_big, at_small)
        return rows, scale, jnp.maximum(largest, jnp.max(jnp.abs(cosine)))

    def sweep(carry):
        rows, scale, _, sweeps = carry
        zero = jnp.zeros((), dtype)
        rows, scale, largest = jax.lax.fori_loop(0, rounds.shape[0], rotate, (rows, scale, zero))
        return rows, scale, largest, sweeps + 1

    def goes_on(carry):
        _, _, largest, sweeps = carry
        return (largest > tolerance) & (sweeps < MOST_SWEEPS)

    if size % 2:  # a row of zeros as a partner for the one that is left over
        rows = jnp.concatenate([rows, jnp.zeros((1, size), dtype)])
        scale = jax.tree.map(lambda each: jnp.concatenate([each, jnp.zeros(1, each.dtype)]), scale)
    start = (rows, scale, jnp.full((), jnp.inf, dtype), jnp.zeros((), jnp.int32))
    rows, scale, _, sweeps = jax.lax.while_loop(goes_on, sweep, start)
    return jax.tree.map(lambda each: each[:size], scale), sweeps


def _rounds(size: int) -> Array:
    """A round-robin tournament: each row meets each other once a sweep, shape (rounds, 2, pairs)."""
    players = list(range(size + size % 2))
    rounds = []
    for _ in range(max(len(players) - 1, 0)):
        half = len(players) // 2
        rounds.append([players[:half], players[half:][::-1]])
        players = [players[0], players[-1], *players[1:-1]]
    return jnp.asarray(np.array(rounds, np.int32))


def _unit_rows(rows: Array, scale: ScaledNumber) -> tuple[Array, ScaledNumber]:
    lengths = jnp.sqrt(jnp.sum(rows**2, axis=1))
    inverse = jnp.where(lengths > 0, 1 / lengths, 0)
    return rows * inverse[:, None], multiplied(scale, lengths)


def _quotient(numerator: ScaledNumber, denominator: ScaledNumber) -> Array:
    """As a plain number: 0 where it is too small for one, and where the denominator is zero."""
    power = power_of_two(numerator.exponent - denominator.exponent, numerator.mantissa.dtype)
    divisor = jnp.where(denominator.mantissa == 0, 1, denominator.mantissa)
    return jnp.where(denominator.mantissa == 0, 0, numerator.mantissa / divisor) * power
