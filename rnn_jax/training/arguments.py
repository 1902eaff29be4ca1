"""What `train` demands of its arguments, told before anything is compiled."""

from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from rnn_jax.jacobian.declared import check_declaration, declares_its_own
from rnn_jax.keys import checked_key
from rnn_jax.messages import NEEDS_A_VALUE, first_line, why_it_takes_not
from rnn_jax.remedies.remedy import Remedy
from rnn_jax.step import require_same_state
from rnn_jax.tasks.protocol_check import check_task
from rnn_jax.tasks.task import Task
from rnn_jax.whole_numbers import checked_whole, is_whole

MOST_SEED = 2**32 - 1
"""`jax.random.fold_in` takes 32 bits; a larger number would be another seed's."""


def check_task_and_cell(task: Any, create: Any, key: Any) -> None:
    """Raises ValueError unless these are a task, a function that makes cells, and a random key."""
    check_task(task)
    if not callable(create) or hasattr(create, "initial_state"):
        raise ValueError(
            "create must be a function of a random key that makes a cell, such as lambda key: "
            f"GRU.create(2, 64, key=key), got {type(create).__name__}"
        )
    checked_key(key)


def checked_counts(**counts: Any) -> tuple[int, ...]:
    """The counts as Python's integers; raises ValueError unless each is a whole number of at least 1."""
    return tuple(checked_whole(name, value) for name, value in counts.items())


def check_progress(on_progress: Any) -> None:
    """Raises ValueError unless it can be called, or is None."""
    if on_progress is None:
        return
    if not callable(on_progress):
        raise ValueError(f"on_progress must be a function of the steps and the losses, got {on_progress!r}")
    if error := why_it_takes_not(on_progress, 0, np.zeros(1)):
        raise ValueError(f"on_progress must take two arguments, the steps and the losses: {error}") from error


def check_recipe(remedy: Any, has_strengths: bool, optimizer: Any, has_learning_rates: bool) -> None:
    """Raises ValueError unless remedy and optimiser are made, or are to be made of each seed's own number."""
    if not has_strengths and remedy is not None and not isinstance(remedy, Remedy):
        raise ValueError(
            f"remedy must be made by rnn_jax.remedies, such as clip_by_norm(1.0), got {remedy!r}"
        )
    if has_strengths and (isinstance(remedy, Remedy) or not callable(remedy)):
        raise ValueError(
            "remedy must be a function that makes one from its strength, such as clip_by_norm, where "
            f"strengths are given, got {remedy!r}"
        )
    if not has_learning_rates and optimizer is not None and not hasattr(optimizer, "update"):
        raise ValueError(
            f"optimizer must be an optax optimiser such as optax.adam(2e-3), got {optimizer!r}; what makes one from a "
            "learning rate comes with learning_rates="
        )
    if has_learning_rates and (hasattr(optimizer, "update") or not callable(optimizer or optax.adam)):
        raise ValueError(
            "optimizer must be a function that makes one from its learning rate, such as optax.adam, where "
            f"learning_rates are given, got {optimizer!r}"
        )


def sorted_snapshot_steps(steps: Any, step_budget: int) -> tuple[int, ...]:
    """The steps in order, each once.

    Raises:
        ValueError: they are not several, one is no whole number, or lies outside 1..step_budget.
    """
    if not isinstance(steps, Iterable):
        raise ValueError(f"snapshot_steps must be several whole numbers, such as [{steps!r}], got {steps!r}")
    for step in steps:
        if not is_whole(step) or not 1 <= step <= step_budget:
            raise ValueError(f"snapshot_steps must be whole numbers in 1..{step_budget}, got {step!r}")
    return tuple(sorted({int(step) for step in steps}))


def checkpoint_path(checkpoint: Any, every_s: Any) -> Path | None:
    """The file of the checkpoint, if any.

    Raises:
        ValueError: it is no path or a folder, or the interval is no number from 0 on.
    """
    if isinstance(every_s, bool) or not isinstance(every_s, int | float) or not 0 <= every_s < np.inf:
        raise ValueError(f"checkpoint_every_s must be a number of seconds from 0 on, got {every_s!r}")
    if checkpoint is None:
        return None
    if not isinstance(checkpoint, str | PathLike) or not str(checkpoint):
        raise ValueError(f"checkpoint must be the path of a file, such as 'training.npz', got {checkpoint!r}")
    path = Path(checkpoint)
    if path.is_dir():
        raise ValueError(f"checkpoint must be a file, got the folder {path}; name a file in it")
    return path


