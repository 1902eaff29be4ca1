"""The way from h_0 to h_T and back, with every state kept or only about sqrt(T) of them."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jaxtyping import Array

from rnn_jax.jacobian.material import Segment, states_before
from rnn_jax.step import Inputs, State, Step
from rnn_jax.unrolling import light_unroll


class ForwardPass(NamedTuple):
    """The states on the way from h_0 to h_T, all of them or some to begin again from.

    Attributes:
        last: h_T.
        early: the first steps, all their states kept.
        early_count: how many.
        later: the states at the starts of equally long segments of the other steps, and their inputs.
        later_size, later_count: how many steps each has, and how many segments there are.
    """

    last: State
    early: Segment
    early_count: int
    later: Segment | None = None
    later_size: int = 0
    later_count: int = 0


def forward(
    step: Step, state: State, xs: Inputs, length: int, checkpoint: bool, states: State | None
) -> ForwardPass:
    """Runs the net, unless its states are known; keeps every state, or about sqrt(T) of them."""
    size = math.isqrt(length)
    count = length // size if checkpoint and length else 0
    early = length - size * count
    early_xs = jax.tree.map(lambda leaf: leaf[:early], xs)
    before, last = states_before(step, state, early_xs, early, states)
    if not count:
        return ForwardPass(last, Segment(before, early_xs), early)
    later_xs = jax.tree.map(lambda leaf: leaf[early:].reshape(count, size, *leaf.shape[1:]), xs)

    def over_segment(at_start: State, xs: Inputs) -> tuple[State, State]:
        at_end, _ = jax.lax.scan(
            lambda h, x: (step(h, x), None), at_start, xs, length=size, unroll=light_unroll()
        )
        return at_end, at_start

    last, starts = jax.lax.scan(over_segment, last, later_xs, length=count)
    return ForwardPass(last, Segment(before, early_xs), early, Segment(starts, later_xs), size, count)


def backward(
    step: Step, forward_pass: ForwardPass, carry: Any, extend: Callable[[Any, Segment, int], tuple[Any, Any]]
) -> tuple[Any, list[Any]]:
    """Applies `extend` to the segments from the last to the first; what it returns, in the order of time."""
    parts = []
    if forward_pass.later_count:

        def over_segment(carry: Any, segment: Segment) -> tuple[Any, Any]:
            before, _ = states_before(step, segment.before, segment.xs, forward_pass.later_size)
            return extend(carry, Segment(before, segment.xs), forward_pass.later_size)

        carry, part = jax.lax.scan(
            over_segment, carry, forward_pass.later, length=forward_pass.later_count, reverse=True
        )
        parts.append(jax.tree.map(_in_a_row, part))
    if forward_pass.early_count:
        carry, part = extend(carry, forward_pass.early, forward_pass.early_count)
        parts.insert(0, part)
    return carry, parts


def _in_a_row(leaf: Array) -> Array:
    """(blocks, steps, ...) as (steps, ...)."""
    return leaf.reshape(-1, *leaf.shape[2:])
