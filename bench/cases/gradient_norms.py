"""How the gradient of a freshly drawn net decays or grows with distance, on white-noise input."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

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
from bench.cases.reach import probe
from bench.machine import Environment
from bench.schema import DECAY, GRADIENT_NORMS

VERSION = 1
PARAMETERS = (
    *NOISE_PARAMETERS,
    *DEEP_PARAMETERS,
    Parameter("sequence_length", int, "number of steps", 200, low=10, high=1_000_000),
    Parameter("sequences", int, "input sequences over which log norms are averaged", 16, low=1, high=10_000),
    Parameter("lags", int, "how many lags, geometrically spaced", 40, low=2, high=200),
)
resolved = resolved_cell


def run(
    case: Any, environment: Environment, suite: str, report: Report
) -> Mapping[str, list[dict[str, Any]]]:
    """Probes each seed's net; rows for gradient_norms.csv and decay.csv."""
    common = noise_columns(case, environment, suite)
    norm_rows, decay_rows = [], []
    for done, seed in enumerate(case.seeds):
        report(f"seed {seed}", done / len(case.seeds))
        cell = create_cell(case, case["input_size"], seed_key(seed, 0), environment)
        inputs = white_noise(case, seed, case["sequences"], environment)
        directions = same_direction(case, seed, case["hidden_size"], environment)
        reading = probe(
            cell, inputs, case["lags"], along_direction, directions, weights="initial", recorded_sequences=2
        )
        norm_rows += [common | {"seed": seed} | row for row in reading.norm_rows]
        decay_rows.append(common | {"seed": seed} | reading.decay_row)
    return {GRADIENT_NORMS.kind: norm_rows, DECAY.kind: decay_rows}


def same_direction(case: Any, seed: int, size: int, environment: Environment) -> jax.Array:
    """One unit vector of that many numbers, drawn for the seed, once for each of the case's sequences."""
    direction = jax.random.normal(seed_key(seed, 2), (size,), jnp.float32)
    direction = (direction / jnp.linalg.norm(direction)).astype(environment.dtype)
    return jnp.broadcast_to(direction, (case["sequences"], size))


def along_direction(direction: jax.Array, cell: Any, states: Any) -> jax.Array:
    """The last output along a fixed direction: a loss whose gradient at T has norm 1."""
    return direction @ cell.output(jax.tree.map(lambda leaf: leaf[-1], states))
