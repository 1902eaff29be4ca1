"""Whether a task is what `Task` says, told before anything is compiled: what does not fit would broadcast, or fail deep inside."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.dtypes import is_real_number
from rnn_jax.messages import NEEDS_A_VALUE, first_line, why_it_takes_not
from rnn_jax.tasks.task import Batch, Task, evaluation_task
from rnn_jax.whole_numbers import is_whole

_WORDS = ("name", "variant", "metric")
_SIZES = ("length", "sequence_length", "input_size", "output_size", "target_steps")
_METHODS = ("sample", "loss", "accuracy", "is_solved", "baseline")
_SEE = "see rnn_jax.tasks.Task"


def check_task(task: Any, called: str = "task") -> None:
    """Raises ValueError unless it has the words, numbers and methods of a `Task`."""
    if isinstance(task, type):
        raise ValueError(f"{called} must be a task such as {task.__name__}(100), got the class itself")
    if not hasattr(task, "sample"):
        raise ValueError(f"{called} must be a task such as rnn_jax.tasks.Adding(100), got {task!r}")
    for name in _METHODS:
        if not callable(getattr(task, name, None)):
            raise ValueError(f"{called} must have a method {name}, {_SEE}; {_kind(task)} has none")
    for name in _WORDS:
        if not isinstance(getattr(task, name, None), str):
            raise ValueError(f"{called} must have {name}, a string, {_SEE}; {_kind(task)} has none")
    for name in _SIZES:
        size: Any = getattr(task, name, None)
        if not is_whole(size) or size < 1:
            raise ValueError(
                f"{called} must have {name}, a positive whole number, {_SEE}; of {_kind(task)} it is {size!r}"
            )
    if task.target_steps > task.sequence_length:
        raise ValueError(
            f"{called} must have target_steps of at most its sequence_length, {task.sequence_length}, "
            f"got {task.target_steps}"
        )
    if not _stays_as_it_is(task):
        raise ValueError(
            f"{called} must be a frozen dataclass, @dataclass(frozen=True), {_SEE}: of {_kind(task)} a program that "
            "was compiled before would go on with what it was before it was changed"
        )


def _stays_as_it_is(task: Any) -> bool:
    """Whether it is frozen, told from others by what it holds, or holds nothing."""
    frozen = getattr(getattr(type(task), "__dataclass_params__", None), "frozen", False)
    return (
        frozen or type(task).__hash__ not in (None, object.__hash__) or getattr(task, "__dict__", None) == {}
    )


def check_batches(task: Task, batch_size: int, held_out_examples: int, dtype: Any) -> None:
    """Raises ValueError unless the examples, of training and held out, have the shapes and dtypes that are due."""
    dtype = jnp.dtype(dtype)
    called, held_out = "task", task
    if hasattr(task, "evaluation_task"):
        if not callable(task.evaluation_task):  # pyright: ignore[reportAttributeAccessIssue]
            raise ValueError("task.evaluation_task must be a method that gives a task, got an attribute")
        called, held_out = "task.evaluation_task()", evaluation_task(task)
        check_task(held_out, called)
        _check_same_net(task, held_out, called)
    kinds = [
        _check_batch(name, each, count, dtype)
        for name, each, count in (("task", task, batch_size), (called, held_out, held_out_examples))
    ]
    if kinds[0] != kinds[1]:
        raise ValueError(f"{called} must give targets that are {kinds[0]}, as the task's are, got {kinds[1]}")


def checked_baseline(task: Task, key: Any) -> float:
    """The baseline's loss; raises ValueError where it is no positive number."""
    if error := why_it_takes_not(task.baseline, key):
        raise ValueError(f"task.baseline must take (key), {_SEE}: {error}") from error
    found: Any = task.baseline(key)
    if not is_real_number(found):
        raise ValueError(f"task.baseline(key) must give one number, a loss, got {found!r}")
    baseline = float(found)
    if not 0 < baseline < float("inf"):
        raise ValueError(
            f"task.baseline(key) must give a positive loss, got {baseline}: verdicts hold the final loss against 0.9 "
            "and 10 times it. Add a constant to the loss and to the baseline"
        )
    return baseline


