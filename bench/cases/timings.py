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
from bench.cases.probe import geometric_lags
from bench.machine import Environment
from bench.parameter import Parameter
from bench.schema import TIMINGS
from bench.timing import interleaved, timing_columns
from rnn_jax.jacobian.structure import DENSE, structure_of

VERSION = 2
PARAMETERS = (
    *NOISE_PARAMETERS,
    Parameter("sequence_length", int, "number of steps", 1000, low=1, high=1_000_000),
    Parameter("lags", int, "at how many geometrically spaced lags; 0: at every one", 0, low=0, high=200),
    Parameter("rounds", int, "samples of each implementation", 7, low=3, high=1000),
)
resolved = resolved_cell


def run(
    case: Any, environment: Environment, suite: str, report: Report
) -> Mapping[str, list[dict[str, Any]]]:
    """Frobenius norms against the bare loops of products; rows for timings.csv."""
    length, seed = case["sequence_length"], case.seeds[0]
    cell = create_cell(case, case["input_size"], seed_key(seed, 0), environment)
    (xs,) = white_noise(case, seed, 1, environment)
    state = cell.initial_state()
    common = noise_columns(case, environment, suite)
    size = common["state_size"]
    lags = geometric_lags(length, case["lags"]) if case["lags"] else None
    factor = jax.random.orthogonal(seed_key(seed, 2), size, dtype=jnp.float32).astype(environment.dtype)
    bare, own = jax.jit(bare_products, static_argnums=1), jax.jit(own_products, static_argnums=1)
    implementations: dict[str, Callable[[], Any]] = {
        "rnn_jax": lambda: rj.jacobian_chain(cell, state, xs, lags).log_frobenius_norm,
        "bare_products": lambda: bare(factor, length),
    }
    hidden_size = case["hidden_size"]
    if hidden_size < size:
        implementations["own_products"] = lambda: own(factor[:, :hidden_size], length)
    dense = 2.0 * length * size**3
    flop = {"bare_products": dense}
    flop["rnn_jax"] = flop["own_products"] = dense * hidden_size / size
    if structure_of(cell) == DENSE:
        flop["rnn_jax"] = dense
    version = dict.fromkeys(implementations, jax.__version__) | {"rnn_jax": rj.__version__}
    method = rj.jacobian_chain(cell, state, xs, lags).method
    samples = interleaved(implementations, case["rounds"], report)
    return {
        TIMINGS.kind: [
            common
            | {
                "seed": seed,
                "operation": "jacobian_chain",
                "implementation": name,
                "implementation_version": version[name],
                "method": method if name == "rnn_jax" else "sequential",
                "batch_size": 1,
                "lag_count": length + 1 if lags is None else len(lags),
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


def own_products(factor: jax.Array, count: int) -> jax.Array:
    """The same for a Jacobian that is dense in its first columns only, as an LSTM's is."""
    size, dense = factor.shape
    with jax.default_matmul_precision("highest"):

        def multiply(product: jax.Array, _: None) -> tuple[jax.Array, None]:
            return jnp.concatenate([product @ factor, product[:, dense:]], axis=1), None

        return jax.lax.scan(multiply, jnp.eye(size, dtype=factor.dtype), length=count)[0]
