"""Rows made orthonormal, a panel at a time: block Gram-Schmidt with a Cholesky factor for each panel.

One Cholesky factor of all rows' Gram matrix would square their condition number. Here only a panel's own Gram matrix is
factored, which squares the condition of that panel alone, and what it spans is then taken out of all rows after it,
by two matrix products (the modified order). The rows of a Lyapunov basis are ordered by size, and the last of them
differ most: so the last panels are ever smaller. Nearly all work is in large matrix products, which an accelerator does
at full speed, where Householder reflections and elimination go column by column.

References:
    Stathopoulos & Wu 2002, A block orthogonalization procedure with constant synchronization requirements (a Cholesky
    factor for a panel); Jalby & Philippe 1991, Stability analysis and improvement of the block Gram-Schmidt algorithm
    (the modified order); Carson, Lund, Rozloznik, Thomas 2022, Block Gram-Schmidt algorithms and their stability
    properties; Du Croz & Higham 1992, Stability of methods for matrix inversion (a triangular one by blocks).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

PANEL = 1024
"""Rows of a panel at most. On an H200, in float64, a Cholesky factor takes 0.5 us a row, whatever the panel, and
4,096 rows take as long in panels of 512, 1024 and 2048 to within 5%."""

SMALLEST = 64
"""So few rows are one panel."""

FAR_FROM_ORTHOGONAL = 1e-3
"""`deviation` of a panel, up to which it is not done once more. A pass leaves this share of what later panels have in
common with this one, beside a remainder that may be very small."""

LARGE = 256
"""From so many rows on a panel is looked at only where `_bound` says so: to look reads all the panels before it."""

_MOST_PASSES = 5

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

    A panel that comes out far from orthogonal, to those before or in itself, or that may have, is done once more,
    and none of the others: of a chaotic net of 2,048 units, in float64 and factored at every step, none was. `twice`
    does it for all, which leaves rounding alone.
    """
    lengths = jnp.sqrt(jnp.sum(jnp.square(rows), axis=1))
    # Arrays of their own: a part of one array would be copied wherever a product reads it.
    done, pivots, rest, first = [], [], rows, 0
    for size in panel_sizes(rows.shape[0]):
        own, factors = _panel(done, rest[:size], lengths[first : first + size], twice)
        # From all that is left at once: from one panel after the other the last and smallest would cost most.
        rest = _without(own, rest[size:])
        done.append(own)
        pivots.append(factors)
        first += size
    return jnp.concatenate(done), jnp.concatenate(pivots)


def _without(spanned: Float[Array, "size n"], rows: Float[Array, "count n"]) -> Float[Array, "count n"]:
    """Rows less what they have in common with orthonormal ones.

    The smaller factor is made negative and nothing is subtracted: a product can add to what is there on its way.
    """
    return rows + -(rows @ spanned.T) @ spanned if rows.shape[0] else rows


