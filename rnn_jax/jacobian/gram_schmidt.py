"""Rows made orthonormal, a panel at a time: block Gram-Schmidt with a Cholesky factor for each panel.

One Cholesky factor of all rows' Gram matrix would square their condition number. Here what the panels before span is
taken out of a panel first, by two matrix products, and only the panel's own Gram matrix is factored: it squares the
condition of that panel alone. The rows of a Lyapunov basis are ordered by size, and the last of them differ most: so the
last panels are ever smaller. Nearly all work is in matrix products, which an accelerator does at full speed, where
Householder reflections and elimination go column by column.

References:
    Stathopoulos & Wu 2002, A block orthogonalization procedure with constant synchronization requirements (a Cholesky
    factor for a panel); Carson, Lund, Rozloznik, Thomas 2022, Block Gram-Schmidt algorithms and their stability
    properties.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

PANEL = 512
"""Rows of a panel at most. Larger ones make its Cholesky factor costly, smaller ones the products inefficient."""

SMALLEST = 64
"""So few rows are one panel."""

_PROBES = 8


def panel_sizes(count: int) -> list[int]:
    """Into panels of how many rows so many are cut."""
    sizes = []
    while count > SMALLEST:
        sizes.append(min(PANEL, -(-count // 2)))
        count -= sizes[-1]
    return [*sizes, count]


def orthogonalized(rows: Float[Array, "count n"]) -> tuple[Float[Array, "count n"], Float[Array, " count"]]:
    """Q and the diagonal of R of rows^T = Q^T R, one pass; not finite where a Gram matrix is not positive definite."""
    pivots, first = [], 0
    for size in panel_sizes(rows.shape[0]):
        own, before = rows[first : first + size], rows[:first]
        if first:
            own = own - (own @ before.T) @ before
        lower = jax.lax.linalg.cholesky(own @ own.T, symmetrize_input=False)
        own = jax.lax.linalg.triangular_solve(lower, own, left_side=True, lower=True)
        rows = jax.lax.dynamic_update_slice_in_dim(rows, own, first, 0)
        pivots.append(jnp.diagonal(lower))
        first += size
    return rows, jnp.concatenate(pivots)


def deviation(rows: Float[Array, "count n"]) -> Float[Array, ""]:
    """The Frobenius norm of Q Q^T - I to within a factor of about two, by its products with a few random signs.

    References:
        Hutchinson 1990, for the trace of (Q Q^T - I)^2.
    """
    signs = jax.random.rademacher(jax.random.key(0), (rows.shape[0], _PROBES), rows.dtype)
    return jnp.linalg.norm(rows @ (rows.T @ signs) - signs) / _PROBES**0.5
