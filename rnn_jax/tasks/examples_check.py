"""Whether the examples of somebody's own task are drawn from the key, and are numbers and classes."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from rnn_jax.tasks.task import Batch, Classification, Task

_OURS = __name__.partition(".")[0]
_MOST_BATCHES = 100


def check_examples(task: Task, batch_size: int, count: int, dtype: Any, called: str = "task") -> None:
    """Looks at examples of a task of somebody's own; those of this package are held to it by tests.

    Args:
        task: its shapes have been checked.
        batch_size: how many it is asked for at once.
        count: at about how many to look, in a hundred batches at most: what one in many has wrong would else be told
            as a training that diverged.
        dtype: of the inputs.
        called: the task's name in messages.

    Raises:
        ValueError: two programs draw different examples from one key, an input or a target that counts is not finite, or a class that
            counts in `Classification`'s loss is none of 0..output_size - 1, or no target counts in its accuracy.
    """
    if type(task).__module__.partition(".")[0] == _OURS:
        return
    draw, draw_again = (_compiled(task, batch_size, dtype) for _ in range(2))
    keys = jax.random.split(jax.random.key(0), min(-(-count // batch_size), _MOST_BATCHES))
    first, again = draw(keys[0]), draw_again(keys[0])
    for part in ("inputs", "targets", "mask"):
        if not np.array_equal(getattr(first, part), getattr(again, part), equal_nan=part != "mask"):
            raise ValueError(
                f"{called}.sample must draw its {part} from its key alone, with jax.random: two programs gave different ones "
                "for one key. It is compiled once, so what NumPy draws in it would be the same at every step"
            )
    counted = 0
    for key in keys:
        batch = jax.tree.map(np.asarray, draw(key))
        counted += batch.mask.sum()
        for part, values in {
            "inputs": batch.inputs,
            "targets where mask is True": batch.targets[batch.mask],
        }.items():
            if not np.isfinite(values).all():
                raise ValueError(f"{called}.sample must give finite {part}, got some that are not")
        _check_classes(task, batch, called)
    if not counted and _is_that_of_classes(task, "accuracy"):
        raise ValueError(
            f"{called}.sample must give a mask that is True where a target counts, it is False everywhere"
        )


def _compiled(task: Task, batch_size: int, dtype: Any) -> Callable[[Array], Batch]:
    return jax.jit(lambda key: task.sample(key, batch_size, dtype))


def _is_that_of_classes(task: Task, method: str) -> bool:
    return getattr(type(task), method, None) is getattr(Classification, method)


def _check_classes(task: Any, batch: Batch, called: str) -> None:
    """Of a loss of one's own classes may mean what they like."""
    if not _is_that_of_classes(task, "loss"):
        return
    targets: Any = batch.targets
    counted = batch.mask if task.masked_loss else np.ones(targets.shape, bool)
    outside = targets[counted & ((targets < 0) | (targets >= task.output_size))]
    if outside.size:
        raise ValueError(
            f"{called}.sample must give classes in 0..{task.output_size - 1}, below output_size, got {outside[0]}; "
            "steps that do not count have mask False, and masked_loss = True"
        )
