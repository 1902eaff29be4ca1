"""Chain norms by plain `jax.jacrev` over the scan, as one writes them without this library."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.peers.contender import ChainProblem, Contender

MOST_STEPS_EACH_LAG = 100


def contenders(problem: ChainProblem) -> Sequence[Contender]:
    """All lags in one backward pass, and each lag by a `jacrev` of its own."""
    cell, xs = problem.cell, problem.xs
    too_long = len(xs) > MOST_STEPS_EACH_LAG
    return [
        Contender(
            name="jax_jacrev",
            version=jax.__version__,
            method="one_vjp_of_all_states",
            call=lambda: _all_lags(cell, xs),
            answer=lambda: {"log_norm": np.asarray(_all_lags(cell, xs))},
        ),
        Contender(
            name="jax_jacrev_each_lag",
            version=jax.__version__,
            method="one_vjp_a_lag",
            call=lambda: _each_lag(cell, xs),
            answer=lambda: {"log_norm": np.asarray(_each_lag(cell, xs))},
            not_run=f"takes T times as long; run up to T = {MOST_STEPS_EACH_LAG} only" if too_long else "",
        ),
    ]


@jax.jit
def _all_lags(cell: Any, xs: jax.Array) -> jax.Array:
    """A disturbance is added to every state: dh_T by the disturbance of h_t is dh_T/dh_t."""
    length, size = len(xs), cell.weight_hh.shape[0]

    def last_state(disturbances: jax.Array) -> jax.Array:
        def advance(state, at):
            x, disturbance = at
            return cell(state + disturbance, x), None

        state, _ = jax.lax.scan(advance, cell.initial_state(), (xs, disturbances[:-1]))
        return state + disturbances[-1]

    with jax.default_matmul_precision("highest"):
        jacobians = jax.jacrev(last_state)(jnp.zeros((length + 1, size), cell.weight_hh.dtype))
        return jnp.log(jnp.linalg.norm(jacobians, axis=(0, 2)))[::-1]


@jax.jit
def _each_lag(cell: Any, xs: jax.Array) -> jax.Array:
    """The net is run on from each h_t and differentiated anew; steps before t are skipped by a mask."""
    times = jnp.arange(len(xs))

    def log_norm(start: jax.Array, state: jax.Array) -> jax.Array:
        def last_state(state: jax.Array) -> jax.Array:
            def advance(state, at):
                x, time = at
                return jnp.where(time >= start, cell(state, x), state), None

            return jax.lax.scan(advance, state, (xs, times))[0]

        return jnp.log(jnp.linalg.norm(jax.jacrev(last_state)(state)))

    with jax.default_matmul_precision("highest"):

        def advance(state, x):
            after = cell(state, x)
            return after, after

        first = cell.initial_state()
        states = jnp.concatenate([first[None], jax.lax.scan(advance, first, xs)[1]])
        starts = jnp.arange(len(xs) + 1)
        return jax.lax.map(lambda at: log_norm(*at), (starts, states))[::-1]