def _check_same_net(task: Task, held_out: Task, called: str) -> None:
    """Longer sequences and other examples are what held-out tasks are for."""
    for name in ("input_size", "output_size"):
        wanted, found = getattr(task, name), getattr(held_out, name)
        if wanted != found:
            raise ValueError(
                f"{called} must have the task's own {name}, {wanted}, as one net is scored, got {found}"
            )


def _check_batch(called: str, task: Task, batch_size: int, dtype: Any) -> str:
    """What kind its targets are, "numbers" or "classes"."""
    name = f"{called}.sample"
    if error := why_it_takes_not(task.sample, None, batch_size, dtype):
        raise ValueError(f"{name} must take (key, batch_size, dtype), {_SEE}: {error}") from error
    batch = _shape_of(
        f"{name} for {batch_size} examples",
        lambda key: task.sample(key, batch_size, dtype),
        jax.random.key(0),
    )
    if not all(hasattr(batch, part) for part in ("inputs", "targets", "mask")):
        raise ValueError(
            f"{name} must return a rnn_jax.tasks.Batch of inputs, targets and mask, got {_kind(batch)}"
        )
    for part in ("inputs", "targets", "mask"):
        if not hasattr(getattr(batch, part), "dtype"):
            raise ValueError(f"{name} must give {part} as one array, got {_kind(getattr(batch, part))}")
    steps = batch_size, task.target_steps
    are_numbers = jnp.issubdtype(batch.targets.dtype, jnp.floating)
    wanted = {
        "inputs": (batch_size, task.sequence_length, task.input_size),
        "targets": (*steps, task.output_size) if are_numbers else steps,
        "mask": steps,
    }
    for part, shape in wanted.items():
        found = getattr(batch, part)
        if found.shape != shape:
            also = f" (numbers; classes are whole numbers, of shape {steps})" if are_numbers else " (classes)"
            raise ValueError(
                f"{name} must give {part} of shape {shape}{also if part == 'targets' else ''}, by the batch size and "
                f"the task's sequence_length, target_steps, input_size and output_size, got {found.shape}"
            )
    if batch.inputs.dtype != dtype:
        raise ValueError(
            f"{name} must give inputs of the dtype that it is asked for, {dtype}, got {batch.inputs.dtype}"
        )
    if not are_numbers and not jnp.issubdtype(batch.targets.dtype, jnp.integer):
        raise ValueError(f"{name} must give targets that are numbers or classes, got {batch.targets.dtype}")
    if batch.mask.dtype != bool:
        raise ValueError(f"{name} must give a mask of bool, got {batch.mask.dtype}")
    _check_scores(called, task, batch, jax.ShapeDtypeStruct((*steps, task.output_size), dtype))
    return "numbers" if are_numbers else "classes"


def _check_scores(called: str, task: Task, batch: Batch, outputs: Any) -> None:
    given = f"outputs of shape {outputs.shape} and targets of shape {batch.targets.shape}"
    scores = [
        _shape_of(f"{called}.{name} of {given}", getattr(task, name), outputs, batch)
        for name in ("loss", "accuracy")
    ]
    for name, found in zip(("loss", "accuracy"), scores, strict=True):
        if getattr(found, "shape", None) != ():
            raise ValueError(f"{called}.{name} must give one number for a batch, got {found}")
        if not jnp.issubdtype(found.dtype, jnp.floating):
            raise ValueError(f"{called}.{name} must give a real floating number, got {found.dtype}")
    solved = _shape_of(f"{called}.is_solved", task.is_solved, *scores)
    if getattr(solved, "shape", None) != ():
        raise ValueError(f"{called}.is_solved must give one truth value, got {solved}")
    if solved.dtype != bool:
        raise ValueError(
            f"{called}.is_solved must give a truth value, such as accuracy >= 0.99, got one number of {solved.dtype}"
        )


def _shape_of(called: str, method: Callable, *arguments: Any) -> Any:
    """What a method gives, by shapes alone; raises ValueError where it fails."""
    try:
        return jax.eval_shape(method, *arguments)
    except NEEDS_A_VALUE as error:
        raise ValueError(
            f"{called} asks for a number before there is one, as it is compiled: write jnp.where for if, jax.numpy for "
            f"NumPy, and leave out float() and bool(): {first_line(error)}"
        ) from error
    except Exception as error:
        raise ValueError(f"{called} fails: {type(error).__name__}: {first_line(error)}") from error


def _kind(thing: Any) -> str:
    return type(thing).__name__
