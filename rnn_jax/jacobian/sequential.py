"""The product of step Jacobians, one factor after the other, and what is measured of it on the way.

These functions are traced: their arguments were checked, and they are compiled, by their callers.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.jacobian.forward_pass import ForwardPass, backward, forward
from rnn_jax.jacobian.groups import Chain, extended, measured
from rnn_jax.jacobian.material import Segment, is_finite, states_before
from rnn_jax.jacobian.measure import Measure, Measured, start
from rnn_jax.jacobian.scaled import ScaledMatrix
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
        forward_pass = forward(step, state, xs, length, checkpoint, states)
        product, measure = start(step, forward_pass.last, readout, spectral=spectral)
        return every_lag_of(step, measure, product, forward_pass)


def every_lag_of(step: Step, measure: Measure, product: ScaledMatrix, forward_pass: ForwardPass) -> Measured:
    """The norms of a product extended backwards over 0, 1, ... all steps of a forward pass."""
    at_zero = jax.tree.map(lambda norm: norm[None], measure(product))
    chain = Chain.begin(product, is_finite(forward_pass.last))
    _, parts = backward(step, forward_pass, chain, partial(measured, step, measure))
    return jax.tree.map(lambda *norms: jnp.concatenate(norms)[::-1], *parts, at_zero)


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
        forward_pass = forward(step, state, xs, length, checkpoint, states)
        product, measure = start(step, forward_pass.last, readout, spectral=spectral)
        return chosen_lags_of(step, measure, product, forward_pass, lags)


def chosen_lags_of(
    step: Step, measure: Measure, product: ScaledMatrix, forward_pass: ForwardPass, lags: Array
) -> Measured:
    """The norms of a product extended backwards over chosen ascending numbers of steps of a forward pass."""
    norms = jax.tree.map(lambda norm: jnp.broadcast_to(norm, (lags.shape[0], *norm.shape)), measure(product))
    record = _Record(jnp.zeros((), jnp.int32), (lags[0] == 0).astype(jnp.int32), norms)

    def extend(carry: tuple[Chain, _Record], segment: Segment, count: int):
        return _segment_of_chosen(step, measure, lags, carry, segment, count), ()

    chain = Chain.begin(product, is_finite(forward_pass.last))
    (_, record), _ = backward(step, forward_pass, (chain, record), extend)
    return record.norms


def _segment_of_chosen(
    step: Step,
    measure: Measure,
    lags: Array,
    carry: tuple[Chain, _Record],
    segment: Segment,
    count: int,
) -> tuple[Chain, _Record]:
    """Extends a chain over a segment, but not beyond the largest lag."""
    at_end = carry[1].lag
    furthest = jnp.minimum(at_end + count, lags[-1])

    def to_next(carry: tuple[Chain, _Record]) -> tuple[Chain, _Record]:
        chain, record = carry
        place = jnp.minimum(record.done, lags.shape[0] - 1)
        lag = jnp.minimum(lags[place], furthest)
        chain = extended(step, chain, segment, count - (record.lag - at_end), lag - record.lag)

        def with_norms() -> _Record:
            norms = jax.tree.map(
                lambda all_lags, norm: all_lags.at[place].set(norm), record.norms, measure(chain.product)
            )
            return _Record(lag, record.done + 1, norms)

        return chain, jax.lax.cond(lags[place] == lag, with_norms, lambda: record._replace(lag=lag))

    return jax.lax.while_loop(lambda carry: carry[1].lag < furthest, to_next, carry)


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
            chain = extended(step, Chain.begin(identity, finite), segment, later, later - earlier)
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
