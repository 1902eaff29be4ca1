"""Every lag's norm of blocks of time whose second products are those of few rows.

The norm of a product S M is wanted, S of all steps after a block, M of some of its own. With U orthonormal,

    |S M|^2 = |U^T S M|^2 + |E M|^2,    E = S - U U^T S,

in the Frobenius norm. The directions in which S grows fastest outrun all others at the differences of the Lyapunov
exponents, so that few columns of U leave an E far smaller than S, and U^T S M is a product of few rows. And
|E M| <= |E| |M| says what was left out at most; |M| is known from the first products. A block where that is
not little against what was found, at any lag, is gone through again with all rows: those of a net whose
gradient neither shrinks nor grows, such as an orthogonal one, all are.

These functions are traced: their arguments were checked, and they are compiled, by their callers.

References:
    Halko, Martinsson, Tropp 2011, Finding structure with randomness: U from a product of S with a random matrix.
    Oseledets 1968: the left singular directions of a growing product come to rest, so that one U serves all blocks.
"""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from rnn_jax.dtypes import at_least_float32
from rnn_jax.jacobian import blocks, scaled
from rnn_jax.jacobian.layout import DenseLayout
from rnn_jax.jacobian.measure import Measure, Measured
from rnn_jax.jacobian.scaled import ScaledMatrix, ScaledNumber
from rnn_jax.jacobian.structure import factor
from rnn_jax.step import Step
from rnn_jax.unrolling import heavy_unroll

LEAST_SIZE = 128
"""Products of smaller matrices cost little beside what is launched for each."""

_SHARE = 8
"""So many times fewer rows are kept. Over 600 steps a random tanh net of 512 units at gain 0.8 needs 25 in float32."""

_TURNS = 4
"""Blocks that need all rows are gone through in as many turns at most."""


def is_worth_trying(measure: Measure) -> bool:
    """Of large dense products; E does not add up with the rest to a spectral norm."""
    return isinstance(measure.layout, DenseLayout) and measure.size >= LEAST_SIZE and not measure.spectral


