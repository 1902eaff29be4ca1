"""States along a sequence."""

import jax
import jax.numpy as jnp

from rnn_jax.step import Inputs, State, Step, call_compiled, checked
from rnn_jax.unrolling import light_unroll


def trajectory(step: Step, state: State, xs: Inputs, *, length: int | None = None) -> State:
    """Runs a recurrent step along a sequence.

    Args:
        step: a callable `(state, x) -> state`. A cell or `jax.tree_util.Partial(function, params)`
            compiles once per shape; a plain function is traced again at every call.
        state: the initial state h_0, a pytree.
        xs: the inputs x_1..x_T, a pytree whose leaves lead with the time axis, or None.
        length: T, for `xs=None`.

    Returns:
        h_0..h_T stacked: the state's pytree with a leading axis of T + 1.

    Raises:
        ValueError: the step changes the state's shape, or the leading axes of `xs` differ.
    """
    state, xs, length = checked(step, state, xs, length)
    return call_compiled(run, (step,), state, xs, length=length)


def run(step: Step, state: State, xs: Inputs, *, length: int) -> State:
    """`trajectory` without its checks and without `jit`, for use inside a traced function."""

    def advance(before, x):
        after = step(before, x)
        return after, after

    with jax.default_matmul_precision("highest"):
        _, later = jax.lax.scan(advance, state, xs, length=length, unroll=light_unroll())
    return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), state, later)
