"""How far the chain's product is from `jax.jacrev` of the unrolled net, lag by lag."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

import rnn_jax as rj
from bench.cases.cell import (
    DEEP_PARAMETERS,
    NOISE_PARAMETERS,
    Report,
    create_cell,
    noise_columns,
    resolved_cell,
    seed_key,
    white_noise,
)
from bench.cases.parameter import Parameter
from bench.machine import Environment
from bench.measuring.agreement import relative_distance
from bench.schema import EXACTNESS
from rnn_jax.coordinates import ravel_reals
from rnn_jax.step import classes_of

VERSION = 1
PARAMETERS = (
    *NOISE_PARAMETERS,
    *DEEP_PARAMETERS,
    # A plain jacrev leaves float32's range beyond some length; the comparison is for short ones.
    Parameter("sequence_length", int, "number of steps", 50, low=1, high=500),
)
resolved = resolved_cell


def run(
    case: Any, environment: Environment, suite: str, report: Report
) -> Mapping[str, list[dict[str, Any]]]:
    """Compares at lags 1, T/2 and T for each seed; rows for exactness.csv."""
    length = case["sequence_length"]
    common = noise_columns(case, environment, suite)
    rows = []
    for done, seed in enumerate(case.seeds):
        report(f"seed {seed}", done / len(case.seeds))
        cell = create_cell(case, case["input_size"], seed_key(seed, 0), environment)
        (xs,) = white_noise(case, seed, 1, environment)
        states = rj.trajectory(cell, cell.initial_state(), xs)
        for lag in sorted({1, length // 2, length} - {0}):
            start = jax.tree.map(lambda leaf, at=length - lag: leaf[at], states)
            unrolled = np.asarray(
                _unrolled_jacobian(classes_of(cell), cell, start, xs[length - lag :]), np.float64
            )
            product = np.asarray(
                rj.jacobian_product(cell, cell.initial_state(), xs, lag).to_array(), np.float64
            )
            error, _ = relative_distance(unrolled, product)
            rows.append(common | {"seed": seed, "lag": lag, "relative_error": error})
    return {EXACTNESS.kind: rows}


@partial(jax.jit, static_argnums=0)
def _unrolled_jacobian(classes: tuple[type, ...], cell: Any, start: Any, xs: jax.Array) -> jax.Array:
    """dh_T/dh_(T-lag) by differentiating through the whole scan at once, without a product of ours."""
    del classes  # only tells the programs of cells apart
    vector, rebuild = ravel_reals(start)

    def last_state(vector: jax.Array) -> jax.Array:
        last, _ = jax.lax.scan(lambda state, x: (cell(state, x), None), rebuild(vector), xs)
        return ravel_reals(last)[0]

    with jax.default_matmul_precision("highest"):
        return jax.jacrev(last_state)(vector)
