"""Scores a real task's held-out examples, each once: rows for held_out_scores.csv."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.tasks.task import RealTask, Task, evaluation_task
from rnn_jax.training.model import Model


def data_columns(task: Any) -> dict[str, Any]:
    """What tells the data of a real task."""
    return {
        "task": task.name,
        "variant": task.variant,
        "task_length": task.length,
        "data_source": task.data_source,
    }


def net_rows(task: Task, model: Model) -> list[dict[str, Any]]:
    """Scores of one trained net; none where the task is not of real data.

    Raises:
        ModuleNotFoundError: the package that ships the data is not installed.
    """
    if not isinstance(task, RealTask):
        return []
    held_out: Any = evaluation_task(task)
    batch = held_out.examples(model.bias.dtype)
    outputs = jax.jit(lambda model, inputs: model.outputs(inputs, task.target_steps))(model, batch.inputs)
    return list(_rows(task, {"net": outputs}))


def plain_rows(task: Task) -> list[dict[str, Any]]:
    """Scores of the plain predictors that the task knows.

    Raises:
        ModuleNotFoundError: the package that ships the data is not installed.
    """
    held_out: Any = evaluation_task(task)
    return list(_rows(task, held_out.plain_outputs()))


def _rows(task: Any, outputs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    held_out: Any = evaluation_task(task)
    batch = held_out.examples(jnp.float32)
    counts = {
        "training_examples": len(task.examples(jnp.float32).targets),
        "held_out_examples": len(batch.targets),
    }
    for predictor, each in outputs.items():
        for quantity, horizon, score in held_out.scores(each, batch):
            yield (
                data_columns(task)
                | {"predictor": predictor, "quantity": quantity, "horizon_steps": horizon, "score": score}
                | {"unit": task.forecast.series.unit if horizon is not None else ""}
                | counts
            )
