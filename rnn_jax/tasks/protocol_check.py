"""Whether a task is what `Task` says, told before anything is compiled: what does not fit would broadcast, or fail deep inside."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.tasks.task import Batch, Task, evaluation_task
from rnn_jax.whole_numbers import is_whole

_WORDS = ("name", "variant", "length", "metric")
_SIZES = ("sequence_length", "input_size", "output_size", "target_steps")
_METHODS = ("sample", "loss", "accuracy", "is_solved", "baseline")


def check_task(task: Any) -> None:
    """Raises ValueError unless it has the numbers and methods of a `Task`."""
    if isinstance(task, type):
        raise ValueError(f"task must be a task such as {task.__name__}(100), got the class itself")
    if not callable(getattr(task, "sample", None)):
        raise ValueError(f"task must be a task such as rnn_jax.tasks.Adding(100), got {task!r}")
    for name in _METHODS:
        if not callable(getattr(task, name, None)):
            raise ValueError(
                f"task must have a method {name}, see rnn_jax.tasks.Task; {_kind(task)} has none"
            )
    for name in _WORDS:
        if not hasattr(task, name):
            raise ValueError(f"task must have {name}, see rnn_jax.tasks.Task; {_kind(task)} has none")
    for name in _SIZES:
        size: Any = getattr(task, name, None)
        if not is_whole(size) or size < 1:
            raise ValueError(
                f"task must have {name}, a positive whole number, see rnn_jax.tasks.Task; of {_kind(task)} it is {size!r}"
            )


def check_batches(task: Task, batch_size: int, dtype: Any) -> None:
    """Raises ValueError unless the examples, of training and held out, have the shapes that the task names."""
    examples = {"sample": task}
    held_out = evaluation_task(task)
    if held_out is not task:
        check_task(held_out)
        examples["evaluation_task().sample"] = held_out
    for name, each in examples.items():
        _check_batch(f"task.{name}", each, batch_size, dtype)


def _check_batch(name: str, task: Task, batch_size: int, dtype: Any) -> None:
    batch = jax.eval_shape(partial(task.sample, batch_size=batch_size, dtype=dtype), jax.random.key(0))
    if not all(hasattr(batch, part) for part in ("inputs", "targets", "mask")):
        raise ValueError(
            f"{name} must return a rnn_jax.tasks.Batch of inputs, targets and mask, got {_kind(batch)}"
        )
    steps = batch_size, task.target_steps
    numbers = jnp.issubdtype(batch.targets.dtype, jnp.floating)
    wanted = {
        "inputs": (batch_size, task.sequence_length, task.input_size),
        "targets": (*steps, task.output_size) if numbers else steps,
        "mask": steps,
    }
    for part, shape in wanted.items():
        found = getattr(batch, part)
        if found.shape != shape:
            raise ValueError(
                f"{name} must give {part} of shape {shape}, by the batch size and the task's sequence_length, "
                f"target_steps, input_size and output_size, got {found.shape}"
            )
    if not jnp.issubdtype(batch.inputs.dtype, jnp.floating):
        raise ValueError(
            f"{name} must give inputs of a floating dtype, got {batch.inputs.dtype}; draw classes one-hot"
        )
    _check_scores(task, batch, jax.ShapeDtypeStruct((*steps, task.output_size), dtype))


def _check_scores(task: Task, batch: Batch, outputs: Any) -> None:
    loss = jax.eval_shape(task.loss, outputs, batch)
    accuracy = jax.eval_shape(task.accuracy, outputs, batch)
    solved = jax.eval_shape(task.is_solved, loss, accuracy)
    for name, found in {"loss": loss, "accuracy": accuracy, "is_solved": solved}.items():
        if getattr(found, "shape", None) != ():
            raise ValueError(f"task.{name} must give one number for a batch, got {found}")
        if name != "is_solved" and not jnp.issubdtype(found.dtype, jnp.floating):
            raise ValueError(f"task.{name} must give a real floating number, got {found.dtype}")


def _kind(thing: Any) -> str:
    return type(thing).__name__
