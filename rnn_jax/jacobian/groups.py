"""The product of step Jacobians over some steps in a row, rescaled now and then.

A group of steps is multiplied without rescaling, and the sums of squares of its rows say afterwards
whether any of them came near the end of the dtype's range. If none did, the rows are rescaled once;
else the group is tried again at half its size, at last one step at a time, which always holds. The
next group is one step larger than the last that held. So a chain costs little more than its
products, and its program holds one step's product once: a loop, as compiling is most of what a
short chain takes.

These functions are traced: their arguments were checked, and they are compiled, by their callers.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from rnn_jax.dtypes import at_least_float32
from rnn_jax.jacobian import scaled
from rnn_jax.jacobian.material import Segment, materials
from rnn_jax.jacobian.measure import Measure, Measured
from rnn_jax.jacobian.scaled import ScaledMatrix
from rnn_jax.jacobian.structure import factor, is_of_one_leaf
from rnn_jax.step import Step
from rnn_jax.unrolling import traced_loop

GROUP = 16
"""So many steps are multiplied between two rescalings at most."""

BLOCK = 64
"""For so many steps what their Jacobians need is made at once."""


class Chain(NamedTuple):
    """A product on its way from h_T backwards.

    Attributes:
        product: dh_T/dh_t, the output's rows under it.
        usual: which of its rows are numbers and not exactly zero: the others stay as they are.
        finite: whether h_t is.
        group: how many steps to try at once.
    """

    product: ScaledMatrix
    usual: Bool[Array, " rows"]
    finite: Bool[Array, ""]
    group: Int[Array, ""]

    @classmethod
    def begin(cls, product: ScaledMatrix, finite: Bool[Array, ""]) -> "Chain":
        """A chain that starts from this product at a state that is finite or not."""
        return cls(product, _usual(product), finite, jnp.full((), GROUP, jnp.int32))


def extended(step: Step, chain: Chain, segment: Segment, end: Any, count: Array) -> Chain:
    """A chain taken backwards through `count` steps of a segment, traced, the first of them that before `end`."""
    return _through_blocks(step, None, chain, segment, end, count, None)[0]


def measured(
    step: Step, measure: Measure, chain: Chain, segment: Segment, count: int
) -> tuple[Chain, Measured]:
    """A chain taken backwards through all steps of a segment; the norms after each, in the order of time."""
    size = _group_size(measure, count)
    shapes = jax.eval_shape(measure, chain.product)
    norms = jax.tree.map(lambda norm: jnp.zeros(count + size, norm.dtype), shapes)
    chain, norms = _through_blocks(step, measure, chain, segment, count, jnp.asarray(count, jnp.int32), norms)
    return chain, jax.tree.map(lambda norm: norm[:count][::-1], norms)


def _group_size(measure: Measure | None, count: int) -> int:
    """Spectral norms need the product at every step."""
    return 1 if measure is not None and measure.spectral else min(GROUP, count)


def _through_blocks(
    step: Step, measure: Measure | None, chain: Chain, segment: Segment, end: Any, count: Array, norms: Any
) -> tuple[Chain, Any]:
    """The chain, and the norms after 1, 2, ... steps written into `norms`, with room for a group more."""
    size = min(BLOCK, jax.tree.leaves(segment.before)[0].shape[0])
    group_size = _group_size(measure, size)

    def block(carry: tuple[Chain, Any, Array]) -> tuple[Chain, Any, Array]:
        chain, norms, done = carry
        first = jnp.maximum(end - done - size, 0)
        steps = jnp.minimum(size, count - done)
        part = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, first, size), segment)
        # Else XLA forms the derivatives anew for every entry of every product.
        material, poison = jax.lax.optimization_barrier(materials(step, part, chain.finite))
        last = end - done - first - 1
        chain, norms, _ = jax.lax.while_loop(
            lambda carry: carry[2] < steps,
            partial(_tried, step, measure, material, last, steps, group_size, done),
            (chain, norms, jnp.zeros((), jnp.int32)),
        )
        finite = ~jnp.isnan(poison[last - steps + 1])
        return chain._replace(finite=finite), norms, done + steps

    start = (chain, norms, jnp.zeros((), jnp.int32))
    chain, norms, _ = jax.lax.while_loop(lambda carry: carry[2] < count, block, start)
    return chain, norms


def _tried(
    step: Step,
    measure: Measure | None,
    material: Any,
    last: Array,
    steps: Array,
    group_size: int,
    before: Array,
    carry: tuple[Chain, Any, Array],
) -> tuple[Chain, Any, Array]:
    """The chain, its norms and the steps of a block that are done, after one group was tried.

    Args:
        step, measure: whose Jacobians, and what is measured after each, if anything.
        material: what the Jacobians of the block need; the first to be multiplied is the one at `last`.
        steps: how many of the block are wanted.
        group_size: how many may be multiplied at once.
        before: how many steps were done before this block.
        carry: chain, norms and how many steps of the block are done.
    """
    chain, norms, done = carry
    size = jnp.minimum(jnp.minimum(chain.group, group_size), steps - done)

    def of_step(index: Array) -> Any:
        return jax.tree.map(
            lambda leaf: jax.lax.dynamic_index_in_dim(leaf, last - done - index, keepdims=False), material
        )

    in_place = is_of_one_leaf(step, material)

    def multiply(index: Array, carry: tuple[Array, Array, Any]) -> tuple[Array, Array, Any]:
        rows, squares, at = carry
        rows = factor(step, of_step(index) if in_place else at).after(rows)
        squares = jax.lax.dynamic_update_index_in_dim(squares, scaled.row_squares(rows), index, 0)
        # Sliced in place it saves two copies a step: chains of 32 tanh, leaky or GRU units take 0.75 to 0.85 of the time.
        # With several leaves every entry of a product looks for its place anew, an sLSTM's chain takes 1.5 times as long:
        # then it is carried from one step to the next, a plain array.
        return rows, squares, None if in_place else of_step(index + 1)

    mantissa, exponent = chain.product.mantissa, chain.product.exponent
    ones = jnp.ones((group_size, mantissa.shape[0]), at_least_float32(mantissa).dtype)
    first = None if in_place else of_step(jnp.zeros((), jnp.int32))
    rows, squares, _ = traced_loop(size, multiply, (mantissa, ones, first))
    lowest, highest = scaled.safe_squares(mantissa.dtype)
    held = jnp.all((squares > lowest) & (squares < highest) | ~chain.usual[None])

    def as_it_is() -> tuple[Chain, Array, Array, Array]:
        at_end = jax.lax.dynamic_index_in_dim(squares, size - 1, keepdims=False)
        product = scaled.rescaled(rows, at_end, exponent)
        larger = jnp.minimum(chain.group + 1, GROUP)
        return chain._replace(product=product, group=larger), squares, exponent, size

    def one_step() -> tuple[Chain, Array, Array, Array]:
        product = scaled.normalized(rows, exponent)
        larger = jnp.minimum(chain.group + 1, GROUP)
        own = squares.at[0].set(scaled.row_squares(product.mantissa))
        return Chain(product, _usual(product), chain.finite, larger), own, product.exponent, size

    def not_held() -> tuple[Chain, Array, Array, Array]:
        return jax.lax.cond(
            size == 1, one_step, lambda: (chain._replace(group=size // 2), squares, exponent, 0 * size)
        )

    chain, squares, exponent, held_steps = jax.lax.cond(held, as_it_is, not_held)
    if measure is not None:
        # The norms of a group that did not hold are written over by the next attempt.
        made = measure.of_group(squares, exponent, chain.product)
        norms = jax.tree.map(
            lambda all_steps, some: jax.lax.dynamic_update_slice_in_dim(all_steps, some, before + done, 0),
            norms,
            made,
        )
    return chain, norms, done + held_steps


def _usual(product: ScaledMatrix) -> Bool[Array, " rows"]:
    """Which rows of a rescaled product are numbers and not exactly zero."""
    squares: Float[Array, " rows"] = scaled.row_squares(product.mantissa)
    return (squares > 0) & jnp.isfinite(squares)
