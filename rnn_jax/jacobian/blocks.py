"""Stretches of time whose products of step Jacobians are formed at once: their totals, and the norms within them.

What the Jacobians need has leaves (steps of a block, blocks, ...); products of blocks are stacked in the order of time.

These functions are traced: their arguments were checked, and they are compiled, by their callers.
"""

import math
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.jacobian import scaled
from rnn_jax.jacobian.measure import ByRow, Measure, Measured
from rnn_jax.jacobian.scaled import ScaledMatrix
from rnn_jax.jacobian.structure import factor
from rnn_jax.step import Step
from rnn_jax.unrolling import divisor_near, heavy_unroll

_MANY_BLOCKS = 64
"""From so many on their totals are combined in groups. Not tuned: three loops take longer to compile than one."""


_LONG = 16
"""From so many turns on a block is filled up to whole ones: at most a twentieth more."""


def every_lag_of(
    step: Step, measure: Measure, product: ScaledMatrix, material: Any, totals: ScaledMatrix
) -> Measured:
    """The norms of a product extended backwards over 0, 1, ... all steps of some blocks."""
    whole, starts = combined(measure, product, totals)
    return by_lag(norms_in_blocks(step, measure, starts, material)[1], measure(whole))


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
        further = jax.vmap(scaled.normalized)(further.mantissa, further.exponent)
        goes_on = done < rest
        keep = partial(_where, goes_on)
        return jax.tree.map(keep, further, products), None

    counted_from_end = jnp.arange(size - 1, -1, -1, dtype=jnp.int32)
    products, _ = jax.lax.scan(
        extend, at_lags, (counted_from_end, material), reverse=True, unroll=heavy_unroll()
    )
    return jax.vmap(measure)(products)


def norms_in_blocks(
    step: Step,
    measure: Measure | None,
    products: ScaledMatrix,
    material: Any,
    by_row: Callable[[ScaledMatrix], ByRow] | None = None,
) -> tuple[ScaledMatrix, Any]:
    """Stacked products extended backwards over all steps of their blocks; the norms before each step, leaves (steps, blocks).

    The norms after a block's last step are those before the first step of the block that is earlier in time.

    Args:
        step: the step.
        measure: what is wanted; None for the products alone.
        products: a product a block.
        material: what the Jacobians need, leaves (steps, blocks, ...).
        by_row: what is read of each product, before each step, for what is wanted; as `measure` does it if None.
    """
    steps = jax.tree.leaves(material)[0].shape[0]
    at_once = divisor_near(heavy_unroll(), steps) or 1
    read = by_row if by_row or measure is None else measure.by_row

    def extend(products: ScaledMatrix, material: Any) -> tuple[ScaledMatrix, Any]:
        # A row's size is moved into its exponent before a product and not after it: so one reading of the rows
        # measures them, moves their size, and scales them by the diagonals of the step.
        products = jax.vmap(scaled.normalized)(products.mantissa, products.exponent)
        rows = None if read is None else jax.vmap(read)(products)
        return jax.vmap(partial(_multiplied, step))(products, material), rows

    def turn(products: ScaledMatrix, material: Any) -> tuple[ScaledMatrix, Any]:
        """Some steps, and what is wanted of all of them together: each launch for it costs as much as a small product."""
        of_steps = []
        for place in reversed(range(at_once)):
            products, rows = extend(products, jax.tree.map(itemgetter(place), material))
            of_steps.insert(0, rows)
        if measure is None:
            return products, None
        rows = jax.tree.map(lambda *each: jnp.stack(each), *of_steps)
        return products, jax.vmap(jax.vmap(measure.of_rows))(*rows)

    cut = partial(jax.tree.map, lambda leaf: leaf.reshape(steps // at_once, at_once, *leaf.shape[1:]))
    products, measured = jax.lax.scan(turn, products, cut(material), reverse=True)
    last = jax.vmap(scaled.normalized)(products.mantissa, products.exponent)
    return last, jax.tree.map(lambda leaf: leaf.reshape(steps, *leaf.shape[2:]), measured)


def by_lag(before_steps: Measured, of_whole: Measured) -> Measured:
    """The norms at lags 0, 1, ..., of those before each step of each block, leaves (steps, blocks), and of the whole product."""

    def in_a_row(in_blocks: Array, whole: Array) -> Array:
        """(steps, blocks) in the order of time as lags."""
        return jnp.concatenate([in_blocks.T.reshape(-1)[::-1], whole[None]])

    return jax.tree.map(in_a_row, before_steps, of_whole)


def block_size(length: int, block_count: int) -> int:
    """How many steps each of so many blocks of T steps has.

    On an accelerator long ones are a few steps longer than they need be, for whole turns of `norms_in_blocks`. For the
    steps of that many such blocks it is the same again.
    """
    size, a_turn = -(-length // block_count), heavy_unroll()
    return -(-size // a_turn) * a_turn if size >= _LONG * a_turn else size


def in_blocks(material: Any, length: int, block_count: int) -> Any:
    """What T steps need, leaves (T, ...), cut into blocks, leaves (steps of a block, blocks, ...).

    What is missing is filled up before the first step: it is multiplied last, and counts in no lag up to T.
    """
    size = block_size(length, block_count)

    def cut(leaf: Array) -> Array:
        filling = jnp.broadcast_to(leaf[:1], (block_count * size - length, *leaf.shape[1:]))
        blocks = jnp.concatenate([filling, leaf]).reshape(block_count, size, *leaf.shape[1:])
        return jnp.moveaxis(blocks, 1, 0)

    return jax.tree.map(cut, material)


def block_totals(step: Step, one: ScaledMatrix, material: Any) -> ScaledMatrix:
    """The product of the step Jacobians of each block, stacked in the order of time."""
    return norms_in_blocks(step, None, repeated(one, material), material)[0]


def repeated(one: ScaledMatrix, material: Any) -> ScaledMatrix:
    """The same for each block."""
    count = jax.tree.leaves(material)[0].shape[1]
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), one)


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
    """A product extended backwards over one step, its rows of any size."""
    return ScaledMatrix(factor(step, material).after(product.mantissa), product.exponent)


def _where(condition: Array, yes: Array, no: Array) -> Array:
    return jnp.where(condition.reshape(-1, *[1] * (yes.ndim - 1)), yes, no)
