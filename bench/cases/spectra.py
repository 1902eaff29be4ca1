"""Lyapunov exponents of one net, and the singular values of one long product of its Jacobians."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import rnn_jax as rj
from bench.cases.cell import (
    CELL_PARAMETERS,
    DEEP_PARAMETERS,
    Report,
    common_columns,
    create_cell,
    resolved_cell,
    seed_key,
    setting_columns,
    white_noise,
)
from bench.cases.parameter import Parameter
from bench.machine import Environment
from bench.measuring.formulas import spectrum_flop
from bench.measuring.timing import timed_once
from bench.schema import LYAPUNOV, SINGULAR_VALUES, TIMINGS
from rnn_jax.jacobian.factorizations import FACTORIZATIONS

VERSION = 1
GAUSSIAN = "gaussian_matrices"
"""No net: h_t = gain X_t h_(t-1), where the input X_t is a fresh matrix of white noise."""

PARAMETERS = (
    Parameter("cell", str, "the recurrent cell", required=True, choices=(*rj.cells.CELLS, GAUSSIAN)),
    *(each for each in CELL_PARAMETERS if each.name != "cell"),
    *DEEP_PARAMETERS,
    Parameter("input_scale", float, "standard deviation of the noise", 0.0, low=0.0, high=1e6),
    Parameter("input_size", int, "numbers in one input; as many as units if left out", low=1, high=65_536),
    Parameter("state_scale", float, "standard deviation of the initial state", 1.0, low=0.0, high=1e6),
    Parameter("sequence_length", int, "number of steps, the transient included", 1000, low=20, high=10**7),
    Parameter("transient", int, "steps that are discarded; a tenth if left out", low=0, high=10**7),
    Parameter("exponents", int, "how many, the largest first; all if left out", low=1, high=65_536),
    Parameter("qr_interval", int, "steps between factorizations; chosen if left out", low=1, high=10**6),
    Parameter(
        "singular_value_lag",
        int,
        "over how many of the last steps, in float64; none if 0",
        0,
        low=0,
        high=10**7,
    ),
    Parameter(
        "factorization", str, "what keeps the columns apart", "auto", choices=FACTORIZATIONS, later=True
    ),
    Parameter(
        "rounds", int, "how often each seed is timed; not at all if 0", 0, low=0, high=1000, later=True
    ),
)


def resolved(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Fills in what follows from the cell, the length and the noise.

    Raises:
        ValueError: the cell fixes another initialization or has no such option, an input size is given
            where there is no noise, or a number exceeds the sequence or the state.
    """
    chosen = dict(parameters)
    length, size, scale = chosen["sequence_length"], chosen["hidden_size"], chosen["input_scale"]
    if chosen["cell"] == GAUSSIAN:
        for name in ("initialization", "forget_bias", "dt", "input_size", "input_deviation"):
            if chosen[name] is not None:
                raise ValueError(f"cell {GAUSSIAN} has no {name}, got {chosen[name]!r}; leave it out")
        if chosen["layers"] != 1:
            raise ValueError(f"cell {GAUSSIAN} has one layer, got layers = {chosen['layers']}; leave it out")
        if scale == 0:
            raise ValueError(f"cell {GAUSSIAN} needs input_scale, the deviation of a matrix's entries")
        chosen["input_size"] = size * size
    else:
        chosen = resolved_cell(chosen)
        if scale == 0 and chosen["input_size"] is not None:
            raise ValueError(
                f"input_size is {chosen['input_size']} but input_scale is 0; set input_scale too"
            )
        if chosen["input_size"] is None:
            chosen["input_size"] = size if scale > 0 else 0
    state_size = size if chosen["cell"] == GAUSSIAN else rj.cells.CELLS[chosen["cell"]].state_size(size)
    state_size *= chosen["layers"]
    if (chosen["exponents"] or 0) > state_size:
        raise ValueError(f"exponents is {chosen['exponents']}, but the state has {state_size} numbers")
    if chosen["rounds"] and chosen["layers"] > 1:
        raise ValueError(
            f"rounds times nets of one layer, whose products formulas count, got layers = {chosen['layers']}; "
            "leave rounds out"
        )
    if chosen["transient"] is None:
        chosen["transient"] = length // 10
    if chosen["transient"] + 20 > length:
        raise ValueError(f"transient {chosen['transient']} leaves fewer than 20 of {length} steps")
    if chosen["singular_value_lag"] > length:
        raise ValueError(f"singular_value_lag {chosen['singular_value_lag']} exceeds the {length} steps")
    return chosen


def check(case: Any, environment: Environment) -> None:
    """Raises ValueError where the case cannot be measured in the environment's dtype."""
    if case["singular_value_lag"] and environment.dtype != "float64":
        raise ValueError('singular_value_lag needs float64: give the case dtype = "float64"')


