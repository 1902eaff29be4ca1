"""Rows made orthonormal, a panel at a time: block Gram-Schmidt with a Cholesky factor for each panel.

One Cholesky factor of all rows' Gram matrix would square their condition number. Here what the panels before span is
taken out of a panel first, by two matrix products, and only the panel's own Gram matrix is factored: it squares the
condition of that panel alone, which for rows ordered by size is small. The work is in matrix products, all but n b^2
of it a panel of b rows, which an accelerator does at full speed, where Householder reflections and elimination go
column by column.

References:
    Stathopoulos & Wu 2002, A block orthogonalization procedure with constant synchronization requirements (a Cholesky
    factor for a panel); Carson, Lund, Rozloznik, Thomas 2022, Block Gram-Schmidt algorithms and their stability
    properties: one pass leaves an orthogonality of about eps times the condition number.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

PANEL = 512
"""Rows of a panel. More make its Cholesky factor costly, fewer the products inefficient."""

STAGES = 8
"""So many times, while panels are added, the product with those before takes in more of the rows: each is a loop of
its own to compile, and the fewer there are, the more products with rows that are still to come are thrown away."""


def orthogonalized(rows: Float[Array, "count n"]) -> tuple[Float[Array, "count n"], Float[Array, " count"]]:
    """Q and the diagonal of R of rows^T = Q^T R, one pass; not finite where a Gram matrix is not positive definite."""
    count = rows.shape[0]
    if count <= PANEL:
        return _by_cholesky(rows, jnp.zeros(count, rows.dtype))
    panels = -(-count // PANEL)
    # Rows of zeros that fill up the last panel: with 1 on their Gram matrix's diagonal they stay what they are.
    filling = panels * PANEL - count
    rows = jnp.concatenate([rows, jnp.zeros((filling, rows.shape[1]), rows.dtype)])
    is_filling = (jnp.arange(panels * PANEL) >= count).astype(rows.dtype)
    pivots = jnp.ones(panels * PANEL, rows.dtype)
    stages = sorted({-(-panels * (stage + 1) // STAGES) for stage in range(STAGES)})
    first = 0
    for last in stages:

        def add(
            panel: Array, carry: tuple[Array, Array], width: int = (last - 1) * PANEL
        ) -> tuple[Array, Array]:
            rows, pivots = carry
            own = jax.lax.dynamic_slice_in_dim(rows, panel * PANEL, PANEL)
            before = rows[:width]
            shares = own @ before.T
            shares = jnp.where(jnp.arange(width)[None] < panel * PANEL, shares, 0)
            own, diagonal = _by_cholesky(
                own - shares @ before, jax.lax.dynamic_slice_in_dim(is_filling, panel * PANEL, PANEL)
            )
            rows = jax.lax.dynamic_update_slice_in_dim(rows, own, panel * PANEL, 0)
            return rows, jax.lax.dynamic_update_slice_in_dim(pivots, diagonal, panel * PANEL, 0)

        rows, pivots = jax.lax.fori_loop(first, last, add, (rows, pivots))
        first = last
    return rows[:count], pivots[:count]


def _by_cholesky(rows: Array, is_filling: Array) -> tuple[Array, Array]:
    gram = rows @ rows.T + jnp.diag(is_filling)
    lower = jax.lax.linalg.cholesky(gram, symmetrize_input=False)
    basis = jax.lax.linalg.triangular_solve(lower, rows, left_side=True, lower=True)
    return basis, jnp.diagonal(lower)
