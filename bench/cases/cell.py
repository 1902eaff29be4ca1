"""What the kinds of case share: the cell that a case names, and the columns common to all rows."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

import rnn_jax as rj
from bench.cases.parameter import Parameter
from bench.machine import BASE_SEED, Environment
from bench.schema import SCHEMA_VERSION
from rnn_jax.coordinates import real_size

CELL_PARAMETERS = (
    Parameter("cell", str, "the recurrent cell", required=True, choices=tuple(rj.cells.CELLS)),
    Parameter("initialization", str, "of the recurrent matrix", choices=rj.cells.INITIALIZATIONS),
    Parameter("gain", float, "scale of the recurrent matrix", 1.0, low=0.0, high=1e6),
    Parameter("forget_bias", float, "initial bias of the forget gate", low=-100.0, high=100.0),
    Parameter("dt", float, "step in time of a cell that has one", low=1e-6, high=10.0, later=True),
    Parameter("hidden_size", int, "units", 64, low=1, high=65_536),
)

DEEP_PARAMETERS = (
    Parameter("layers", int, "cells on top of one another", 1, low=1, high=64, later=True),
    Parameter(
        "input_deviation",
        float,
        "standard deviation of the input weights; the cell's own if left out",
        low=0.0,
        high=1e6,
        later=True,
    ),
)
"""Of kinds that give no share of a ceiling: formulas count the products of one layer."""

NOISE_PARAMETERS = (
    *CELL_PARAMETERS,
    Parameter("input_size", int, "numbers in one input", 1, low=1, high=65_536),
    Parameter("input_scale", float, "standard deviation of the input", 1.0, low=0.0, high=1e6),
)

Report = Callable[[str, float], None]
"""Called with what is being done and the fraction of the case that is finished."""


def resolved_cell(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Fills in the cell's own initialisation and forget bias; leaves the step in time out where it is the cell's own.

    Raises:
        ValueError: the cell fixes another initialisation, has no forget gate, no step in time or no such input
            weights, or does not take the gain.
    """
    family = rj.cells.CELLS[parameters["cell"]]
    chosen = dict(parameters)
    if chosen["initialization"] is None:
        chosen["initialization"] = family.initialization
    fixed = family.fixed.get("initialization", chosen["initialization"])
    if chosen["initialization"] != fixed:
        raise ValueError(
            f"cell {chosen['cell']} fixes initialization {fixed!r}, got {chosen['initialization']!r}"
        )
    if not family.has_forget_bias and chosen["forget_bias"] is not None:
        raise ValueError(f"cell {chosen['cell']} has no forget gate, so forget_bias does not apply to it")
    if family.has_forget_bias and chosen["forget_bias"] is None:
        chosen["forget_bias"] = 1.0
    if family.dt is None and chosen["dt"] is not None:
        raise ValueError(f"cell {chosen['cell']} has no step in time, so dt does not apply to it")
    if "input_deviation" not in family.options and chosen.get("input_deviation") is not None:
        raise ValueError(
            f"cell {chosen['cell']} draws its input weights as published, so input_deviation does not apply to it"
        )
    if chosen["dt"] == family.dt:
        chosen["dt"] = None
    least, most = family.gains
    if not least <= chosen["gain"] <= most:
        span = f"gain {least:g} alone" if least == most else f"gains from {least:g} to {most:g}"
        raise ValueError(f"cell {chosen['cell']} takes {span}, got {chosen['gain']:g}")
    return chosen


def create_cell(case: Any, input_size: int, key: jax.Array, environment: Environment) -> Any:
    """Draws the case's cell."""
    options = {"initialization": case["initialization"], "gain": case["gain"], "dtype": environment.dtype}
    more = ("forget_bias", "dt", "layers", "input_deviation")
    options |= {name: case.get(name) for name in more if case.get(name) is not None}
    return rj.cells.create(case["cell"], input_size, case["hidden_size"], key=key, **options)


def bare_columns(case: Any, environment: Environment, suite: str) -> dict[str, Any]:
    """The columns that identify the case and what it runs on, without those of a cell."""
    return {
        "schema_version": SCHEMA_VERSION,
        "case_id": case.case_id(environment),
        "match_id": case.match_id(),
        "suite": suite,
        **environment.columns(),
    }


def setting_columns(case: Any, environment: Environment, suite: str) -> dict[str, Any]:
    """The columns that the case and what it runs on give, without making its cell, if it has one."""
    if "cell" not in case.parameters:
        return bare_columns(case, environment, suite)
    return bare_columns(case, environment, suite) | {
        "cell": case["cell"],
        "layers": case.get("layers", 1),
        "initialization": case["initialization"],
        "gain": case["gain"],
        "forget_bias": case["forget_bias"],
        "dt": case["dt"],
        "input_deviation": case.get("input_deviation"),
        "hidden_size": case["hidden_size"],
    }


def common_columns(case: Any, environment: Environment, suite: str, **facts: Any) -> dict[str, Any]:
    """The columns that begin every row, but for the seed."""
    cell = jax.eval_shape(lambda key: create_cell(case, 1, key, environment), jax.random.key(0))
    state_size = real_size(jax.eval_shape(lambda cell: cell.initial_state(), cell))
    return setting_columns(case, environment, suite) | {"state_size": state_size} | facts


def noise_columns(case: Any, environment: Environment, suite: str) -> dict[str, Any]:
    """The common columns of a case whose input is white noise."""
    return common_columns(
        case,
        environment,
        suite,
        input_size=case["input_size"],
        input_kind="white_noise",
        input_scale=case["input_scale"],
        sequence_length=case["sequence_length"],
    )


def task_columns(case: Any, environment: Environment, suite: str, task: Any, **facts: Any) -> dict[str, Any]:
    """The common columns of a case whose input is that of a task."""
    return common_columns(
        case,
        environment,
        suite,
        input_size=task.input_size,
        input_kind=task.name,
        input_scale=1.0,
        sequence_length=task.sequence_length,
        **facts,
    )


def seed_key(seed: int | jax.Array, purpose: int) -> jax.Array:
    """The random key of one seed for one purpose (0 weights, 1 inputs, 2 loss, 3 training, 4 state)."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(BASE_SEED), seed), purpose)


def white_noise(case: Any, seed: int, count: int, environment: Environment) -> jax.Array:
    """Standard normal inputs times the case's scale, shape (count, time, input_size)."""
    shape = (count, case["sequence_length"], case["input_size"])
    noise = jax.random.normal(seed_key(seed, 1), shape, jnp.float32)
    return (case["input_scale"] * noise).astype(environment.dtype)
