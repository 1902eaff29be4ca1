"""The ensemble trainer."""

from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from rnn_jax.devices import Devices, mesh_of
from rnn_jax.leaves import to_numbers
from rnn_jax.remedies.remedy import Remedy, none
from rnn_jax.tasks.examples_check import check_examples
from rnn_jax.tasks.protocol_check import check_batches, checked_baseline
from rnn_jax.tasks.task import Task, evaluation_task
from rnn_jax.training.arguments import (
    check_progress,
    check_recipe,
    check_strengths,
    check_task_and_cell,
    checked_counts,
    checked_learning_rates,
    checkpoint_path,
    one_a_seed,
    required_dtype,
    seed_numbers,
    sorted_snapshot_steps,
)
from rnn_jax.training.checkpoint import Checkpoint, identity_of
from rnn_jax.training.model import check_backpropagation
from rnn_jax.training.program import Advance, lowered
from rnn_jax.training.progress import Progress
from rnn_jax.training.result import TrainingResult, result_of
from rnn_jax.training.run import EVALUATION_EXAMPLES, Recipe, shared_out, start

_ADAM = optax.adam(2e-3)  # one object, so that calls that name no optimiser share a program


def train(
    task: Task,
    create: Callable[[Array], Any],
    *,
    key: Array,
    seeds: int | Sequence[int] = 8,
    batch_size: int = 50,
    optimizer: optax.GradientTransformation | Callable[[Array], optax.GradientTransformation] | None = None,
    remedy: Remedy | Callable[[Array], Remedy] | None = None,
    strengths: Sequence[float] | np.ndarray | Array | None = None,
    learning_rates: Sequence[float] | np.ndarray | Array | None = None,
    step_budget: int = 4000,
    evaluate_every: int = 100,
    backpropagation: str = "auto",
    devices: Devices | None = None,
    snapshot_steps: Sequence[int] = (),
    on_progress: Callable[[int, np.ndarray], None] | None = None,
    checkpoint: str | PathLike[str] | None = None,
    checkpoint_every_s: float = 60.0,
) -> TrainingResult:
    """Trains an ensemble of seeds on fresh data at every step.

    Blocks of `evaluate_every` steps are one compiled program, which later calls with the same task, remedy,
    optimiser and shapes reuse; what draws the nets is compiled at every call, as `create` may have changed.
    Data are made on the device. On a CPU as many seeds run at once as there are cores, each on its own:
    fewer take less memory, `taskset` holds a process to some cores. It stops as soon as every seed is solved
    or diverged. Seeds do not disturb each other: seed i gives the same result whatever becomes of the others.

    With `devices` each of them trains ceil(seeds / devices) of the seeds, without waiting for another
    within a block. Where the seeds do not come out even, copies fill the last places: they count as
    finished before the first step, so they change nothing, and they are dropped from the result.

    With `checkpoint` a training that was killed goes on when the same call is made again, and ends with the
    same result; on the same CPU with the same bytes, but for its times. The file stays when training is
    done: the same call then gives the result at once, and one with a larger `step_budget` goes on from there, if
    `evaluate_every` divides the smaller one. Delete it when the result is kept elsewhere.

    Args:
        task: for example `tasks.Adding(100)`.
        create: `create(key) -> cell`; a linear readout of `cell.output` is trained with it. Whole numbers, truths
            and random keys that a cell holds, such as a mask of its connections, are not trained.
        key: a random key; seed i uses `fold_in(key, i)`.
        seeds: how many, or which: seed i gives the same net and data in every run, and may be named more
            than once where each has a strength or a learning rate of its own.
        batch_size: examples a step.
        optimizer: any optax optimiser of plain weights, those that ask for the loss (`optax.lbfgs`) among them;
            Adam at 2e-3 if None. With `learning_rates` a function that makes it from a learning rate, such as
            `optax.sgd`; Adam if None. The rate is traced: a schedule that looks at its peak is made with peak 1 and
            multiplied, `lambda rate: optax.chain(optax.adam(schedule), optax.scale(rate))`.
        remedy: from `rnn_jax.remedies`; none if None. With `strengths` a function that makes it from
            its strength, such as `clip_by_norm`.
        strengths: one a seed: an ensemble with as many strengths, compiled once.
        learning_rates: one a seed, likewise.
        step_budget: the most steps a seed is trained.
        evaluate_every: after how many steps 2,000 held-out examples are scored, those of the task's
            `evaluation_task()` where it has one.
        backpropagation: how gradients are formed, "auto" or "autodiff": see `Model.outputs`. Both give
            the same to rounding; "auto" is faster for elementwise cells.
        devices: of this process, among which the seeds are shared out, such as `jax.devices()`; JAX's
            default device alone if None. The result's arrays lie on the first.
        snapshot_steps: after which training steps to keep the models, each at the first evaluation from
            there on; none after training stopped.
        on_progress: called on the host after each block with the steps done and each seed's
            training loss, and first of all with those of the checkpoint that it goes on from.
        checkpoint: the file from which to go on, if it is there, and which to keep up to date: after a block
            of steps when `checkpoint_every_s` have passed since the last time, and at the end. Folders
            are made. A file of another training is left alone.
        checkpoint_every_s: seconds; 0 for every block.

    Returns:
        a `TrainingResult`.

    Raises:
        ValueError: the task is not what `rnn_jax.tasks.Task` says or its baseline is not positive, a count is
            not positive, a seed over 2**32 - 1, `create` makes no cell of the task's input size whose output
            is a real vector, or one that changes its state's shapes or dtypes or has not the structure it declares, the
            cell lacks what the remedy needs, an argument is of another kind, the optimiser wants other weights or looks
            at a rate that is traced, `strengths`
            or `learning_rates` are not one finite number a seed, a learning rate is negative, or `devices` is
            empty, mixed or names one twice.
        CheckpointError: a ValueError: the file is of another training, which includes another version of
            JAX or another number of devices, or of a longer one, or is no whole checkpoint.
        OSError: the checkpoint cannot be read or written; the one before is still there.
    """
    check_task_and_cell(task, create, key)
    numbers = seed_numbers(seeds)
    batch_size, step_budget, evaluate_every = checked_counts(
        batch_size=batch_size, step_budget=step_budget, evaluate_every=evaluate_every
    )
    check_recipe(remedy, strengths is not None, optimizer, learning_rates is not None)
    check_backpropagation(backpropagation)
    check_progress(on_progress)
    kept_steps = sorted_snapshot_steps(snapshot_steps, step_budget)
    path = checkpoint_path(checkpoint, checkpoint_every_s)
    mesh = None if devices is None else mesh_of(devices, "seeds")
    evaluate_every = min(evaluate_every, step_budget)
    recipe = Recipe(
        none() if remedy is None else remedy,
        optimizer or (_ADAM if learning_rates is None else optax.adam),
    )
    keys = jax.vmap(lambda index: jax.random.fold_in(key, index))(jnp.asarray(numbers))
    dtype = required_dtype(task, create, key)
    check_batches(task, batch_size, EVALUATION_EXAMPLES, dtype)
    check_examples(task, batch_size, EVALUATION_EXAMPLES, dtype)
    if evaluation_task(task) is not task:
        check_examples(
            evaluation_task(task), EVALUATION_EXAMPLES, EVALUATION_EXAMPLES, dtype, "task.evaluation_task()"
        )
    baseline = checked_baseline(evaluation_task(task), jax.random.fold_in(key, 0))
    own = {
        "strengths": one_a_seed("strengths", strengths, len(numbers)),
        "learning_rates": checked_learning_rates(learning_rates, len(numbers)),
    }
    check_strengths(remedy, own["strengths"])
    own_arrays = [None if values is None else jnp.asarray(values, dtype) for values in own.values()]
    started = perf_counter()
    runs = jax.jit(jax.vmap(partial(start, task, create, recipe, step_budget)))(keys, *own_arrays)
    initial_model = runs.model
    if mesh is not None:
        runs = shared_out(runs, mesh)

    program = lowered(task, recipe, batch_size, evaluate_every, backpropagation, mesh, runs)
    compile_s = perf_counter() - started
    progress = Progress(runs, step_budget, evaluate_every, kept_steps)

    def tell(progress: Progress) -> None:
        if on_progress is not None and progress.steps:
            on_progress(progress.steps, progress.last_losses[: len(numbers)])

    file = None
    if path is not None:
        identity = {
            "task": f"{task.name}({task.length}, {task.variant!r})",
            "baseline": baseline,
            "remedy": _label(recipe.remedy),
            "key": to_numbers(key).tolist(),
            "seeds": numbers.tolist(),
            "batch_size": batch_size,
            "evaluate_every, at most step_budget,": evaluate_every,
            "backpropagation": backpropagation,
            "snapshot_steps": kept_steps,
            "devices": f"{1 if mesh is None else mesh.size} x {next(iter(runs.step.devices())).device_kind}",
        } | {name: None if values is None else values.tolist() for name, values in own.items()}
        file = Checkpoint(path, identity_of(program.as_text(), runs, identity))
        progress = file.read(progress)
        tell(progress)
    if not progress.is_over:
        started = perf_counter()
        advance = program.compile()
        compile_s += perf_counter() - started
        progress = _to_the_end(progress, advance, file, float(checkpoint_every_s), tell)
    progress = progress.of_first(len(numbers), None if mesh is None else mesh.devices.flat[0])
    return result_of(
        progress.runs,
        initial_model=initial_model,
        task=task,
        batch_size=batch_size,
        baseline=baseline,
        curves=progress.whole_curves(),
        scores=np.stack(progress.scores, axis=1),
        evaluation_steps=np.minimum(np.arange(1, len(progress.scores) + 1) * evaluate_every, step_budget),
        snapshots=progress.snapshots,
        compile_s=compile_s,
        train_s=progress.train_s,
    )


def _to_the_end(
    progress: Progress,
    advance: Advance,
    file: Checkpoint | None,
    every_s: float,
    tell: Callable[[Progress], None],
) -> Progress:
    """Trains block by block until no seed goes on; keeps the file up to date and tells after each."""
    written = perf_counter()
    while not progress.is_over:
        progress = progress.after_block(advance)
        if file is not None and (progress.is_over or perf_counter() - written >= every_s):
            file.write(progress)
            written = perf_counter()
        tell(progress)
    return progress


def _label(remedy: Any) -> str:
    """A remedy's name and strength; the name of what makes one of each seed's strength."""
    if not isinstance(remedy, Remedy):
        return getattr(remedy, "__name__", type(remedy).__name__)
    return remedy.name if remedy.strength is None else f"{remedy.name}({float(remedy.strength)!r})"
