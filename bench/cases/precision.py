"""What cheaper arithmetic costs: a chain in each, beside float64 on the CPU, at the same states."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import rnn_jax as rj
from bench.cases.ceilings import SINGLE_PRECISIONS
from bench.cases.cell import (
    NOISE_PARAMETERS,
    Report,
    create_cell,
    noise_columns,
    resolved_cell,
    seed_key,
    white_noise,
)
from bench.cases.parameter import Parameter
from bench.errors import is_unsupported
from bench.machine import Environment
from bench.schema import PRECISION
from rnn_jax.jacobian.chain import METHODS
from rnn_jax.jacobian.steps import step_jacobian
from rnn_jax.lags import geometric_lags

VERSION = 1
PARAMETERS = (
    *NOISE_PARAMETERS,
    Parameter("sequence_length", int, "number of steps", 1000, low=1, high=1_000_000),
    Parameter("lags", int, "at how many geometrically spaced lags", 5, low=2, high=50),
    Parameter("method", str, "how the chain is formed", "auto", choices=METHODS),
)
ARITHMETICS = (*(("float32", each) for each in SINGLE_PRECISIONS), ("float64", "highest"))
"""Dtype of weights, states and products, and what JAX is told of the products."""
_CHUNK_BYTES = 2**27
resolved = resolved_cell


@dataclass(frozen=True)
class Truth:
    """dh_T/dh_(T-lag) at each lag: its log Frobenius norm, and the matrix over its norm."""

    log_norms: np.ndarray
    products: np.ndarray


def check(case: Any, environment: Environment) -> None:
    """Raises ValueError where the case cannot be measured in the environment's dtype."""
    if environment.dtype != "float64":
        raise ValueError('the reference needs float64: give the case dtype = "float64"')


def run(
    case: Any, environment: Environment, suite: str, report: Report
) -> Mapping[str, list[dict[str, Any]]]:
    """Compares each arithmetic with the reference; rows for precision.csv.

    Raises:
        ValueError: the process has no float64, or JAX has no CPU device here.
    """
    check(case, environment)
    cpu = cpu_device()
    lags = geometric_lags(case["sequence_length"], case["lags"])[1:]
    common = noise_columns(case, environment, suite)
    rows = []
    for done, seed in enumerate(case.seeds):
        report(f"seed {seed}: reference", done / len(case.seeds))
        cell = create_cell(case, case["input_size"], seed_key(seed, 0), environment)
        (xs,) = white_noise(case, seed, 1, environment)
        on_cpu, xs_on_cpu = jax.device_put((cell, xs), cpu)
        with jax.default_device(cpu):
            own = jax.tree.map(np.asarray, rj.trajectory(on_cpu, on_cpu.initial_state(), xs_on_cpu))
            # Numbers that float32 holds too, so that every arithmetic starts from the same.
            stored = jax.tree.map(lambda leaf: leaf.astype(np.float32).astype(np.float64), own)
            truths = {
                name: truth(on_cpu, xs_on_cpu, states, lags)
                for name, states in (("own", own), ("stored", stored))
            }
        unlike: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for dtype, precision in ARITHMETICS:
            report(f"seed {seed}: {dtype} {precision}", done / len(case.seeds))
            columns = common | {
                "dtype": dtype,
                "matmul_precision": precision,
                "seed": seed,
                "states": "stored",
            }
            true_log_norms = truths["stored"].log_norms
            try:
                log_norms, products, method = at_states(
                    case, cell, xs, stored, true_log_norms, lags, dtype, precision
                )
            except (jax.errors.JaxRuntimeError, ValueError) as error:
                if not is_unsupported(error):
                    raise
                rows += [columns | {"lag": int(lag), "changes_result": False} for lag in lags]
                continue
            plain = unlike.setdefault(dtype, (log_norms, products))  # the first of a dtype is at highest
            changes = precision == "highest" or not (
                np.array_equal(log_norms, plain[0]) and np.array_equal(products, plain[1])
            )
            distances = np.linalg.norm(products - truths["stored"].products, axis=(1, 2))
            rows += [
                columns
                | {"method": method, "lag": int(lag), "changes_result": changes}
                | {"log_norm_error_nats": float(error), "relative_product_error": float(distance)}
                for lag, error, distance in zip(lags, log_norms - true_log_norms, distances, strict=True)
            ]
        report(f"seed {seed}: at its own states", done / len(case.seeds))
        chain = rj.jacobian_chain(cell, cell.initial_state(), xs, lags, method=case["method"])
        errors = np.asarray(chain.log_frobenius_norm) - truths["own"].log_norms
        columns = common | {"dtype": "float64", "matmul_precision": "highest", "seed": seed}
        columns |= {"method": chain.method, "states": "own", "changes_result": True}
        rows += [
            columns | {"lag": int(lag), "log_norm_error_nats": float(error)}
            for lag, error in zip(lags, errors, strict=True)
        ]
    return {PRECISION.kind: rows}