def every_lag_of(step: Step, measure: Measure, product: ScaledMatrix, material: Any) -> Measured:
    """As `blocks.every_lag_of`, for a product of no step: the identity, with the output's rows under it."""
    totals, of_last, sizes = _first_products(step, measure, product, material)
    _, starts = blocks.combined(measure, product, totals)
    few, left_out = _few_rows(measure, starts)
    measure_of_few = replace(measure, size=measure.size // _SHARE)
    _, (found, _, output) = blocks.norms_in_blocks(step, measure_of_few, few, material)
    suffices = jnp.all(_suffices(found, left_out, sizes), axis=0)
    # No step comes after the last block: its first products are those that are wanted.
    found = jax.tree.map(lambda norms, last: norms.at[:, -1].set(last), found, of_last)
    found = _with_all_rows(step, measure, starts, material, suffices.at[-1].set(True), found)
    return blocks.by_lag(measure, product, (found, None, output))


def _first_products(
    step: Step, measure: Measure, product: ScaledMatrix, material: Any
) -> tuple[ScaledMatrix, ScaledNumber, ScaledNumber]:
    """Each block's own product; after each step the last block's norm, and a bound of every block's that is close."""
    of_last = replace(measure, has_output=False)

    def extend(
        products: ScaledMatrix, material: Any
    ) -> tuple[ScaledMatrix, tuple[ScaledNumber, ScaledNumber]]:
        rows = jax.vmap(lambda material, rows: factor(step, material).after(rows))(
            material, products.mantissa
        )
        # Both in one reading of the rows; a sum of squares can leave the dtype's range where an entry does not.
        peaks = jnp.max(jnp.abs(rows), axis=2)
        sums = jnp.sum(jnp.square(at_least_float32(rows)), axis=2)
        is_safe = sums > scaled.safe_squares(sums.dtype)[0]
        sizes = jnp.where(is_safe, jnp.sqrt(sums), peaks.astype(sums.dtype) * rows.shape[2] ** 0.5)
        bounds = jax.vmap(scaled.norm_of)(ScaledNumber(sizes, products.exponent))
        products = jax.vmap(scaled.normalized)(rows, products.exponent)
        last = jax.tree.map(lambda leaf: leaf[-1], products)
        return products, (of_last(last)[0], bounds)

    ones = blocks.repeated(measure.identity(product), material)
    totals, (last, bounds) = jax.lax.scan(extend, ones, material, reverse=True, unroll=heavy_unroll())
    return totals, last, bounds


def _few_rows(measure: Measure, starts: ScaledMatrix) -> tuple[ScaledMatrix, ScaledNumber]:
    """U^T S of each block with the output's rows under it, which are all kept, and |E|."""
    rows, exponents = jax.vmap(scaled.aligned)(jax.vmap(measure.of_state)(starts))
    count = measure.size // _SHARE
    random = jax.random.normal(jax.random.key(0), (measure.size, count), jnp.float32)
    with jax.default_matmul_precision("highest"):
        # Made for the block before the last, after which there are fewest steps.
        some = at_least_float32(rows[-2] @ random.astype(rows.dtype))
        basis = jnp.linalg.qr(some, mode="complete")[0].T.astype(rows.dtype)
        # One after the other, by products of a shape that there is already: each shape takes seconds to compile.
        turned = jax.lax.map(lambda rows: basis @ rows, rows)
    kept, left_out = turned[:, :count], _norms(turned[:, count:])
    # What `aligned` flushed to zero counts if the rest vanishes later.
    left_out = left_out + float(jnp.finfo(rows.dtype).tiny) * measure.size**2 * _norms(rows)
    few = jax.vmap(scaled.normalized)(kept, jnp.broadcast_to(exponents[:, None], kept.shape[:2]))
    if measure.has_output:
        output = jax.vmap(measure.of_output)(starts)
        few = jax.tree.map(lambda *rows: jnp.concatenate(rows, axis=1), few, output)
    return few, ScaledNumber(left_out, exponents)


def _norms(matrices: Array) -> Array:
    """Frobenius norms of a stack of matrices."""
    return jnp.sqrt(jnp.sum(jnp.square(at_least_float32(matrices)), axis=(1, 2)))


def _suffices(
    found: ScaledNumber, left_out: ScaledNumber, sizes: ScaledNumber
) -> Bool[Array, "steps blocks"]:
    """Whether |U^T S M| is |S M| to rounding, whatever the directions, of |E| and |M|."""
    # Squares add up: at the root of the rounding error, what was left out is half of one.
    tolerance = float(jnp.finfo(found.mantissa.dtype).eps) ** 0.5
    bound = left_out.mantissa[None] * sizes.mantissa
    shift = left_out.exponent[None] + sizes.exponent - found.exponent
    limit = -int(jnp.finfo(bound.dtype).minexp)
    # A bound too small to be told from zero is none, and one too large to be written fails as it should.
    return (
        bound * scaled.power_of_two(jnp.clip(shift, -limit, limit), bound.dtype) <= tolerance * found.mantissa
    )


def _with_all_rows(
    step: Step, measure: Measure, starts: ScaledMatrix, material: Any, is_known: Array, found: ScaledNumber
) -> ScaledNumber:
    """The norms with those of blocks that are not known measured, a quarter of all blocks at a time."""
    at_once = -(-is_known.size // _TURNS)
    wanted = jnp.sum(~is_known)
    unknown_first = jnp.argsort(is_known)

    def turn(carry: tuple[Array, ScaledNumber]) -> tuple[Array, ScaledNumber]:
        first, found = carry
        which = jax.lax.dynamic_slice_in_dim(unknown_first, first, at_once)
        products = jax.tree.map(lambda leaf: leaf[which], jax.vmap(measure.of_state)(starts))
        chosen = jax.tree.map(lambda leaf: leaf[:, which], material)
        own = replace(measure, has_output=False)
        _, (norms, _, _) = blocks.norms_in_blocks(step, own, products, chosen)
        return first + at_once, jax.tree.map(lambda all_, some: all_.at[:, which].set(some), found, norms)

    start = (jnp.zeros((), wanted.dtype), found)
    return jax.lax.while_loop(lambda carry: carry[0] < wanted, turn, start)[1]
