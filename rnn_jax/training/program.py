"""The program that advances seeds by a block of steps: compiled once a shape, shared by later calls."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array

from rnn_jax.batching import over_devices
from rnn_jax.devices import computing_on, default_platform, usable_cores
from rnn_jax.leaves import of_numbers, to_numbers
from rnn_jax.tasks.task import Task
from rnn_jax.training.run import Recipe, Run, evaluated, training_step

_MOST_CACHED = 32
"""Programs. Each holds about 600 memory maps on a CPU, of which Linux allows a process 65,530: past that XLA ends it."""

Advance = Callable[[Run], tuple[Run, Array]]
"""All seeds after a block of steps and an evaluation, and their curves: loss and gradient norm, shape (seeds, steps, 2)."""


@dataclass(frozen=True)
class BlockProgram:
    """A block of training, still to be compiled.

    On a CPU it is the program of one seed, whatever their number, and as many seeds run at once as there are
    cores: a step of a small net keeps one busy and no more. A core takes the next seed as soon as it has
    finished one. On an accelerator it is the program of all seeds together.

    Attributes:
        lowered: of one seed or of all.
        is_of_one: which.
    """

    lowered: jax.stages.Lowered
    is_of_one: bool

    def as_text(self) -> str:
        """The program, with all its constants: the same text in every process."""
        return self.lowered.as_text()

    def compile(self) -> Advance:
        """What advances the seeds."""
        advance = self.lowered.compile()
        return partial(_each_on_a_core, advance) if self.is_of_one else advance


def lowered(
    task: Task,
    recipe: Recipe,
    batch_size: int,
    evaluate_every: int,
    backpropagation: str,
    mesh: Mesh | None,
    runs: Run,
) -> BlockProgram:
    """The program of `evaluate_every` steps and an evaluation after them.

    The step budget and each seed's strength and learning rate are data of the runs. So a call with the
    same task, remedy, optimiser and shapes reuses the program of an earlier one; a remedy that
    only changes how cells begin shares that of no remedy.
    """
    settings = (task, recipe.after_start, batch_size, evaluate_every, backpropagation, mesh)
    is_of_one = mesh is None and default_platform() == "cpu"
    if is_of_one:
        runs = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), runs)
    try:
        advance = _cached_block(*settings, is_of_one)
    except TypeError:  # a task or an optimiser that cannot be hashed is compiled anew
        advance = _block(*settings, is_of_one)
    with computing_on(mesh):
        return BlockProgram(advance.lower(runs), is_of_one)


def _block(
    task: Task,
    recipe: Recipe,
    batch_size: int,
    evaluate_every: int,
    backpropagation: str,
    mesh: Mesh | None,
    is_of_one: bool,
) -> Any:
    def block(run: Run) -> tuple[Run, Array]:
        advance = partial(training_step, task, recipe, batch_size, backpropagation)
        run, curves = jax.lax.scan(advance, run, length=evaluate_every)
        return evaluated(task, run), curves

    def block_unless_done(run: Run) -> tuple[Run, Array]:
        nothing = jnp.full((evaluate_every, 2), jnp.nan, run.score.dtype)
        return jax.lax.cond(run.is_active, block, lambda run: (run, nothing), run)

    if mesh is not None:
        return jax.jit(over_devices(block_unless_done, mesh))
    return jax.jit(block_unless_done if is_of_one else jax.vmap(block_unless_done))


_cached_block = lru_cache(maxsize=_MOST_CACHED)(_block)


def _each_on_a_core(advance: Advance, runs: Run) -> tuple[Run, Array]:
    """Threads do nothing but run the compiled program."""
    numbers = jax.tree.map(to_numbers, runs)
    each = [
        jax.tree.map(lambda leaf, values, seed=seed: of_numbers(values[seed], leaf), runs, numbers)
        for seed in range(runs.step.shape[0])
    ]
    pool = ThreadPoolExecutor(min(usable_cores(), len(each)))
    try:
        waiting = [pool.submit(lambda run: jax.block_until_ready(advance(run)), run) for run in each]
        after = [future.result() for future in waiting]
    finally:
        pool.shutdown(cancel_futures=True)  # where one raises, or at Ctrl-C, the rest is not begun

    def together(*leaves: Array) -> Array:
        return of_numbers(np.stack([to_numbers(leaf) for leaf in leaves]), leaves[0])

    return jax.tree.map(together, *after)
