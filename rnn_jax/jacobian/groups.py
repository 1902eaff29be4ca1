"""The product of step Jacobians over a group of steps.

Within a group, products are formed without rescaling, and the sums of squares of their rows say
afterwards whether any of them came near the end of the dtype's range; only then is the group gone
over again, rescaled at every step. So a chain costs little more than its products.

These functions are traced: their arguments were checked, and they are compiled, by their callers.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from rnn_jax.jacobian import scaled
from rnn_jax.jacobian.material import Segment, materials
from rnn_jax.jacobian.measure import Measure, Measured
from rnn_jax.jacobian.scaled import ScaledMatrix, ScaledNumber
from rnn_jax.jacobian.structure import DENSE, Factor, factor, growth_bound, structure_of
from rnn_jax.step import Step

GROUP = 8
"""So many steps are multiplied between two rescalings."""

_SHORT = 3 * GROUP
"""A stretch of fewer steps is not grouped: the program of a group takes longer to compile than it saves."""

LOOK = 4
"""After so many steps the size of the rows is looked at, where their growth in between is bounded."""


class Chain(NamedTuple):
    """A product on its way from h_T backwards.

    Attributes:
        product: dh_T/dh_t, the output's rows under it.
        alive: which of its rows are not exactly zero.
        finite: whether h_t is.
    """

    product: ScaledMatrix
    alive: Bool[Array, " rows"]
    finite: Bool[Array, ""]

    @classmethod
    def begin(cls, product: ScaledMatrix, finite: Bool[Array, ""]) -> "Chain":
        """A chain that starts from this product at a state that is finite or not."""
        return cls(product, _nonzero_rows(product), finite)


def ungrouped(count: int) -> int:
    """How many of a stretch's steps, its last ones, are multiplied one by one; the others in groups."""
    return count if count < _SHORT else count % GROUP


def material_of(step: Step, segment: Segment, chain: Chain, first: Any, count: int) -> tuple[Any, Array]:
    """What the Jacobians of some steps in a row need, the last of them next to the chain."""
    part = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, first, count), segment)
    # Else XLA forms the derivatives anew for every entry of every product.
    return jax.lax.optimization_barrier(materials(step, part, chain.finite))


def measured_group(
    step: Step, measure: Measure, chain: Chain, material: Any, poison: Array
) -> tuple[Chain, Measured]:
    """One group; its norms at every step, in the order of time."""
    if measure.spectral:
        return one_by_one(step, measure, chain, material, poison)
    exponent = chain.product.exponent
    rows, squares = _unscaled(step, chain, material, range(GROUP))

    def as_it_is() -> tuple[Chain, Measured]:
        norms, output = measure.norms_of_squares(squares, exponent)
        return _after(chain, scaled.rescaled(rows, squares[0], exponent), poison), (norms, None, output)

    return jax.lax.cond(
        _in_range(chain, squares, rows.dtype),
        as_it_is,
        lambda: one_by_one(step, measure, chain, material, poison),
    )


def unmeasured_group(step: Step, chain: Chain, material: Any, poison: Array) -> Chain:
    """One group, of which nothing but the product is wanted.

    Where the step Jacobians are known not to grow a row by much, it is enough to look at the rows
    twice in a group: in between none can have left the range and come back.
    """
    bound = growth_bound(step, material)
    looks = range(GROUP) if bound is None else range(0, GROUP, LOOK)
    rows, squares = _unscaled(step, chain, material, looks)
    safe = _in_range(chain, squares, rows.dtype)
    if bound is not None:
        lowest, _ = scaled.safe_squares(rows.dtype)
        safe = safe & (bound ** (LOOK - 1) <= lowest**-0.5)
    return jax.lax.cond(
        safe,
        lambda: _after(chain, scaled.rescaled(rows, squares[0], chain.product.exponent), poison),
        lambda: one_by_one(step, None, chain, material, poison)[0],
    )


def _unscaled(step: Step, chain: Chain, material: Any, looks: Any) -> tuple[Array, Array]:
    """The product over a group without rescaling, and the sums of squares of its rows after some steps."""
    rows, squares = chain.product.mantissa, []
    for place, at_step in reversed(list(enumerate(_factors(step, material)))):
        rows = at_step.after(rows)
        if place in looks:
            squares.append(scaled.row_squares(rows))
    return rows, jnp.stack(squares[::-1])


def _factors(step: Step, material: Any) -> list[Factor]:
    """The Jacobians of a group, in the order of time.

    Dense ones are formed all at once, which takes a smaller program and less time; the others are so cheap to form that
    each is better made next to its product.
    """
    if structure_of(step) == DENSE:
        material = jax.vmap(partial(factor, step))(material)
    at_steps = [jax.tree.map(lambda leaf, place=place: leaf[place], material) for place in range(GROUP)]
    return at_steps if structure_of(step) == DENSE else [factor(step, each) for each in at_steps]


def _in_range(chain: Chain, squares: Array, dtype: Any) -> Bool[Array, ""]:
    """Whether every row that is not zero stayed where it keeps its full precision."""
    lowest, highest = scaled.safe_squares(dtype)
    return jnp.all((squares > lowest) & (squares < highest) | ~chain.alive[None])


def one_by_one(
    step: Step, measure: Measure | None, chain: Chain, material: Any, poison: Array
) -> tuple[Chain, Any]:
    """Some steps, rescaled at each; the norms after each, in the order of time, if measured."""

    def extend(chain: Chain, at: tuple[Any, Array]) -> tuple[Chain, Any]:
        chain, rows = multiplied(step, chain, *at)
        return chain, None if measure is None else measure(chain.product, rows)

    chain, measured = jax.lax.scan(extend, chain, (material, poison), reverse=True)
    return chain, measured


def multiplied(step: Step, chain: Chain, material: Any, poison: Array) -> tuple[Chain, ScaledNumber]:
    """One step; and the norms of the product's rows."""
    product, rows = scaled.times(chain.product, factor(step, material).after)
    return Chain(product, _nonzero_rows(product), ~jnp.isnan(poison)), rows


def _after(chain: Chain, product: ScaledMatrix, poison: Array) -> Chain:
    return Chain(product, chain.alive, ~jnp.isnan(poison[0]))


def _nonzero_rows(product: ScaledMatrix) -> Bool[Array, " rows"]:
    return jnp.any(product.mantissa != 0, axis=1)