def at_states(
    case: Any,
    cell: Any,
    xs: Any,
    states: Any,
    true_log_norms: np.ndarray,
    lags: np.ndarray,
    dtype: str,
    precision: str,
) -> tuple[np.ndarray, np.ndarray, str]:
    """The chain in one arithmetic: log norms, products over their true norms, and the method's name."""
    cell, xs, states = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (cell, xs, states))
    state = jax.tree.map(lambda leaf: leaf[0], states)
    chain = rj.jacobian_chain(
        cell, state, xs, lags, method=case["method"], states=states, precision=precision
    )
    products = []
    for lag, true_log_norm in zip(lags, true_log_norms, strict=True):
        product = chain.product(int(lag))
        log_scale = np.asarray(product.exponent, np.float64) * np.log(2.0) - true_log_norm
        products.append(np.asarray(product.mantissa, np.float64) * np.exp(log_scale)[:, None])
    return chain.frobenius_norm.log_float64(), np.stack(products), chain.method


def truth(cell: Any, xs: Any, states: Any, lags: np.ndarray) -> Truth:
    """The chain by the definition: `jax.jacrev` of every step, multiplied one by one by NumPy in float64.

    Args:
        cell: in float64, on the CPU.
        xs: inputs x_1..x_T.
        states: h_0..h_T stacked; J_t is taken at (h_(t-1), x_t).
        lags: ascending, from 1.
    """
    jacobians = jax.jit(jax.vmap(lambda cell, state, x: step_jacobian(cell, state, x), (None, 0, 0)))
    length = len(xs)
    size = jax.tree.leaves(jax.eval_shape(jacobians, cell, _slice(states, 0, 1), xs[:1]))[0].shape[-1]
    chunk = max(1, _CHUNK_BYTES // (8 * size**2))
    product, log_norm = np.eye(size) / np.sqrt(size), 0.5 * np.log(size)
    wanted, log_norms, products = set(lags.tolist()), [], []
    for end in range(length, 0, -chunk):
        begin = max(0, end - chunk)
        factors = np.asarray(jacobians(cell, _slice(states, begin, end), xs[begin:end]))
        for time in range(end, begin, -1):
            product = product @ factors[time - 1 - begin]
            norm = np.linalg.norm(product)
            product, log_norm = product / norm, log_norm + np.log(norm)
            if length - time + 1 in wanted:
                log_norms.append(log_norm)
                products.append(product)
    return Truth(np.array(log_norms), np.array(products))


def cpu_device() -> Any:
    """The CPU beside the accelerator.

    Raises:
        ValueError: JAX was told to leave it out.
    """
    try:
        return jax.devices("cpu")[0]
    except RuntimeError as error:
        raise ValueError(
            "JAX has no CPU device beside the accelerator: leave JAX_PLATFORMS unset, or set it to cuda,cpu"
        ) from error


def _slice(states: Any, begin: int, end: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[begin:end], states)
