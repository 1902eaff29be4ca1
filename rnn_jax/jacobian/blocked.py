"""The product of step Jacobians, many stretches of time at once.

On an accelerator one small product takes no less time than a thousand of them together. So time is
cut into blocks. All blocks form their own products at once; the products of whole blocks are
combined into dh_T/dh_t at the end t of each block; and from there all blocks advance at once again,
through the steps where a lag was asked for. It takes about twice the products of the sequential
order, in far fewer launches, and memory for one product a block. For every lag of a large net most of
the second ones are spared where few rows of the first are enough (`low_rank`).

These functions are traced: their arguments were checked, and they are compiled, by their callers.
"""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array

from rnn_jax.jacobian import blocks, low_rank
from rnn_jax.jacobian.material import Segment, is_finite, materials, states_before
from rnn_jax.jacobian.measure import Measured, start
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
    block_count: int,
) -> Measured:
    """The norms at lags 0..T."""
    with jax.default_matmul_precision(precision):
        last, material = _prepared(step, state, xs, states, length, block_count)
        product, measure = start(step, last, readout, spectral=spectral)
        if block_count > 1 and low_rank.is_worth_trying(measure):
            measured = low_rank.every_lag_of(step, measure, product, material)
        else:
            totals = blocks.block_totals(step, measure.identity(product), material)
            measured = blocks.every_lag_of(step, measure, product, material, totals)
        # What fills up the first blocks comes last.
        return jax.tree.map(lambda norm: norm[: length + 1], measured)


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
        totals = blocks.block_totals(step, measure.identity(product), material)
        return blocks.chosen_lags_of(step, measure, product, material, totals, lags)


def _prepared(
    step: Step, state: State, xs: Inputs, states: State | None, length: int, block_count: int
) -> tuple[State, Any]:
    """h_T, and what the Jacobians need, leaves (steps of a block, blocks, ...).

    The first blocks are filled up before the first step; what is multiplied there counts in no lag.
    """
    before, last = states_before(step, state, xs, length, states)
    material, _ = materials(step, Segment(before, xs), is_finite(last))
    return last, blocks.in_blocks(material, length, block_count)
