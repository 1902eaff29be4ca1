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

FAR_FROM_ORTHOGONAL = 1e-3
"""`deviation` of a panel, up to which it is not done once more. A pass leaves this share of what later panels have in
common with this one, beside a remainder that may be very small."""

_MOST_PASSES = 3

_PROBES = 8


def panel_sizes(count: int) -> list[int]:
    """Into panels of how many rows so many are cut."""
    sizes = []
    while count > SMALLEST:
        sizes.append(min(PANEL, -(-count // 2)))
        count -= sizes[-1]
    return [*sizes, count]


def orthogonalized(
    rows: Float[Array, "count n"], twice: bool = False
) -> tuple[Float[Array, "count n"], Float[Array, " count"]]:
    """Q and the diagonal of R of rows^T = Q^T R; not finite where a Gram matrix is not positive definite.

    A panel that comes out far from orthogonal, to those before or in itself, is done once more, and none of
    the others: of a chaotic net of 2,048 units it is the last 64 rows alone. `twice` does it
    for all, which leaves rounding alone.
    """
    pivots, first = [], 0
    for size in panel_sizes(rows.shape[0]):
        own, factors = _panel(rows[:first], rows[first : first + size], twice)
        rows = jax.lax.dynamic_update_slice_in_dim(rows, own, first, 0)
        pivots.append(factors)
        first += size
    return rows, jnp.concatenate(pivots)


def _panel(before: Float[Array, "done n"], own: Float[Array, "size n"], twice: bool) -> tuple[Array, Array]:
    """One panel's part of Q and of R's diagonal, in as many passes as it takes; NaN where it takes too many."""

    def again(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        own, pivots, _, passes = carry
        if before.shape[0]:
            own = own - (own @ before.T) @ before
        lower = jax.lax.linalg.cholesky(own @ own.T, symmetrize_input=False)
        own = jax.lax.linalg.triangular_solve(lower, own, left_side=True, lower=True)
        is_far = deviation(before, own) > FAR_FROM_ORTHOGONAL
        return own, pivots * jnp.diagonal(lower), is_far, passes + 1

    def wants_more(carry: tuple[Array, Array, Array, Array]) -> Array:
        _, _, is_far, passes = carry
        return (is_far & (passes < _MOST_PASSES)) | (passes < (2 if twice else 1))

    start = again((own, jnp.ones_like(own[:, 0]), jnp.zeros((), bool), jnp.zeros((), jnp.int32)))
    own, pivots, is_far, _ = jax.lax.while_loop(wants_more, again, start)
    return jnp.where(is_far, jnp.nan, own), pivots


def deviation(before: Float[Array, "done n"], own: Float[Array, "size n"]) -> Float[Array, ""]:
    """How far rows are from orthonormal, and from orthogonal to those before.

    The Frobenius norm of [before; own] own^T - [0; I] to within a factor of about two, by its products with a
    few random signs.

    References:
        Hutchinson 1990, for the trace of M^T M of any matrix M.
    """
    signs = jax.random.rademacher(jax.random.key(0), (own.shape[0], _PROBES), own.dtype)
    combined = own.T @ signs
    parts = (before @ combined, own @ combined - signs)
    return jnp.sqrt(sum(jnp.sum(jnp.square(part)) for part in parts) / _PROBES)
