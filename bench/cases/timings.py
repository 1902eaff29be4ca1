"""Times a chain next to the bare loop of matrix products of the same size, in interleaved rounds."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

import rnn_jax as rj
from bench.cases.cell import (
    NOISE_PARAMETERS,
    Report,
    create_cell,
    noise_columns,
    resolved_cell,
    seed_key,
    white_noise,
)
from bench.machine import Environment
from bench.parameter import Parameter
from bench.schema import TIMINGS
from bench.timing import interleaved, timing_columns

VERSION = 1
PARAMETERS = (
    *NOISE_PARAMETERS,
    Parameter("sequence_length", int, "number of steps", 1000, low=1, high=1_000_000),
    Parameter("rounds", int, "samples of each implementation", 7, low=3, high=1000),
)
resolved = resolved_cell


def run(
    case: Any, environment: Environment, suite: str, report: Report
) -> Mapping[str, list[dict[str, Any]]]:
    """Frobenius norms at every lag against the bare product loop; rows for timings.csv."""
    length, seed = case["sequence_length"], case.seeds[0]
    cell = create_cell(case, case["input_size"], seed_key(seed, 0), environment)
    (xs,) = white_noise(case, seed, 1, environment)
    state = cell.initial_state()
    common = noise_columns(case, environment, suite)
    size = common["state_size"]
    factor = jax.random.orthogonal(seed_key(seed, 2), size, dtype=jnp.float32).astype(environment.dtype)
    bare = jax.jit(bare_products, static_argnums=1)
    implementations: dict[str, Callable[[], Any]] = {
        "rnn_jax": lambda: rj.jacobian_chain(cell, state, xs).log_frobenius_norm,
        "bare_products": lambda: bare(factor, length),
    }
    flop = {"rnn_jax": 2.0 * length * size**3, "bare_products": 2.0 * length * size**3}
    version = {"rnn_jax": rj.__version__, "bare_products": jax.__version__}
    samples = interleaved(implementations, case["rounds"], report)
    return {
        TIMINGS.kind: [
            common
            | {
                "seed": seed,
                "operation": "jacobian_chain",
                "implementation": name,
                "implementation_version": version[name],
                "method": "sequential",
                "batch_size": 1,
                "lag_count": length + 1,
                "seed_count": 1,
                "flop": flop[name],
            }
            | timed
            for name, sample in samples.items()
            for timed in timing_columns(sample)
        ]
    }


def bare_products(factor: jax.Array, count: int) -> jax.Array:
    """The lower limit of a sequential chain: P <- P J, and nothing else."""
    with jax.default_matmul_precision("highest"):
        start = jnp.eye(factor.shape[0], dtype=factor.dtype)
        return jax.lax.scan(lambda product, _: (product @ factor, None), start, length=count)[0]
