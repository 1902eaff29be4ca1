"""The product of step Jacobians, one factor after the other, and what is measured of it on the way.

Steps go in groups. Within one, products are formed without rescaling, and the sums of squares of
their rows say afterwards whether any of them came near the end of the dtype's range; only then is
the group gone over again, rescaled at every step. So a chain costs little more than its products.

These functions are traced: their arguments were checked, and they are compiled, by their callers.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from rnn_jax.coordinates import real_dtype
from rnn_jax.jacobian import scaled
from rnn_jax.jacobian.measure import Measure, Measured, is_finite, nan_or_zero, start, states_before
from rnn_jax.jacobian.scaled import ScaledMatrix, ScaledNumber
from rnn_jax.jacobian.structure import factor, growth_bound, prepared
from rnn_jax.step import Inputs, State, Step

GROUP = 16
"""So many steps are multiplied between two rescalings."""

LOOK = 4
"""After so many steps the size of the rows is looked at, where their growth in between is bounded."""


class _Chain(NamedTuple):
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
    def begin(cls, product: ScaledMatrix, last: State) -> "_Chain":
        return cls(product, _nonzero_rows(product), is_finite(last))


class _Segment(NamedTuple):
    """Some steps in a row: the states before them and their inputs, stacked."""

    before: State
    xs: Inputs


def every_lag(
    step: Step,
    readout: Callable | None,
    state: State,
    xs: Inputs,
    *,
    length: int,
    spectral: bool,
    checkpoint: bool,
) -> Measured:
    """The norms at lags 0..T."""
    with jax.default_matmul_precision("highest"):
        walk = _forward(step, state, xs, length, checkpoint)
        product, measure = start(step, walk.last, readout, spectral=spectral)
        at_zero = jax.tree.map(lambda norm: norm[None], measure(product))
        _, parts = _backward(
            step, walk, _Chain.begin(product, walk.last), partial(_measured_segment, step, measure)
        )
        return jax.tree.map(lambda *norms: jnp.concatenate(norms)[::-1], *parts, at_zero)


def _measured_segment(
    step: Step, measure: Measure, chain: _Chain, segment: _Segment, count: int
) -> tuple[_Chain, Measured]:
    """Extends a chain over all steps of a segment; the norms after each, in the order of time."""
    late = count % GROUP
    measured = []
    if late:
        chain, norms = _one_by_one(step, measure, chain, *_material(step, segment, chain, count - late, late))
        measured.append(norms)
    if count >= GROUP:

        def extend(chain: _Chain, first: Array) -> tuple[_Chain, Measured]:
            return _measured_group(step, measure, chain, *_material(step, segment, chain, first, GROUP))

        chain, norms = jax.lax.scan(
            extend, chain, jnp.arange(0, count - late, GROUP, dtype=jnp.int32), reverse=True
        )
        measured.insert(0, jax.tree.map(_in_a_row, norms))
    return chain, jax.tree.map(lambda *parts: jnp.concatenate(parts), *measured)


class _Record(NamedTuple):
    """What was measured at the chosen lags so far.

    Attributes:
        lag: of the product now.
        done: how many of the lags have been measured.
        norms: at each chosen lag.
    """

    lag: Array
    done: Array
    norms: Measured


def chosen_lags(
    step: Step,
    readout: Callable | None,
    state: State,
    xs: Inputs,
    lags: Array,
    *,
    length: int,
    spectral: bool,
    checkpoint: bool,
) -> Measured:
    """The norms at chosen ascending lags, at about one product a step up to the largest of them."""
    with jax.default_matmul_precision("highest"):
        walk = _forward(step, state, xs, length, checkpoint)
        product, measure = start(step, walk.last, readout, spectral=spectral)
        at_zero = measure(product)
        norms = jax.tree.map(lambda norm: jnp.broadcast_to(norm, (lags.shape[0], *norm.shape)), at_zero)
        record = _Record(jnp.zeros((), jnp.int32), (lags[0] == 0).astype(jnp.int32), norms)

        def extend(carry: tuple[_Chain, _Record], segment: _Segment, count: int):
            return _segment_of_chosen(step, measure, lags, carry, segment, count), ()

        (_, record), _ = _backward(step, walk, (_Chain.begin(product, walk.last), record), extend)
        return record.norms


def _segment_of_chosen(
    step: Step,
    measure: Measure,
    lags: Array,
    carry: tuple[_Chain, _Record],
    segment: _Segment,
    count: int,
) -> tuple[_Chain, _Record]:
    """Extends a chain over a segment, but not beyond the group of the largest lag."""
    late = count % GROUP

    def measured(carry: tuple[_Chain, _Record], first: Any, size: int) -> tuple[_Chain, _Record]:
        chain, record = carry
        material = _material(step, segment, chain, first, size)

        def extend(carry, at):
            chain, record = carry
            chain, _ = _multiplied(step, chain, *at)
            return (chain, _recorded(measure, lags, record, chain.product)), None

        return jax.lax.scan(extend, (chain, record), material, reverse=True)[0]

    def unmeasured(carry: tuple[_Chain, _Record], first: Array) -> tuple[_Chain, _Record]:
        chain, record = carry
        chain = _unmeasured_group(step, chain, *_material(step, segment, chain, first, GROUP))
        return chain, record._replace(lag=record.lag + GROUP)

    def group(done: Array, carry: tuple[_Chain, _Record]) -> tuple[_Chain, _Record]:
        first = count - late - GROUP * (done + 1)
        next_lag = lags[jnp.minimum(carry[1].done, lags.shape[0] - 1)]
        wanted = (next_lag > carry[1].lag) & (next_lag <= carry[1].lag + GROUP)
        return jax.lax.cond(
            wanted, lambda carry: measured(carry, first, GROUP), lambda carry: unmeasured(carry, first), carry
        )

    if late:
        carry = measured(carry, count - late, late)
    if count < GROUP:
        return carry
    remaining = jnp.maximum(lags[-1] - carry[1].lag, 0)
    groups = jnp.minimum(-(-remaining // GROUP), count // GROUP)
    return jax.lax.fori_loop(0, groups, group, carry)


def _recorded(measure: Measure, lags: Array, record: _Record, product: ScaledMatrix) -> _Record:
    """The record one lag further, with the product's norms where that lag was chosen."""
    record = record._replace(lag=record.lag + 1)
    place = jnp.minimum(record.done, lags.shape[0] - 1)

    def with_norms(record: _Record) -> _Record:
        norms = jax.tree.map(
            lambda all_lags, norm: all_lags.at[place].set(norm), record.norms, measure(product)
        )
        return record._replace(done=record.done + 1, norms=norms)

    return jax.lax.cond(lags[place] == record.lag, with_norms, lambda record: record, record)


