"""Lyapunov exponents by lyapax, which pushes columns through `jax.jvp` and factors them by QR."""

# Only where the extra `peers` is installed.
# pyright: reportMissingImports=false

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import lyapax
import numpy as np

from bench.peers.contender import Answer, Contender, SpectrumProblem


def contenders(problem: SpectrumProblem) -> Sequence[Contender]:
    """lyapax factoring as often as we do, and after every step, which is its default."""
    return [
        _contender("lyapax", problem, problem.qr_interval),
        _contender("lyapax_each_step", problem, 1),
    ]


def _contender(name: str, problem: SpectrumProblem, interval: int) -> Contender:
    transient, steps = (interval * max(1, count // interval) for count in (problem.transient, problem.steps))
    # Compiled once: as it stands, lyapax traces and compiles its loops at every call.
    compute = partial(jax.jit(_compute, static_argnums=(2, 3, 4, 5)), problem.cell, problem.state)

    def answer() -> Answer:
        result = compute(transient, steps, interval, True)
        return {"exponents": np.asarray(result[0]), "states": np.asarray(result[1])}

    return Contender(
        name=name,
        version=lyapax.__version__,
        method=f"jvp_qr_every_{interval}",
        call=lambda: compute(transient, steps, interval, False)[0],
        answer=answer,
    )


def _compute(cell: Any, state: jax.Array, transient: int, steps: int, interval: int, keep_states: bool):
    result = lyapax.lyapunov_spectrum(
        lambda state: cell(state, None),
        state,
        dt=1.0,
        n_steps=steps,
        renorm_every=interval,
        t_transient=float(transient),
        save_states=keep_states,
    )
    return result.exponents, result.trajectory
