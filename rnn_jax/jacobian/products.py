"""The product of step Jacobians, one factor after the other, and what is measured of it on the way.

These functions are traced: their arguments were checked, and they are compiled, by their callers.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.coordinates import ravel_reals
from rnn_jax.jacobian import scaled
from rnn_jax.jacobian.scaled import ScaledMatrix, ScaledNumber
from rnn_jax.jacobian.structure import Factor, factor, prepared
from rnn_jax.step import Inputs, State, Step
from rnn_jax.trajectory import run

BLOCK = 64
"""For so many steps at once is formed what is cheap to keep."""

Measured = tuple[ScaledNumber, ScaledNumber | None, ScaledNumber | None]


def every_lag(
    step: Step, readout: Callable | None, state: State, xs: Inputs, *, length: int, spectral: bool
) -> Measured:
    """The norms at lags 0..T: what is cheap is formed for a block of steps, its products one by one."""
    with jax.default_matmul_precision("highest"):
        states = run(step, state, xs, length=length)
        left, norms = _start(states, readout)
        first = norms(
            scaled.row_norms(left), scaled.spectral_norm(norms.of_state(left)) if spectral else None
        )
        if length == 0:
            return jax.tree.map(lambda leaf: leaf[None], first)

        def extend(product, material):
            product, rows = scaled.times(product, _factor(step, *material).after)
            return product, (rows, scaled.spectral_norm(norms.of_state(product)) if spectral else None)

        def extend_by_block(product, block):
            material = jax.vmap(lambda h, x, nan_or_zero: (prepared(step, h, x), nan_or_zero))(*block)
            product, (rows, largest) = jax.lax.scan(extend, product, material, reverse=True)
            return product, jax.vmap(norms)(rows, largest)

        before = jax.tree.map(lambda leaf: leaf[:-1], states)
        blocks, count = _in_blocks((before, xs, _nan_where_not_finite(states)), length)
        _, measured = jax.lax.scan(extend_by_block, left, blocks, length=count, reverse=True)

        def by_lag(at_zero: Array, in_blocks: Array) -> Array:
            later = in_blocks.reshape(-1)[::-1][:length]
            return jnp.concatenate([at_zero[None], later])

        return jax.tree.map(by_lag, first, measured)


def _in_blocks(tree: Any, length: int) -> tuple[Any, int]:
    """Leaves (time, ...) as (blocks, steps, ...), filled up before the first step; what is measured
    there lies beyond the largest lag and is dropped."""
    count = -(-length // BLOCK)
    size = -(-length // count)

    def blocks(leaf: Array) -> Array:
        filling = jnp.broadcast_to(leaf[:1], (count * size - length, *leaf.shape[1:]))
        return jnp.concatenate([filling, leaf]).reshape(count, size, *leaf.shape[1:])

    return jax.tree.map(blocks, tree), count


def chosen_lags(
    step: Step,
    readout: Callable | None,
    state: State,
    xs: Inputs,
    gaps: Array,
    *,
    length: int,
    spectral: bool,
) -> Measured:
    """The norms at chosen lags; `gaps` are the steps from lag 0 to the first of them and so on."""
    with jax.default_matmul_precision("highest"):
        states = run(step, state, xs, length=length)
        arguments = (states, xs, _nan_where_not_finite(states))
        left, norms = _start(states, readout)

        def to_next_lag(carry, gap):
            product, time = carry
            product = _extended(step, arguments, product, time, gap)
            largest = scaled.spectral_norm(norms.of_state(product)) if spectral else None
            return (product, time - gap), norms(scaled.row_norms(product), largest)

        start = (left, jnp.asarray(length, jnp.int32))
        return jax.lax.scan(to_next_lag, start, gaps)[1]


def one_lag(step: Step, state: State, xs: Inputs, lag: Array, *, length: int) -> ScaledMatrix:
    """The product of the last `lag` step Jacobians."""
    with jax.default_matmul_precision("highest"):
        states = run(step, state, xs, length=length)
        arguments = (states, xs, _nan_where_not_finite(states))
        left, _ = _start(states, None)
        return _extended(step, arguments, left, jnp.asarray(length, jnp.int32), lag)


def _extended(step: Step, arguments: Any, product: ScaledMatrix, time: Array, count: Array) -> ScaledMatrix:
    """The product times J_time, J_{time-1}, ... : `count` factors, their number a traced integer."""

    def one_factor(done, product):
        at = jax.tree.map(
            lambda leaf: jax.lax.dynamic_index_in_dim(leaf, time - 1 - done, keepdims=False), arguments
        )
        state, x, nan_or_zero = at
        product, _ = scaled.times(product, _factor(step, prepared(step, state, x), nan_or_zero).after)
        return product

    return jax.lax.fori_loop(jnp.zeros((), jnp.int32), count, one_factor, product)


def _factor(step: Step, material: Any, nan_or_zero: Array) -> Factor:
    made = factor(step, material)
    return replace(made, matrix=made.matrix + nan_or_zero)


def _nan_where_not_finite(states: State) -> Float[Array, " time"]:
    """NaN at each t whose h_{t-1} or h_t is not finite, else 0.

    Once a state has overflowed, the derivative of a rectifier there is 0, and the product would
    look like a gradient that vanished.
    """
    vectors = jax.vmap(lambda each: ravel_reals(each)[0])(states)
    finite = jnp.all(jnp.isfinite(vectors), axis=1)
    return jnp.where(finite[:-1] & finite[1:], 0.0, jnp.nan).astype(vectors.dtype)


@dataclass(frozen=True)
class _Norms:
    """Norms of a product from the norms of its rows, the output's rows lying under the state's."""

    size: int
    has_output: bool

    def of_state(self, product: ScaledMatrix) -> ScaledMatrix:
        return jax.tree.map(lambda leaf: leaf[: self.size], product)

    def __call__(self, rows: ScaledNumber, spectral: ScaledNumber | None) -> Measured:
        state = scaled.norm_of(jax.tree.map(lambda leaf: leaf[: self.size], rows))
        output = (
            scaled.norm_of(jax.tree.map(lambda leaf: leaf[self.size :], rows)) if self.has_output else None
        )
        return state, spectral, output


def _start(states: State, readout: Callable | None) -> tuple[ScaledMatrix, _Norms]:
    """The identity, with dy_T/dh_T under it if a readout is given: one product pushes both."""
    last = jax.tree.map(lambda leaf: leaf[-1], states)
    coordinates, rebuild = ravel_reals(last)
    left = jnp.eye(coordinates.size, dtype=coordinates.dtype)
    if readout is not None:
        rows = jax.jacrev(lambda vector: ravel_reals(readout(rebuild(vector)))[0])(coordinates)
        left = jnp.concatenate([left, rows.astype(left.dtype)])
    return scaled.from_array(left), _Norms(coordinates.size, readout is not None)
