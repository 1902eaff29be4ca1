"""The product of step Jacobians, one factor after the other, and what is measured of it on the way.

These functions are traced: their arguments were checked, and they are compiled, by their callers.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.jacobian.groups import (
    GROUP,
    Chain,
    material_of,
    measured_group,
    multiplied,
    one_by_one,
    ungrouped,
    unmeasured_group,
)
from rnn_jax.jacobian.material import Segment, is_finite, states_before
from rnn_jax.jacobian.measure import Measure, Measured, start
from rnn_jax.jacobian.scaled import ScaledMatrix
from rnn_jax.jacobian.walk import Walk, backward, forward, in_a_row
from rnn_jax.step import Inputs, State, Step


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
    checkpoint: bool,
) -> Measured:
    """The norms at lags 0..T."""
    with jax.default_matmul_precision(precision):
        walk = forward(step, state, xs, length, checkpoint, states)
        product, measure = start(step, walk.last, readout, spectral=spectral)
        return every_lag_of(step, measure, product, walk)


def every_lag_of(step: Step, measure: Measure, product: ScaledMatrix, walk: Walk) -> Measured:
    """The norms of a product extended backwards over 0, 1, ... all steps of a walk."""
    at_zero = jax.tree.map(lambda norm: norm[None], measure(product))
    chain = Chain.begin(product, is_finite(walk.last))
    _, parts = backward(step, walk, chain, partial(_measured_segment, step, measure))
    return jax.tree.map(lambda *norms: jnp.concatenate(norms)[::-1], *parts, at_zero)


def _measured_segment(
    step: Step, measure: Measure, chain: Chain, segment: Segment, count: int
) -> tuple[Chain, Measured]:
    """Extends a chain over all steps of a segment; the norms after each, in the order of time."""
    late = ungrouped(count)
    measured = []
    if late:
        chain, norms = one_by_one(
            step, measure, chain, *material_of(step, segment, chain, count - late, late)
        )
        measured.append(norms)
    if late < count:

        def extend(chain: Chain, first: Array) -> tuple[Chain, Measured]:
            return measured_group(step, measure, chain, *material_of(step, segment, chain, first, GROUP))

        chain, norms = jax.lax.scan(
            extend, chain, jnp.arange(0, count - late, GROUP, dtype=jnp.int32), reverse=True
        )
        measured.insert(0, jax.tree.map(in_a_row, norms))
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
    states: State | None,
    lags: Array,
    *,
    length: int,
    spectral: bool,
    precision: str,
    checkpoint: bool,
) -> Measured:
    """The norms at chosen ascending lags, at about one product a step up to the largest of them."""
    with jax.default_matmul_precision(precision):
        walk = forward(step, state, xs, length, checkpoint, states)
        product, measure = start(step, walk.last, readout, spectral=spectral)
        return chosen_lags_of(step, measure, product, walk, lags)


def chosen_lags_of(step: Step, measure: Measure, product: ScaledMatrix, walk: Walk, lags: Array) -> Measured:
    """The norms of a product extended backwards over chosen ascending numbers of steps of a walk."""
    norms = jax.tree.map(lambda norm: jnp.broadcast_to(norm, (lags.shape[0], *norm.shape)), measure(product))
    record = _Record(jnp.zeros((), jnp.int32), (lags[0] == 0).astype(jnp.int32), norms)

    def extend(carry: tuple[Chain, _Record], segment: Segment, count: int):
        return _segment_of_chosen(step, measure, lags, carry, segment, count), ()

    chain = Chain.begin(product, is_finite(walk.last))
    (_, record), _ = backward(step, walk, (chain, record), extend)
    return record.norms


def _segment_of_chosen(
    step: Step,
    measure: Measure,
    lags: Array,
    carry: tuple[Chain, _Record],
    segment: Segment,
    count: int,
) -> tuple[Chain, _Record]:
    """Extends a chain over a segment, but not beyond the group of the largest lag."""
    late = ungrouped(count)

    def measured(carry: tuple[Chain, _Record], first: Any, size: int) -> tuple[Chain, _Record]:
        chain, record = carry
        material = material_of(step, segment, chain, first, size)

        def extend(carry, at):
            chain, record = carry
            chain, _ = multiplied(step, chain, *at)
            return (chain, _recorded(measure, lags, record, chain.product)), None

        return jax.lax.scan(extend, (chain, record), material, reverse=True)[0]

    def unmeasured(carry: tuple[Chain, _Record], first: Array) -> tuple[Chain, _Record]:
        chain, record = carry
        chain = unmeasured_group(step, chain, *material_of(step, segment, chain, first, GROUP))
        return chain, record._replace(lag=record.lag + GROUP)

    def group(done: Array, carry: tuple[Chain, _Record]) -> tuple[Chain, _Record]:
        first = count - late - GROUP * (done + 1)
        next_lag = lags[jnp.minimum(carry[1].done, lags.shape[0] - 1)]
        wanted = (next_lag > carry[1].lag) & (next_lag <= carry[1].lag + GROUP)
        return jax.lax.cond(
            wanted, lambda carry: measured(carry, first, GROUP), lambda carry: unmeasured(carry, first), carry
        )

    if late:
        carry = measured(carry, count - late, late)
    if late == count:
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
    step: Step,
    state: State,
    xs: Inputs,
    states: State | None,
    times: Array,
    *,
    length: int,
    precision: str = "highest",
) -> tuple[ScaledMatrix, Measure]:
    """dh_b/dh_a for each two neighbours a < b of ascending times, traced integers; stacked in order."""
    with jax.default_matmul_precision(precision):
        before, last = states_before(step, state, xs, length, states)
        identity, measure = start(step, last, None, spectral=False)
        segment = Segment(before, xs)

        def between(_: None, ends: tuple[Array, Array]) -> tuple[None, ScaledMatrix]:
            earlier, later = ends
            at_later = jax.tree.map(lambda leaf: leaf[jnp.minimum(later, length - 1)], before)
            finite = jnp.where(later == length, is_finite(last), is_finite(at_later))
            chain = Chain.begin(identity, finite)

            def one_step(done: Array, chain: Chain) -> Chain:
                material = material_of(step, segment, chain, later - 1 - done, 1)
                return multiplied(step, chain, *jax.tree.map(lambda leaf: leaf[0], material))[0]

            is_grouped = ungrouped(length) < length
            singles = (later - earlier) % GROUP if is_grouped else later - earlier
            chain = jax.lax.fori_loop(0, singles, one_step, chain)
            if is_grouped:

                def group(done: Array, chain: Chain) -> Chain:
                    first = later - singles - GROUP * (done + 1)
                    return unmeasured_group(step, chain, *material_of(step, segment, chain, first, GROUP))

                chain = jax.lax.fori_loop(0, (later - earlier) // GROUP, group, chain)
            return None, chain.product

        return jax.lax.scan(between, None, (times[:-1], times[1:]))[1], measure


def one_lag(
    step: Step,
    state: State,
    xs: Inputs,
    states: State | None,
    lag: Array,
    *,
    length: int,
    precision: str,
) -> ScaledMatrix:
    """The product of the last `lag` step Jacobians, `lag` a traced integer."""
    if length == 0:
        product, measure = start(step, state, None, spectral=False)
        return measure.layout.in_full(product)
    ends = jnp.stack([length - lag, length])
    products, measure = products_between(step, state, xs, states, ends, length=length, precision=precision)
    return measure.layout.in_full(jax.tree.map(lambda leaf: leaf[0], products))
