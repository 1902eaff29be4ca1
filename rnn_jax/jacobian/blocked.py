"""The product of step Jacobians, many stretches of time at once.

On an accelerator one small product takes no less time than a thousand of them together. So time is
cut into blocks. All blocks form their own products at once; the products of whole blocks are
combined into dh_T/dh_t at the end t of each block; and from there all blocks advance at once again,
through the steps where a lag was asked for. It takes about twice the products of the sequential
order, in far fewer launches, and memory for one product a block.

These functions are traced: their arguments were checked, and they are compiled, by their callers.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.jacobian import scaled
from rnn_jax.jacobian.material import Segment, is_finite, materials, states_before
from rnn_jax.jacobian.measure import Measure, Measured, start
from rnn_jax.jacobian.scaled import ScaledMatrix
from rnn_jax.jacobian.structure import factor
from rnn_jax.step import Inputs, State, Step
from rnn_jax.unrolling import heavy_unroll

_MANY_BLOCKS = 64
"""From so many on their totals are combined in groups. Not tuned: three loops take longer to compile than one."""


def every_lag(
    step: Step,
    readout: Callable | None,
    state: State,
    xs: Inputs,
    states: State | None,
    *,
    length: int,
    spectral: bool,
    precision: str,
    block_count: int,
) -> Measured:
    """The norms at lags 0..T."""
    with jax.default_matmul_precision(precision):
        last, material = _prepared(step, state, xs, states, length, block_count)
        product, measure = start(step, last, readout, spectral=spectral)
        totals = block_totals(step, measure.identity(product), material)
        measured = every_lag_of(step, measure, product, material, totals)
        # What fills up the first block comes last.
        return jax.tree.map(lambda norm: norm[: length + 1], measured)


def every_lag_of(
    step: Step, measure: Measure, product: ScaledMatrix, material: Any, totals: ScaledMatrix
) -> Measured:
    """The norms of a product extended backwards over 0, 1, ... all steps of some blocks."""
    at_zero = jax.tree.map(lambda norm: norm[None], measure(product))
    _, starts = combined(measure, product, totals)

    def extend(products: ScaledMatrix, material: Any) -> tuple[ScaledMatrix, Measured]:
        products = jax.vmap(partial(_multiplied, step))(products, material)
        return products, jax.vmap(measure)(products)

    _, measured = jax.lax.scan(extend, starts, material, reverse=True, unroll=heavy_unroll())

    def by_lag(zero: Array, in_blocks: Array) -> Array:
        """(steps, blocks) in the order of time as lags."""
        return jnp.concatenate([zero, in_blocks.T.reshape(-1)[::-1]])

    return jax.tree.map(by_lag, at_zero, measured)


def chosen_lags(
    step: Step,
    readout: Callable | None,
    state: State,
    xs: Inputs,
    states: State | None,
    lags: Array,
    *,
    length: int,
    spectral: bool,
    precision: str,
    block_count: int,
) -> Measured:
    """The norms at chosen lags: whole blocks, then for each lag the rest of the way within one."""
    with jax.default_matmul_precision(precision):
        last, material = _prepared(step, state, xs, states, length, block_count)
        product, measure = start(step, last, readout, spectral=spectral)
        totals = block_totals(step, measure.identity(product), material)
        return chosen_lags_of(step, measure, product, material, totals, lags)


def chosen_lags_of(
    step: Step, measure: Measure, product: ScaledMatrix, material: Any, totals: ScaledMatrix, lags: Array
) -> Measured:
    """The norms of a product extended backwards over chosen numbers of steps of some blocks."""
    _, starts = combined(measure, product, totals)
    size, block_count = jax.tree.leaves(material)[0].shape[:2]
    # A lag of T ends on the start of the first block, and so takes all of that block's steps.
    whole_blocks = jnp.minimum(lags // size, block_count - 1)
    rest = lags - size * whole_blocks
    block = block_count - 1 - whole_blocks
    at_lags = jax.tree.map(lambda leaf: leaf[block], starts)

    def extend(products: ScaledMatrix, at: tuple[Array, Any]) -> tuple[ScaledMatrix, None]:
        done, material = at
        chosen = jax.tree.map(lambda leaf: leaf[block], material)
        further = jax.vmap(partial(_multiplied, step))(products, chosen)
        goes_on = done < rest
        keep = partial(_where, goes_on)
        return jax.tree.map(keep, further, products), None

    counted_from_end = jnp.arange(size - 1, -1, -1, dtype=jnp.int32)
    products, _ = jax.lax.scan(
        extend, at_lags, (counted_from_end, material), reverse=True, unroll=heavy_unroll()
    )
    return jax.vmap(measure)(products)


def _prepared(
    step: Step, state: State, xs: Inputs, states: State | None, length: int, block_count: int
) -> tuple[State, Any]:
    """h_T, and what the Jacobians need, leaves (steps of a block, blocks, ...).

    The first block is filled up before its first step; what is multiplied there counts in no lag.
    """
    before, last = states_before(step, state, xs, length, states)
    material, _ = materials(step, Segment(before, xs), is_finite(last))
    return last, in_blocks(material, length, block_count)


def in_blocks(material: Any, length: int, block_count: int) -> Any:
    """What T steps need, leaves (T, ...), cut into blocks, leaves (steps of a block, blocks, ...)."""
    size = -(-length // block_count)

    def cut(leaf: Array) -> Array:
        filling = jnp.broadcast_to(leaf[:1], (block_count * size - length, *leaf.shape[1:]))
        blocks = jnp.concatenate([filling, leaf]).reshape(block_count, size, *leaf.shape[1:])
        return jnp.moveaxis(blocks, 1, 0)

    return jax.tree.map(cut, material)


def block_totals(step: Step, one: ScaledMatrix, material: Any) -> ScaledMatrix:
    """The product of the step Jacobians of each block, stacked in the order of time."""
    count = jax.tree.leaves(material)[0].shape[1]
    own = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), one)

    def extend(products: ScaledMatrix, material: Any) -> tuple[ScaledMatrix, None]:
        return jax.vmap(partial(_multiplied, step))(products, material), None

    return jax.lax.scan(extend, own, material, reverse=True, unroll=heavy_unroll())[0]


def combined(
    measure: Measure, product: ScaledMatrix, totals: ScaledMatrix
) -> tuple[ScaledMatrix, ScaledMatrix]:
    """A product extended backwards over all blocks, and as it was at the end of each, stacked.

    Many blocks are in their turn cut into groups, as steps are into blocks.
    """

    def combine(later: ScaledMatrix, total: ScaledMatrix) -> tuple[ScaledMatrix, ScaledMatrix]:
        return measure.layout.product(later, total), later

    def one_by_one(later: ScaledMatrix, totals: ScaledMatrix) -> tuple[ScaledMatrix, ScaledMatrix]:
        return jax.lax.scan(combine, later, totals, reverse=True, unroll=heavy_unroll())

    count = totals.exponent.shape[0]
    if count < _MANY_BLOCKS:
        return one_by_one(product, totals)
    group_size = math.isqrt(count)
    groups = -(-count // group_size)
    one = measure.identity(product)
    filling = groups * group_size - count

    def cut(leaf: Array, unit: Array) -> Array:
        filled = jnp.concatenate([jnp.broadcast_to(unit, (filling, *unit.shape)), leaf])
        return jnp.moveaxis(filled.reshape(groups, group_size, *unit.shape), 1, 0)

    grouped = jax.tree.map(cut, totals, one)
    of_groups = jax.vmap(one_by_one, (None, 1), (0, 1))(one, grouped)[0]
    whole, starts = one_by_one(product, of_groups)
    at_blocks = jax.vmap(one_by_one, (0, 1), (0, 1))(starts, grouped)[1]
    return whole, jax.tree.map(
        lambda leaf: jnp.moveaxis(leaf, 0, 1).reshape(-1, *leaf.shape[2:])[filling:], at_blocks
    )


def _multiplied(step: Step, product: ScaledMatrix, material: Any) -> ScaledMatrix:
    # By the largest entry, whatever a row's size: `vmap` would form both branches of what first tries the norm.
    return scaled.normalized(factor(step, material).after(product.mantissa), product.exponent)


def _where(condition: Array, yes: Array, no: Array) -> Array:
    return jnp.where(condition.reshape(-1, *[1] * (yes.ndim - 1)), yes, no)
