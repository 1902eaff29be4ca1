"""The task that a case names: the keys a suite may set, and the task they give."""

from collections.abc import Mapping
from typing import Any

import rnn_jax as rj
from bench.cases.parameter import Parameter

TASK_PARAMETERS = (
    Parameter("task", str, "the task", required=True, choices=tuple(rj.tasks.TASKS)),
    Parameter("variant", str, "which of its definitions; the first one if missing"),
    Parameter("task_length", int, "the task's length", required=True, low=1, high=100_000),
)


def with_variant(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Fills in the task's first variant.

    Raises:
        ValueError: the task knows no such variant or length.
    """
    chosen = dict(parameters)
    if chosen["variant"] is None:
        chosen["variant"] = rj.tasks.TASKS[chosen["task"]].variant
    task_of(chosen)
    return chosen


def task_of(parameters: Mapping[str, Any]) -> Any:
    """The task itself, whose variant is filled in."""
    return rj.tasks.TASKS[parameters["task"]](parameters["task_length"], parameters["variant"])
