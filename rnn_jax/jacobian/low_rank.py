"""Norms at every lag of blocks of time, the later product held by a few rows in the second pass.

The norm of a product S M is wanted, S of all steps after a block, M of some of its own. The directions in which S
grows fastest outrun all others at the differences of the Lyapunov exponents, so that few of its rows say all:

    S = X R + E,    |S M| = |X R M| to within |E M| <= |E| |M|,

R being rows of S, X what the others are made of, and E what is left. R M are rows of S M as they are without
any of this, each with an exponent of its own, so that what differs by more than the dtype's range stays apart. |M| is
known from the first products. A block where |E| |M| is not little against what was found, at any lag, is gone
through again with all rows: those of a net whose gradient neither shrinks nor grows, such as an orthogonal
one, all are.

These functions are traced: their arguments were checked, and they are compiled, by their callers.

References:
    Halko, Martinsson, Tropp 2011, Finding structure with randomness: the rows from a product of S with a random
    matrix (an interpolative decomposition). Oseledets 1968: the left singular directions of a growing product come
    to rest, so that the same rows and X serve all blocks.
"""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from rnn_jax.batching import one_at_a_time
from rnn_jax.dtypes import at_least_float32
from rnn_jax.jacobian import blocks, scaled
from rnn_jax.jacobian.layout import DenseLayout
from rnn_jax.jacobian.measure import ByRow, Measure, Measured
from rnn_jax.jacobian.scaled import ScaledMatrix, ScaledNumber
from rnn_jax.step import Step

LEAST_SIZE = 128
"""Products of smaller matrices cost little beside what is launched for each."""

_SHARE = 8
"""So many times fewer rows are kept."""

_TOLERANCE = {32: 3e-4, 64: 1e-9}
"""What |E| |M| may be of a norm, by the bits that it is measured in. |E| is never taken for less than rounding, and the
directions of M for the worst: a norm that passes is usually right to rounding."""

_TURNS = 4
"""Blocks that need all rows are gone through in as many turns at most."""


def is_worth_trying(measure: Measure) -> bool:
    """Of large dense products; a spectral norm costs so much more that it does not matter how many rows it has."""
    return isinstance(measure.layout, DenseLayout) and measure.size >= LEAST_SIZE and not measure.spectral


def every_lag_of(step: Step, measure: Measure, product: ScaledMatrix, material: Any) -> Measured:
    """As `blocks.every_lag_of`, for a product of no step: the identity, with the output's rows under it."""
    own = replace(measure, has_output=False)
    ones = blocks.repeated(measure.identity(product), material)
    totals, (sizes, _, _) = blocks.norms_in_blocks(step, own, ones, material)
    whole, starts = blocks.combined(measure, product, totals)
    few, triangle, left_out = _few_rows(measure, starts)
    found, output = _norms_of_few(step, measure, few, triangle, material)
    suffices = jnp.all(_suffices(found, left_out, sizes), axis=0)
    # No step comes after the last block: its first products are those that are wanted.
    found = jax.tree.map(lambda norms, first: norms.at[:, -1].set(first[:, -1]), found, sizes)
    found = _with_all_rows(step, own, starts, material, suffices.at[-1].set(True), found)
    return blocks.by_lag((found, None, output), measure(whole))


def _few_rows(measure: Measure, starts: ScaledMatrix) -> tuple[ScaledMatrix, Array, ScaledNumber]:
    """R of each block with the output's rows under it, which are all kept; T of X = Q T, Q orthonormal; and |E|."""
    rows, exponents = jax.vmap(scaled.aligned)(jax.vmap(measure.of_state)(starts))
    count = measure.size // _SHARE
    random = jax.random.normal(jax.random.key(0), (measure.size, count), jnp.float32)
    with jax.default_matmul_precision("highest"):
        # Made for the block before the last, after which there are fewest steps.
        chosen, combination = one_at_a_time(_interpolated)(
            at_least_float32(rows[-2] @ random.astype(rows.dtype))
        )
        # X with columns of zeros for the rows that are not in R: products of a shape that there is already, one after
        # the other, for each new shape of product lengthens compiling.
        spread = (
            jnp.zeros(rows.shape[1:], combination.dtype).at[:, chosen].set(combination).astype(rows.dtype)
        )
        left_out = jax.lax.map(lambda rows: _norm(rows - spread @ rows), rows)
    total = jax.vmap(_norm)(rows)
    # Rounding, and what `aligned` flushed to zero, which counts if all else vanishes later.
    least = float(jnp.finfo(total.dtype).eps) + float(jnp.finfo(rows.dtype).tiny) * measure.size**2
    kept = jnp.concatenate([chosen, jnp.arange(measure.size, starts.exponent.shape[1], dtype=chosen.dtype)])
    few = jax.tree.map(lambda leaf: leaf[:, kept], starts)
    return few, jnp.linalg.qr(combination, mode="r"), ScaledNumber(left_out + least * total, exponents)


