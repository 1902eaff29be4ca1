"""Step Jacobians J_t = dh_t/dh_{t-1}."""

from typing import Any

import jax
from jaxtyping import Array, Float

from rnn_jax.coordinates import in_coordinates
from rnn_jax.step import Inputs, State, Step, call_compiled, checked
from rnn_jax.trajectory import run


def step_jacobians(
    step: Step, state: State, xs: Inputs, *, length: int | None = None
) -> Float[Array, "time n n"]:
    """Every step Jacobian along a sequence, by `jax.jacrev` of the step, with the slopes of `rnn_jax.slopes`.

    Args:
        step: a callable `(state, x) -> state`.
        state: the initial state h_0, a pytree of n real coordinates.
        xs: the inputs x_1..x_T, leading with the time axis, or None.
        length: T, for `xs=None`.

    Returns:
        J_1..J_T, shape (T, n, n): row = coordinate of h_t, column = coordinate of h_{t-1}, both in
        the order of `jax.tree.leaves` of the state (for an LSTM: h, then c). It takes T x n**2
        numbers of memory; `jacobian_chain` needs none of it.

    Raises:
        ValueError: the step changes the state's shape, or the leading axes of `xs` differ.
    """
    state, xs, length = checked(step, state, xs, length)
    return call_compiled(_step_jacobians, (step,), state, xs, length=length)


def _step_jacobians(step: Step, state: State, xs: Inputs, *, length: int) -> Array:
    states = run(step, state, xs, length=length)
    before = jax.tree.map(lambda leaf: leaf[:-1], states)
    with jax.default_matmul_precision("highest"):
        return jax.vmap(lambda h, x: step_jacobian(step, h, x), axis_size=length)(before, xs)


def step_jacobian(step: Step, state: State, x: Any) -> Float[Array, "n n"]:
    """The Jacobian of one step at one state and input: the definition everything is held to."""
    next_vector, vector = in_coordinates(step, state, x)
    return jax.jacrev(next_vector)(vector)