def seed_numbers(seeds: Any) -> np.ndarray:
    """0, 1, .. where it is said how many, else those given."""
    if is_whole(seeds) and seeds >= 1:
        return np.arange(seeds, dtype=np.uint32)
    array = np.asarray(seeds)
    if array.ndim != 1 or not array.size or not np.issubdtype(array.dtype, np.integer) or array.min() < 0:
        raise ValueError(
            f"seeds must be a positive whole number, got {seeds!r}; or list which, such as [0, 3]"
        )
    if array.max() > MOST_SEED:
        raise ValueError(f"seeds must be at most {MOST_SEED}, 32 bits, got {array.max()}")
    return array.astype(np.uint32)


def one_a_seed(name: str, values: Any, seeds: int) -> np.ndarray | None:
    """One finite float64 number for each seed, shape (seeds,); None where none are given."""
    if values is None:
        return None
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != (seeds,) or not np.isfinite(array).all():
        raise ValueError(f"{name} must be one finite number for each of the {seeds} seeds, got {values!r}")
    return array


def checked_learning_rates(values: Any, seeds: int) -> np.ndarray | None:
    """As `one_a_seed`; raises ValueError for a negative one too, which would climb."""
    rates = one_a_seed("learning_rates", values, seeds)
    if rates is not None and rates.min() < 0:
        raise ValueError(f"learning_rates must be at least 0, got {rates.min():g}")
    return rates


def check_strengths(remedy: Any, strengths: np.ndarray | None) -> None:
    """Raises ValueError where the remedy refuses a strength: once they are traced it could not look at them."""
    for strength in () if strengths is None else sorted(set(strengths.tolist())):
        try:
            made = remedy(strength)
        except ValueError as error:
            raise ValueError(f"strengths: {strength:g} is not allowed for this remedy: {error}") from error
        if not isinstance(made, Remedy):
            raise ValueError(f"remedy must make a Remedy from a strength, of {strength:g} it made {made!r}")


def required_dtype(task: Task, create: Callable, key: Array) -> Any:
    """The dtype of the cell's output, and so of inputs, readout, strengths and learning rates.

    Raises:
        ValueError: `create` takes no key or makes no cell, its output is no vector of real numbers, or it does not
            take the task's inputs.
    """
    if error := why_it_takes_not(create, key):
        raise ValueError(f"create must be a function of one argument, a random key: {error}") from error

    def cell_of(key: Array) -> Any:
        made = create(key)
        if not (callable(made) and all(hasattr(made, name) for name in ("initial_state", "output"))):
            raise ValueError(
                "create must make a cell: a pytree that is called as cell(state, x) and has initial_state() and "
                f"output(state), such as GRU.create(2, 64, key=key); it made {type(made).__name__}. Cells of other "
                "frameworks become one by rnn_jax.adapters"
            )
        return made

    try:
        cell = jax.eval_shape(cell_of, key)
    except TypeError as error:
        if "valid JAX type" not in str(error):
            raise
        raise ValueError(
            "create must make a pytree, such as a dataclass that jax.tree_util.register_dataclass knows: "
            f"{first_line(error)}"
        ) from error
    try:
        before = jax.eval_shape(lambda cell: cell.initial_state(), cell)
    except TypeError as error:
        raise ValueError(
            f"create must make a cell whose initial_state() takes no argument and gives arrays: {first_line(error)}"
        ) from error
    shown = jax.eval_shape(lambda cell, state: cell.output(state), cell, before)
    if len(getattr(shown, "shape", ())) != 1 or not jnp.issubdtype(shown.dtype, jnp.floating):
        raise ValueError(
            "create must make a cell whose output(state) is one vector of real floating numbers, which the readout "
            f"takes, got {shown}"
        )
    x = jax.ShapeDtypeStruct((task.input_size,), shown.dtype)
    try:
        after = jax.eval_shape(lambda cell, x: cell(cell.initial_state(), x), cell, x)
    except NEEDS_A_VALUE as error:
        raise ValueError(
            "create must make a cell whose step asks for no number's value, as it is compiled (jnp.where for if, "
            f"jax.numpy for NumPy): {first_line(error)}"
        ) from error
    except TypeError as error:
        raise ValueError(
            f"create must make a cell with input_size {task.input_size} for {task.name}; its step fails on such an input: "
            f"{first_line(error)}"
        ) from error
    require_same_state(before, after)
    if declares_its_own(cell):
        made = jax.jit(create)(key)
        check_declaration(made, made.initial_state(), jnp.ones((1, *x.shape), x.dtype))
    return x.dtype