def run(
    case: Any, environment: Environment, suite: str, report: Report
) -> Mapping[str, list[dict[str, Any]]]:
    """Measures each seed's net; rows for lyapunov.csv, singular_values.csv and timings.csv.

    Raises:
        ValueError: singular values are wanted in a process without float64.
    """
    common = _columns(case, environment, suite)
    check(case, environment)
    exponent_rows, value_rows, timing_rows = [], [], []
    for done, seed in enumerate(case.seeds):
        report(f"seed {seed}", done / len(case.seeds))
        step, state, xs = _net(case, seed, environment)
        length = case["sequence_length"]
        compute = partial(
            rj.lyapunov_spectrum,
            step,
            state,
            xs,
            length=length if xs is None else None,
            count=case["exponents"],
            qr_interval=case["qr_interval"],
            transient=case["transient"],
            factorization=case["factorization"],
        )
        spectrum, first = timed_once(compute)
        samples = [first, *(timed_once(compute)[1] for _ in range(1, case["rounds"]))][: case["rounds"]]
        timing_rows += [
            _timing_columns(case, common, spectrum) | {"seed": seed, "round": number} | sample
            for number, sample in enumerate(samples)
        ]
        facts = {
            "steps": spectrum.steps,
            "qr_interval_steps": int(spectrum.qr_interval),
            "logdet_residual_nats_per_step": float(spectrum.logdet_residual),
        }
        exponent_rows += [
            common
            | {
                "seed": seed,
                "index": index,
                "exponent_nats_per_step": exponent,
                "stderr_nats_per_step": error,
            }
            | facts
            for index, (exponent, error) in enumerate(
                zip(
                    np.asarray(spectrum.exponents, float).tolist(),
                    np.asarray(spectrum.standard_errors, float).tolist(),
                    strict=True,
                ),
                start=1,
            )
        ]
        if case["singular_value_lag"]:
            lag = case["singular_value_lag"]
            logs, errors = _log10_singular_values(step, state, xs, length, lag)
            value_rows += [
                common
                | {"seed": seed, "lag": lag, "index": index}
                | {"log10_singular_value": value, "log10_singular_value_error": error}
                for index, (value, error) in enumerate(zip(logs, errors, strict=True), start=1)
            ]
    return {LYAPUNOV.kind: exponent_rows, SINGULAR_VALUES.kind: value_rows, TIMINGS.kind: timing_rows}


def _timing_columns(case: Any, common: Mapping[str, Any], spectrum: rj.LyapunovSpectrum) -> dict[str, Any]:
    interval, size = int(spectrum.qr_interval), common["state_size"]
    return {name: value for name, value in common.items() if name != "state_scale"} | {
        "operation": "lyapunov_spectrum",
        "implementation": "rnn_jax",
        "implementation_version": rj.__version__,
        "method": f"{spectrum.factorization}_every_{interval}",
        "batch_size": 1,
        "seed_count": 1,
        "flop": spectrum_flop(
            state_size=size,
            visible_size=case["hidden_size"],
            count=spectrum.exponents.shape[-1],
            length=case["sequence_length"],
            qr_interval=interval,
        ),
    }


def _log10_singular_values(
    step: Any, state: Any, xs: Any, length: int, lag: int
) -> tuple[list[float], list[float]]:
    """Of dh_T/dh_(T-lag), each with its estimated error."""
    early = length - lag
    if early:
        before = None if xs is None else xs[:early]
        states = rj.trajectory(step, state, before, length=early if xs is None else None)
        state = jax.tree.map(lambda leaf: leaf[-1], states)
    late = None if xs is None else xs[early:]
    found = rj.log_singular_values(step, state, late, length=lag if xs is None else None)
    values, errors = (np.asarray(each, float) / np.log(10.0) for each in (found.values, found.errors))
    return values.tolist(), errors.tolist()


def _columns(case: Any, environment: Environment, suite: str) -> dict[str, Any]:
    facts = {
        "input_size": case["input_size"],
        "input_kind": "white_noise" if case["input_scale"] > 0 else "none",
        "input_scale": case["input_scale"],
        "sequence_length": case["sequence_length"],
        "state_scale": case["state_scale"],
    }
    if case["cell"] == GAUSSIAN:
        return setting_columns(case, environment, suite) | {"state_size": case["hidden_size"]} | facts
    return common_columns(case, environment, suite, **facts)


def _net(case: Any, seed: int, environment: Environment) -> tuple[Any, Any, Any]:
    """The step, its initial state and its inputs."""
    if case["cell"] == GAUSSIAN:
        size = case["hidden_size"]
        (noise,) = white_noise(case, seed, 1, environment)
        matrices = (case["gain"] * noise).reshape(-1, size, size)
        # At the state 0 the Jacobian is the matrix too, and the state never overflows.
        return _times_matrix, jnp.zeros(size, environment.dtype), matrices
    step = create_cell(case, case["input_size"], seed_key(seed, 0), environment)
    rest = step.initial_state()
    keys = iter(jax.random.split(seed_key(seed, 4), len(jax.tree.leaves(rest))))
    state = jax.tree.map(
        lambda leaf: (
            leaf
            + (case["state_scale"] * jax.random.normal(next(keys), leaf.shape, jnp.float32)).astype(
                leaf.dtype
            )
        ),
        rest,
    )
    xs = white_noise(case, seed, 1, environment)[0] if case["input_scale"] > 0 else None
    return step, state, xs


def _times_matrix(state: jax.Array, matrix: jax.Array) -> jax.Array:
    return matrix @ state
