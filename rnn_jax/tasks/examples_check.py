"""Whether the examples of somebody's own task are drawn from the key, and are numbers and classes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.tasks.task import Batch, Classification, Task

_OURS = __name__.partition(".")[0]


def check_examples(task: Task, count: int, dtype: Any, called: str = "task") -> None:
    """Looks at a batch of a task of somebody's own; those of this package are held to it by tests.

    Args:
        task: its shapes have been checked.
        count: at how many examples to look: what one in a hundred has wrong would else be told as a diverged training.
        dtype: of the inputs.
        called: the task's name in messages.

    Raises:
        ValueError: two programs draw different examples from one key, an input or a target that counts is not finite, or a class that
            counts in `Classification`'s loss is none of 0..output_size - 1.
    """
    if type(task).__module__.partition(".")[0] == _OURS:
        return
    first, again = (_drawn(task, count, dtype) for _ in range(2))
    for part in ("inputs", "targets", "mask"):
        if not np.array_equal(getattr(first, part), getattr(again, part), equal_nan=part != "mask"):
            raise ValueError(
                f"{called}.sample must draw its {part} from its key alone, with jax.random: two programs gave different ones "
                "for one key. It is compiled once, so what NumPy draws in it would be the same at every step"
            )
    for part, values in {
        "inputs": first.inputs,
        "targets where mask is True": first.targets[first.mask],
    }.items():
        if not jnp.isfinite(values).all():
            raise ValueError(f"{called}.sample must give finite {part}, got some that are not")
    _check_classes(task, first, called)


def _drawn(task: Task, count: int, dtype: Any) -> Batch:
    return jax.jit(lambda key: task.sample(key, count, dtype))(jax.random.key(0))


def _check_classes(task: Any, batch: Batch, called: str) -> None:
    """Of a loss of one's own classes may mean what they like."""
    if getattr(type(task), "loss", None) is not Classification.loss:
        return
    targets = np.asarray(batch.targets)
    counted = np.asarray(batch.mask) if task.masked_loss else np.ones(targets.shape, bool)
    outside = targets[counted & ((targets < 0) | (targets >= task.output_size))]
    if outside.size:
        raise ValueError(
            f"{called}.sample must give classes in 0..{task.output_size - 1}, below output_size, got {outside[0]}; "
            "steps that do not count have mask False, and masked_loss = True"
        )
