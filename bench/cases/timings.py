"""Times a chain next to the bare loop of matrix products of the same size, in interleaved rounds."""

import math
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

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

VERSION = 1
PARAMETERS = (
    *NOISE_PARAMETERS,
    Parameter("sequence_length", int, "number of steps", 1000, low=1, high=1_000_000),
    Parameter("rounds", int, "samples of each implementation", 7, low=3, high=1000),
)
resolved = resolved_cell

_SHORTEST_SAMPLE_S = 1e-3
_TRIES = 5
_COMPILED = 0


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
    bare = jax.jit(_bare_products, static_argnums=1)
    implementations: dict[str, Callable[[], Any]] = {
        "rnn_jax": lambda: rj.jacobian_chain(cell, state, xs).log_frobenius_norm,
        "bare_products": lambda: bare(factor, length),
    }
    flop = {"rnn_jax": 2.0 * length * size**3, "bare_products": 2.0 * length * size**3}
    version = {"rnn_jax": rj.__version__, "bare_products": jax.__version__}
    samples = _interleaved(implementations, case["rounds"], report)
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
                "process": 0,
                "round": number,
                "inner_calls": sample.inner_calls,
                "run_s": run_s,
                "compile_s": sample.first_s - float(np.median(sample.run_s)),
                "compile_cache": "warm" if jax.config.values.get("jax_compilation_cache_dir") else "off",
                "peak_bytes": _peak_bytes(),
                "flop": flop[name],
            }
            for name, sample in samples.items()
            for number, run_s in enumerate(sample.run_s)
        ]
    }


def _bare_products(factor: jax.Array, count: int) -> jax.Array:
    """The lower limit of a sequential chain: P <- P J, and nothing else."""
    with jax.default_matmul_precision("highest"):
        start = jnp.eye(factor.shape[0], dtype=factor.dtype)
        return jax.lax.scan(lambda product, _: (product @ factor, None), start, length=count)[0]


class _Sample:
    """The timings of one implementation."""

    def __init__(self, call: Callable[[], Any]):
        self.call = call
        started = perf_counter()
        jax.block_until_ready(call())
        self.first_s = perf_counter() - started
        once = self._timed(1)
        self.inner_calls = max(1, math.ceil(_SHORTEST_SAMPLE_S / once))
        self.run_s: list[float] = []

    def _timed(self, calls: int) -> float:
        started = perf_counter()
        for _ in range(calls):
            jax.block_until_ready(self.call())
        return (perf_counter() - started) / calls

    def add(self) -> None:
        """One sample; taken again where anything compiled during it."""
        for _ in range(_TRIES):
            compiled = _compilations()
            run_s = self._timed(self.inner_calls)
            if _compilations() == compiled:
                self.run_s.append(run_s)
                return
        raise RuntimeError(f"something compiled in each of {_TRIES} samples, so no time can be told")


def _interleaved(
    implementations: Mapping[str, Callable[[], Any]], rounds: int, report: Report
) -> dict[str, _Sample]:
    samples = {name: _Sample(call) for name, call in implementations.items()}
    for number in range(rounds):
        report(f"round {number + 1} of {rounds}", number / rounds)
        for sample in samples.values():
            sample.add()
    return samples


def _count_compilation(event: str, duration_secs: float, **_: Any) -> None:
    global _COMPILED
    del duration_secs
    if event.endswith("backend_compile_duration"):
        _COMPILED += 1


jax.monitoring.register_event_duration_secs_listener(_count_compilation)


def _compilations() -> int:
    return _COMPILED


def _peak_bytes() -> int | None:
    statistics = jax.devices()[0].memory_stats()
    return statistics.get("peak_bytes_in_use") if statistics else None