def products_between(
    step: Step, state: State, xs: Inputs, times: Array, *, length: int
) -> tuple[ScaledMatrix, Measure]:
    """dh_b/dh_a for each two neighbours a < b of ascending times, traced integers; stacked in order."""
    with jax.default_matmul_precision("highest"):
        before, last = states_before(step, state, xs, length)
        identity, measure = start(step, last, None, spectral=False)
        segment = _Segment(before, xs)

        def between(_: None, ends: tuple[Array, Array]) -> tuple[None, ScaledMatrix]:
            earlier, later = ends
            at_later = jax.tree.map(lambda leaf: leaf[jnp.minimum(later, length - 1)], before)
            finite = jnp.where(later == length, is_finite(last), is_finite(at_later))
            chain = _Chain(identity, _nonzero_rows(identity), finite)

            def one_step(done: Array, chain: _Chain) -> _Chain:
                material = _material(step, segment, chain, later - 1 - done, 1)
                return _multiplied(step, chain, *jax.tree.map(lambda leaf: leaf[0], material))[0]

            singles = (later - earlier) % GROUP if length >= GROUP else later - earlier
            chain = jax.lax.fori_loop(0, singles, one_step, chain)
            if length >= GROUP:

                def group(done: Array, chain: _Chain) -> _Chain:
                    first = later - singles - GROUP * (done + 1)
                    return _unmeasured_group(step, chain, *_material(step, segment, chain, first, GROUP))

                chain = jax.lax.fori_loop(0, (later - earlier) // GROUP, group, chain)
            return None, chain.product

        return jax.lax.scan(between, None, (times[:-1], times[1:]))[1], measure


def one_lag(step: Step, state: State, xs: Inputs, lag: Array, *, length: int) -> ScaledMatrix:
    """The product of the last `lag` step Jacobians, `lag` a traced integer."""
    if length == 0:
        product, measure = start(step, state, None, spectral=False)
        return measure.layout.in_full(product)
    products, measure = products_between(step, state, xs, jnp.stack([length - lag, length]), length=length)
    return measure.layout.in_full(jax.tree.map(lambda leaf: leaf[0], products))


class _Walk(NamedTuple):
    """The way from h_0 to h_T.

    Attributes:
        last: h_T.
        early: the first steps, all their states kept.
        early_count: how many.
        later: the states at the starts of equally long segments of the other steps, and their inputs.
        later_size, later_count: how many steps each has, and how many segments there are.
    """

    last: State
    early: _Segment
    early_count: int
    later: _Segment | None = None
    later_size: int = 0
    later_count: int = 0


def _forward(step: Step, state: State, xs: Inputs, length: int, checkpoint: bool) -> _Walk:
    """Runs the net; keeps every state, or about sqrt(T) of them."""
    size = -(-math.isqrt(length) // GROUP) * GROUP
    count = length // size if checkpoint and length else 0
    early = length - size * count
    early_xs = jax.tree.map(lambda leaf: leaf[:early], xs)
    before, last = states_before(step, state, early_xs, early)
    if not count:
        return _Walk(last, _Segment(before, early_xs), early)
    later_xs = jax.tree.map(lambda leaf: leaf[early:].reshape(count, size, *leaf.shape[1:]), xs)

    def over_segment(at_start: State, xs: Inputs) -> tuple[State, State]:
        at_end, _ = jax.lax.scan(lambda h, x: (step(h, x), None), at_start, xs, length=size)
        return at_end, at_start

    last, starts = jax.lax.scan(over_segment, last, later_xs, length=count)
    return _Walk(last, _Segment(before, early_xs), early, _Segment(starts, later_xs), size, count)


def _backward(
    step: Step, walk: _Walk, carry: Any, extend: Callable[[Any, _Segment, int], tuple[Any, Any]]
) -> tuple[Any, list[Any]]:
    """Applies `extend` to the segments from the last to the first; what it returns, in the order of time."""
    parts = []
    if walk.later_count:

        def over_segment(carry: Any, segment: _Segment) -> tuple[Any, Any]:
            before, _ = states_before(step, segment.before, segment.xs, walk.later_size)
            return extend(carry, _Segment(before, segment.xs), walk.later_size)

        carry, part = jax.lax.scan(over_segment, carry, walk.later, length=walk.later_count, reverse=True)
        parts.append(jax.tree.map(_in_a_row, part))
    if walk.early_count:
        carry, part = extend(carry, walk.early, walk.early_count)
        parts.insert(0, part)
    return carry, parts


def _material(step: Step, segment: _Segment, chain: _Chain, first: Any, count: int) -> tuple[Any, Array]:
    """What the Jacobians of some steps in a row need, the last of them next to the chain."""
    part = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, first, count), segment)
    finite = jax.vmap(is_finite)(part.before)
    both = finite & jnp.concatenate([finite[1:], chain.finite[None]])
    poison = nan_or_zero(both, real_dtype(part.before))
    material = jax.vmap(partial(prepared, step))(part.before, part.xs, poison)
    # Else XLA forms the derivatives anew for every entry of every product.
    return jax.lax.optimization_barrier((material, poison))