def _panel(
    before: Sequence[Float[Array, "_ n"]],
    own: Float[Array, "size n"],
    lengths: Float[Array, " size"],
    twice: bool,
) -> tuple[Float[Array, "size n"], Float[Array, " size"]]:
    """One panel's part of Q and of R's diagonal, in as many passes as it takes; NaN where it takes too many.

    Args:
        before: the panels before.
        own: its rows, less what those span.
        lengths: of its rows as they were.
        twice: whether there are two passes at least.
    """
    size = own.shape[0]
    is_large = size >= LARGE and jnp.finfo(own.dtype).bits == 64

    def factored(own: Array, pivots: Array) -> tuple[Array, Array, Array]:
        lower = jax.lax.linalg.cholesky(own @ own.T, symmetrize_input=False)
        pivots = pivots * jnp.diagonal(lower)
        if size < LARGE:
            own = jax.lax.linalg.triangular_solve(lower, own, left_side=True, lower=True)
            return own, pivots, is_far(own)
        inverted = inverse(lower)
        own = inverted @ own
        return own, pivots, _bound(inverted, lengths) > FAR_FROM_ORTHOGONAL if is_large else is_far(own)

    def is_far(own: Array) -> Array:
        return deviation(before, own) > FAR_FROM_ORTHOGONAL

    def again(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        own, pivots, _, passes = carry
        for panel in before:
            own = _without(panel, own)
        own, pivots, _ = factored(own, pivots)
        return own, pivots, is_far(own), passes + 1

    def wants_more(carry: tuple[Array, Array, Array, Array]) -> Array:
        _, _, far, passes = carry
        return (far & (passes < _MOST_PASSES)) | (passes < (2 if twice else 1))

    start = (*factored(own, jnp.ones_like(lengths)), jnp.ones((), jnp.int32))
    own, pivots, far, _ = jax.lax.while_loop(wants_more, again, start)
    return jnp.where(far, jnp.nan, own), pivots


def _bound(inverted: Float[Array, "size size"], lengths: Float[Array, " size"]) -> Float[Array, ""]:
    """Ten times what rounding leaves a panel from orthogonal after a pass, of the inverse factor and the rows' lengths.

    An entry (i, j) of the Gram matrix is wrong by about eps times the lengths of rows i and j as they were, before what
    the panels before span was taken out: of Q Q^T that makes eps |L^-1 D|^2, D the lengths.
    """
    return 10 * float(jnp.finfo(inverted.dtype).eps) * jnp.sum(jnp.square(inverted * lengths[None]))


def inverse(lower: Float[Array, "size size"]) -> Float[Array, "size size"]:
    """Of a lower triangular matrix: those of small blocks on its diagonal at once, then of blocks twice as large.

    What solves for many columns row after row is then one product.
    """
    size = lower.shape[0]
    doublings = (-(-size // SMALLEST) - 1).bit_length()
    filling = (SMALLEST << doublings) - size
    lower = jax.scipy.linalg.block_diag(lower, jnp.eye(filling, dtype=lower.dtype)) if filling else lower

    def blocks(count: int, below: int) -> Float[Array, "count rows rows"]:
        """Of so many rows of blocks, those so far below the diagonal, of every block row or of every second."""
        rows = lower.shape[0] // count
        chosen = range(below, count, 1 + below)
        return jnp.stack(
            [
                lower[row * rows : (row + 1) * rows, (row - below) * rows : (row - below + 1) * rows]
                for row in chosen
            ]
        )

    on_diagonal = blocks(1 << doublings, 0)
    ones = jnp.broadcast_to(jnp.eye(SMALLEST, dtype=lower.dtype), on_diagonal.shape)
    made = jax.lax.linalg.triangular_solve(on_diagonal, ones, left_side=True, lower=True)
    while made.shape[0] > 1:
        first, second = made[0::2], made[1::2]
        corner = -second @ (blocks(made.shape[0], 1) @ first)
        above = jnp.concatenate([first, jnp.zeros_like(first)], axis=2)
        made = jnp.concatenate([above, jnp.concatenate([corner, second], axis=2)], axis=1)
    return made[0, :size, :size]


def deviation(before: Sequence[Float[Array, "_ n"]], own: Float[Array, "size n"]) -> Float[Array, ""]:
    """How far rows are from orthonormal, and from orthogonal to those before, in panels.

    The Frobenius norm of [before; own] own^T - [0; I] to within a factor of about two, by its products with a
    few random signs.

    References:
        Hutchinson 1990, for the trace of M^T M of any matrix M.
    """
    # Each panel has signs of its own. Of products with one common factor XLA makes a single one, and copies the panels
    # together for it.
    signs = jax.random.rademacher(jax.random.key(0), (1 + len(before), own.shape[0], _PROBES), own.dtype)
    parts = [panel @ (own.T @ some) for panel, some in zip(before, signs[1:], strict=True)]
    parts.append(own @ (own.T @ signs[0]) - signs[0])
    return jnp.sqrt(sum((jnp.sum(jnp.square(part)) for part in parts), jnp.zeros((), own.dtype)) / _PROBES)