def _interpolated(some: Float[Array, "n count"]) -> tuple[Int[Array, " count"], Float[Array, "n count"]]:
    """Which rows all others are made of, and of how much of each: X = L L_1^-1 of a pivoted elimination."""
    compact, _, permutation = jax.lax.linalg.lu(some)
    count = some.shape[1]
    lower = jnp.tril(compact, -1) + jnp.eye(*some.shape, dtype=some.dtype)
    combination = jax.lax.linalg.triangular_solve(lower[:count], lower, lower=True, unit_diagonal=True)
    return permutation[:count], jnp.zeros_like(some).at[permutation].set(combination)


def _norm(matrix: Array) -> Array:
    """The Frobenius norm, at least in float32."""
    return jnp.sqrt(jnp.sum(jnp.square(at_least_float32(matrix))))


def _norms_of_few(
    step: Step, measure: Measure, few: ScaledMatrix, triangle: Array, material: Any
) -> tuple[ScaledNumber, ScaledNumber | None]:
    """|X R M|, which is |T R M|, and the norms of the output's rows, before each step of each block."""
    count = triangle.shape[0]

    def by_row(product: ScaledMatrix) -> ByRow:
        """X has a row of the identity for each row of R, so no T R M is smaller than R M: nothing cancels."""
        norms = scaled.row_norms(product)
        relative, highest = scaled.relative_to_highest(norms.mantissa[:count] != 0, norms.exponent[:count])
        weighted = triangle * scaled.power_of_two(relative, triangle.dtype)[None]
        combined = jnp.matmul(weighted, at_least_float32(product.mantissa[:count]), precision="highest")
        of_state = ScaledNumber(jnp.linalg.norm(combined, axis=1), jnp.full(count, highest))
        of_output = jax.tree.map(lambda leaf: leaf[count:], norms)
        return jax.tree.map(lambda *parts: jnp.concatenate(parts), of_state, of_output), None

    of_few = replace(measure, size=count)
    _, (found, _, output) = blocks.norms_in_blocks(step, of_few, few, material, by_row)
    return found, output


def _suffices(
    found: ScaledNumber, left_out: ScaledNumber, sizes: ScaledNumber
) -> Bool[Array, "steps blocks"]:
    """Whether |X R M| is |S M| to within the tolerance, whatever the directions, of |E| and |M|."""
    tolerance = _TOLERANCE[jnp.finfo(found.mantissa.dtype).bits]
    bound = left_out.mantissa[None] * sizes.mantissa
    shift = left_out.exponent[None] + sizes.exponent - found.exponent
    limit = -int(jnp.finfo(bound.dtype).minexp)
    # |E| is at least the dtype's least number times |S|: clipped downwards the bound is larger than it is, and upwards so
    # large that it fails.
    return (
        bound * scaled.power_of_two(jnp.clip(shift, -limit, limit), bound.dtype) <= tolerance * found.mantissa
    )


def _with_all_rows(
    step: Step, own: Measure, starts: ScaledMatrix, material: Any, is_known: Array, found: ScaledNumber
) -> ScaledNumber:
    """The norms with those of blocks that are not known measured, a quarter of all blocks at a time."""
    at_once = -(-is_known.size // _TURNS)
    wanted = jnp.sum(~is_known)
    unknown_first = jnp.argsort(is_known)

    def turn(carry: tuple[Array, ScaledNumber]) -> tuple[Array, ScaledNumber]:
        first, found = carry
        # The last turn begins earlier, where it would go beyond the end, and does some blocks twice.
        which = jax.lax.dynamic_slice_in_dim(unknown_first, first, at_once)
        products = jax.tree.map(lambda leaf: leaf[which], jax.vmap(own.of_state)(starts))
        chosen = jax.tree.map(lambda leaf: leaf[:, which], material)
        _, (norms, _, _) = blocks.norms_in_blocks(step, own, products, chosen)
        return first + at_once, jax.tree.map(lambda all_, some: all_.at[:, which].set(some), found, norms)

    start = (jnp.zeros((), wanted.dtype), found)
    return jax.lax.while_loop(lambda carry: carry[0] < wanted, turn, start)[1]
