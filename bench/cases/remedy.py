"""A case's remedy, and whether it suits the case, told before anything runs."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import jax

import rnn_jax as rj
from bench.cases.cell import create_cell
from bench.machine import Environment
from bench.statistics.grouping import NET

_ANYWHERE = Environment("", "cpu", "", "", "float32")


def remedy_of(parameters: Mapping[str, Any]) -> rj.remedies.Remedy:
    """The remedy that a case names.

    Raises:
        ValueError: there is none of that name, or it does not allow the strength.
    """
    name, strength = parameters["remedy"], parameters["remedy_strength"]
    try:
        return rj.remedies.create(name, strength)
    except ValueError as error:
        if strength is None:
            raise
        raise ValueError(f"remedy_strength {strength:g} does not suit {name}: {error}") from error


def check_fit(parameters: Mapping[str, Any]) -> None:
    """Raises ValueError where a case's remedy changes its cell in a way that this cell does not allow."""
    if remedy_of(parameters).adapt_cell is not None:
        _check(
            parameters["remedy"],
            parameters["remedy_strength"],
            *(parameters.get(name) for name in NET),
        )


@cache
def _check(remedy: str, strength: float | None, *of_the_cell: Any) -> None:
    adapt = rj.remedies.create(remedy, strength).adapt_cell
    assert adapt is not None
    case = dict(zip(NET, of_the_cell, strict=True))
    try:
        jax.eval_shape(lambda key: adapt(create_cell(case, 1, key, _ANYWHERE), key), jax.random.key(0))
    except ValueError as error:
        raise ValueError(f"remedy {remedy} does not fit cell {case['cell']}: {error}") from error
