"""The norm of dh_s/dh_t for every two of some evenly spaced times, on white-noise input."""

from collections.abc import Mapping
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
from bench.schema import PAIR_NORMS

VERSION = 1
PARAMETERS = (
    *NOISE_PARAMETERS,
    *DEEP_PARAMETERS,
    Parameter("sequence_length", int, "number of steps", 200, low=1, high=1_000_000),
    Parameter("times", int, "how many evenly spaced times, 0 and T among them", 33, low=2, high=129),
)
resolved = resolved_cell


def run(
    case: Any, environment: Environment, suite: str, report: Report
) -> Mapping[str, list[dict[str, Any]]]:
    """One sequence of each seed; rows for pair_norms.csv."""
    common = noise_columns(case, environment, suite)
    length = case["sequence_length"]
    times = np.unique(np.linspace(0, length, case["times"]).round().astype(int))
    rows = []
    for done, seed in enumerate(case.seeds):
        report(f"seed {seed}", done / len(case.seeds))
        cell = create_cell(case, case["input_size"], seed_key(seed, 0), environment)
        (xs,) = white_noise(case, seed, 1, environment)
        pairs = rj.jacobian_pairs(cell, cell.initial_state(), xs, times)
        norms = (jax.tree.map(np.asarray, each) for each in (pairs.frobenius_norm, pairs.spectral_norm))
        frobenius, spectral = (norm.log10_float64() for norm in norms)
        rows += [
            common
            | {
                "seed": seed,
                "later_time": int(later),
                "earlier_time": int(earlier),
                "log10_frobenius_norm": float(frobenius[i, j]),
                "log10_spectral_norm": float(spectral[i, j]),
            }
            for i, later in enumerate(times)
            for j, earlier in enumerate(times[: i + 1])
        ]
    return {PAIR_NORMS.kind: rows}
