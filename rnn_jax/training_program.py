"""The program that advances every seed by a block of steps: compiled once a shape, shared by later calls."""

from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array

from rnn_jax.batching import over_devices, over_examples
from rnn_jax.tasks.task import Task
from rnn_jax.training_run import Recipe, Run, evaluated, training_step

_KEPT = 128


def lowered(
    task: Task,
    recipe: Recipe,
    batch_size: int,
    evaluate_every: int,
    backpropagation: str,
    mesh: Mesh | None,
    runs: Run,
) -> jax.stages.Lowered:
    """`runs -> (runs after evaluate_every steps and an evaluation, curves)`, still to be compiled.

    The step budget and each seed's strength and learning rate are data of the runs. So a call with the
    same task, remedy, optimiser and shapes finds the program of an earlier one, in no time; a remedy that
    only changes how cells begin shares that of no remedy. Curves are loss and gradient norm, shape
    (seeds, evaluate_every, 2).
    """
    settings = (task, recipe.after_start, batch_size, evaluate_every, backpropagation, mesh)
    try:
        advance = _kept(*settings)
    except TypeError:  # a task or an optimiser that cannot be hashed is compiled anew
        advance = _made(*settings)
    return advance.lower(runs)


def _made(
    task: Task, recipe: Recipe, batch_size: int, evaluate_every: int, backpropagation: str, mesh: Mesh | None
) -> Any:
    def block(run: Run) -> tuple[Run, Array]:
        advance = partial(training_step, task, recipe, batch_size, backpropagation)
        run, curves = jax.lax.scan(advance, run, length=evaluate_every)
        return evaluated(task, run), curves

    def block_unless_done(run: Run) -> tuple[Run, Array]:
        nothing = jnp.full((evaluate_every, 2), jnp.nan, jnp.float32)
        return jax.lax.cond(run.is_active, block, lambda run: (run, nothing), run)

    if mesh is None:
        return jax.jit(partial(over_examples, block_unless_done))
    return jax.jit(over_devices(block_unless_done, mesh))


_kept = lru_cache(maxsize=_KEPT)(_made)