def _measured_group(
    step: Step, measure: Measure, chain: _Chain, material: Any, poison: Array
) -> tuple[_Chain, Measured]:
    """One group; its norms at every step, in the order of time."""
    if measure.spectral:
        return _one_by_one(step, measure, chain, material, poison)
    exponent = chain.product.exponent
    rows, squares = _unscaled(step, chain, material, range(GROUP))

    def as_it_is() -> tuple[_Chain, Measured]:
        norms, output = measure.norms_of_squares(squares, exponent)
        return _after(chain, scaled.rescaled(rows, squares[0], exponent), poison), (norms, None, output)

    return jax.lax.cond(
        _in_range(chain, squares, rows.dtype),
        as_it_is,
        lambda: _one_by_one(step, measure, chain, material, poison),
    )


def _unmeasured_group(step: Step, chain: _Chain, material: Any, poison: Array) -> _Chain:
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
        lambda: _one_by_one(step, None, chain, material, poison)[0],
    )


def _unscaled(step: Step, chain: _Chain, material: Any, looks: Any) -> tuple[Array, Array]:
    """The product over a group without rescaling, and the sums of squares of its rows after some steps."""
    rows, squares = chain.product.mantissa, []
    for place in reversed(range(GROUP)):
        rows = factor(step, jax.tree.map(lambda leaf: leaf[place], material)).after(rows)  # noqa: B023
        if place in looks:
            squares.append(scaled.row_squares(rows))
    return rows, jnp.stack(squares[::-1])


def _in_range(chain: _Chain, squares: Array, dtype: Any) -> Bool[Array, ""]:
    """Whether every row that is not zero stayed where it keeps its full precision."""
    lowest, highest = scaled.safe_squares(dtype)
    return jnp.all((squares > lowest) & (squares < highest) | ~chain.alive[None])


def _one_by_one(
    step: Step, measure: Measure | None, chain: _Chain, material: Any, poison: Array
) -> tuple[_Chain, Any]:
    """Some steps, rescaled at each; the norms after each, in the order of time, if measured."""

    def extend(chain: _Chain, at: tuple[Any, Array]) -> tuple[_Chain, Any]:
        chain, rows = _multiplied(step, chain, *at)
        return chain, None if measure is None else measure(chain.product, rows)

    chain, measured = jax.lax.scan(extend, chain, (material, poison), reverse=True)
    return chain, measured


def _multiplied(step: Step, chain: _Chain, material: Any, poison: Array) -> tuple[_Chain, ScaledNumber]:
    """One step; and the norms of the product's rows."""
    product, rows = scaled.times(chain.product, factor(step, material).after)
    return _Chain(product, _nonzero_rows(product), ~jnp.isnan(poison)), rows


def _after(chain: _Chain, product: ScaledMatrix, poison: Array) -> _Chain:
    return _Chain(product, chain.alive, ~jnp.isnan(poison[0]))


def _nonzero_rows(product: ScaledMatrix) -> Bool[Array, " rows"]:
    return jnp.any(product.mantissa != 0, axis=1)


def _in_a_row(leaf: Array) -> Array:
    """(blocks, steps, ...) as (steps, ...)."""
    return leaf.reshape(-1, *leaf.shape[2:])
