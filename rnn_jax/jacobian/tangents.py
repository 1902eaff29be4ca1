"""Columns pushed forward through step Jacobians, and made triangular so that none is lost.

A product J_k ... J_1 Q is factored as B U, B of well-conditioned columns and U upper triangular with
a diagonal of pivots. Where B is orthonormal this is QR. Gaussian elimination with row pivoting gives
such factors too: B = P^T L has entries of at most 1, and going on from B instead of Q changes no
exponent, because upper triangular factors multiply: J_T ... J_1 Q_0 = B_T U_T ... U_1. One QR of B_T
at the end turns the product of the pivots into exactly the diagonal that QR at every step would have
given. Elimination takes half to a third of the time of a QR on a CPU, is batched on a GPU, and
leaves exact zeros exact. (Bauer's "Treppeniteration" is the same idea.)

References:
    Bauer 1957, Das Verfahren der Treppeniteration; Dieci & Van Vleck 1995 for the QR form.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from rnn_jax.coordinates import ravel_reals
from rnn_jax.jacobian.scaled import ScaledNumber, exponent_of, power_of_two
from rnn_jax.jacobian.structure import DENSE, factor, structure_of
from rnn_jax.step import Step


def pushed(step: Step, material: Any, columns: Float[Array, "n columns"]) -> Float[Array, "n columns"]:
    """J @ columns, from what `structure.prepared` gave for that step.

    A step without a declared structure pushes them through its linearization, which never builds J.
    """
    if structure_of(step) != DENSE:
        return factor(step, material).before(columns)
    state, x, _ = material
    coordinates, rebuild = ravel_reals(state)
    _, linear = jax.linearize(lambda vector: ravel_reals(step(rebuild(vector), x))[0], coordinates)
    return jax.vmap(linear, in_axes=1, out_axes=1)(columns)


def dense_jacobian(step: Step, material: Any, size: int, dtype: Any) -> Float[Array, "n n"]:
    """J itself, for the few steps at which it is looked at."""
    return factor(step, material).before(jnp.eye(size, dtype=dtype))


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
        errors = 4 * epsilon * jnp.sqrt(jnp.asarray(rows * products, columns.dtype))
        return pivots <= errors * sizes

    suspicious = jnp.any(pivots <= rows * epsilon * jnp.max(pivots))
    is_rounding = jax.lax.cond(suspicious, compared, lambda: jnp.zeros(count, bool))
    return Triangular(basis, pivots, is_rounding)


def orthonormal(
    columns: Float[Array, "n columns"],
) -> tuple[Float[Array, "n columns"], Float[Array, " columns"]]:
    """QR: orthonormal columns of the same flag, and the absolute values of R's diagonal."""
    q, r = jnp.linalg.qr(columns)
    return q, jnp.abs(jnp.diagonal(r))


def rescaled(columns: Float[Array, "n columns"]) -> tuple[Float[Array, "n columns"], Array]:
    """The columns times 2**-exponent, which brings the largest entry to about 1, and the exponent."""
    exponent = exponent_of(jnp.max(jnp.abs(columns)))
    return columns * power_of_two(-exponent, columns.dtype), exponent


def ones(count: int, dtype: Any) -> ScaledNumber:
    """The number 1, `count` times: an empty product."""
    return ScaledNumber(jnp.ones(count, dtype), jnp.zeros(count, jnp.int32))


def multiplied(number: ScaledNumber, by: Float[Array, "..."], exponent: Any = 0) -> ScaledNumber:
    """number * by * 2**exponent, for `by` not negative.

    A product of pivots is held so, and its log taken at the end: a sum of as many logs would lose
    digits in proportion to its size.
    """
    first = exponent_of(by)
    mantissa = number.mantissa * (by * power_of_two(-first, by.dtype))
    second = exponent_of(mantissa)
    mantissa = mantissa * power_of_two(-second, mantissa.dtype)
    return ScaledNumber(mantissa, number.exponent + first + second + exponent)
