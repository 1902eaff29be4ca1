"""States along a sequence, and what the Jacobians of its steps need."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from rnn_jax.coordinates import ravel_reals, real_dtype
from rnn_jax.jacobian.structure import prepared
from rnn_jax.step import Inputs, State, Step
from rnn_jax.unrolling import light_unroll


class Segment(NamedTuple):
    """Some steps in a row: the states before them and their inputs, stacked."""

    before: State
    xs: Inputs


def states_before(
    step: Step, state: State, xs: Inputs, length: int | None, states: State | None = None
) -> tuple[State, State]:
    """h_0..h_{T-1} stacked, and h_T; without the copy that putting them together would take.

    Args:
        step, state, xs, length: what to run.
        states: h_0..h_T where they are known; then nothing is run.
    """
    if states is not None:
        return jax.tree.map(lambda leaf: leaf[:-1], states), jax.tree.map(lambda leaf: leaf[-1], states)

    def advance(before: State, x: Any) -> tuple[State, State]:
        return step(before, x), before

    last, before = jax.lax.scan(advance, state, xs, length=length, unroll=light_unroll())
    return before, last


def is_finite(state: State) -> Bool[Array, ""]:
    """True where every real number of a state is finite."""
    return jnp.all(jnp.isfinite(ravel_reals(state)[0]))


def nan_or_zero(finite: Bool[Array, "..."], dtype: Any) -> Float[Array, "..."]:
    """0 where both ends of a step are finite, else NaN.

    Once a state has overflowed, the derivative of a rectifier there is 0, and the product would
    look like a gradient that vanished.
    """
    return jnp.where(finite, 0.0, jnp.nan).astype(dtype)


def materials(
    step: Step, segment: Segment, last_is_finite: Bool[Array, ""]
) -> tuple[Any, Float[Array, " steps"]]:
    """The data of some step Jacobians in a row, and what is added to each: NaN where a state is not finite, else 0.

    Args:
        step: the step.
        segment: where the steps are taken.
        last_is_finite: whether the state after the last of them is finite.
    """
    finite = jax.vmap(is_finite)(segment.before)
    both = finite & jnp.concatenate([finite[1:], last_is_finite[None]])
    poison = nan_or_zero(both, real_dtype(segment.before))
    return jax.vmap(partial(prepared, step))(segment.before, segment.xs, poison), poison
