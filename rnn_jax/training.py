"""The ensemble trainer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from rnn_jax.devices import Devices, mesh_of
from rnn_jax.keys import checked_key
from rnn_jax.model import BACKPROPAGATIONS, Model
from rnn_jax.remedies.remedy import Remedy, none
from rnn_jax.tasks.task import Task, evaluation_task
from rnn_jax.training_program import compiled
from rnn_jax.training_run import Recipe, Run, shared_out, start

AT_BASELINE_FROM = 0.9
DIVERGED_FROM = 10.0
_ADAM = optax.adam(2e-3)  # one object, so that calls that name no optimiser share a program
_QUANTITIES = ("loss", "gradient", "update", "optimizer_state")


@dataclass(frozen=True)
class TrainingResult:
    """What became of each seed. Arrays are NumPy and lead with the seed axis.

    Attributes:
        loss: training loss at every step, without a remedy's penalty, shape (seeds, steps); NaN after
            a seed was solved or diverged, whose weights are kept as they were.
        gradient_norm: of the whole gradient, a penalty's with it, before the optimiser clips it;
            likewise.
        evaluation_steps: after how many steps the held-out examples were scored, shape (evaluations,).
        evaluation_loss, evaluation_accuracy: shape (seeds, evaluations).
        final_loss, final_accuracy: of each seed's last evaluation while it ran; NaN where it diverged
            to something not finite.
        steps_run: how many steps each seed was trained.
        steps_to_solve: the first evaluation at which the task's rule held; -1 where it never did.
        verdict: "solved", "diverged" (a loss, gradient, update or optimiser state not finite, or the
            final loss over 10 x the baseline), "at_baseline" (at least 0.9 of it), else
            "better_than_baseline".
        first_nonfinite_step: counted from 1; -1 where everything stayed finite.
        first_nonfinite_quantity: "loss", "gradient", "update", "optimizer_state", or "".
        model: the trained `Model`, its arrays with a leading seed axis; for a diverged seed the last
            finite one.
        initial_model: what training began with.
        baseline: the loss of the best guess without memory on the held-out examples.
        task, batch_size: as given.
        data_keys: random keys of the training examples, shape (seeds,): see `training_batch`.
        snapshots: (steps done, the models then, their arrays with a leading seed axis) for each of
            `snapshot_steps` that was reached, in order.
        compile_s, train_s: seconds spent compiling, next to nothing where an earlier call of this process
            compiled the same program, and running.
    """

    loss: np.ndarray
    gradient_norm: np.ndarray
    evaluation_steps: np.ndarray
    evaluation_loss: np.ndarray
    evaluation_accuracy: np.ndarray
    final_loss: np.ndarray
    final_accuracy: np.ndarray
    steps_run: np.ndarray
    steps_to_solve: np.ndarray
    verdict: list[str]
    first_nonfinite_step: np.ndarray
    first_nonfinite_quantity: list[str]
    model: Model
    initial_model: Model
    baseline: float
    task: Task
    batch_size: int
    data_keys: Array
    snapshots: tuple[tuple[int, Model], ...]
    compile_s: float
    train_s: float


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
) -> TrainingResult:
    """Trains an ensemble of seeds on fresh data at every step.

    Blocks of `evaluate_every` steps are one compiled program over all seeds; data are made on the
    device. It stops as soon as every seed is solved or diverged. Seeds do not disturb each other:
    seed i gives the same result whatever becomes of the others.

    With `devices` each of them trains ceil(seeds / devices) of the seeds, without waiting for another
    within a block. Where the seeds do not come out even, copies fill the last places: they count as
    finished before the first step, so they change nothing, and they are dropped from the result.

    Args:
        task: for example `tasks.Adding(100)`.
        create: `create(key) -> cell`; a linear readout of `cell.output` is trained with it.
        key: a random key; seed i uses `fold_in(key, i)`.
        seeds: how many, or which: seed i is drawn alike in every run, and may stand more than once
            where each has a strength or a learning rate of its own.
        batch_size: examples a step.
        optimizer: any optax optimiser; Adam at 2e-3 if None. With `learning_rates` a function that
            makes it from a learning rate, such as `optax.sgd`; Adam if None.
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
            training loss.

    Returns:
        a `TrainingResult`.

    Raises:
        ValueError: a count is not positive, the cell's input size is not the task's, the cell lacks
            what the remedy needs, an argument is of another kind, `strengths` or `learning_rates` are
            not one finite number a seed, or `devices` is empty, mixed or names one twice.
    """
    if isinstance(task, type):
        raise ValueError(f"task must be a task such as {task.__name__}(100), got the class itself")
    if not callable(getattr(task, "sample", None)):
        raise ValueError(f"task must be a task such as rnn_jax.tasks.Adding(100), got {task!r}")
    if not callable(create) or hasattr(create, "initial_state"):
        raise ValueError(
            "create must be a function of a random key that makes a cell, such as lambda key: "
            f"GRU.create(2, 64, key=key), got {type(create).__name__}"
        )
    checked_key(key)
    numbers = _seed_numbers(seeds)
    for name, value in {
        "batch_size": batch_size,
        "step_budget": step_budget,
        "evaluate_every": evaluate_every,
    }.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a positive whole number, got {value!r}")
    if strengths is None and remedy is not None and not isinstance(remedy, Remedy):
        raise ValueError(
            f"remedy must be made by rnn_jax.remedies, such as clip_by_norm(1.0), got {remedy!r}"
        )
    if strengths is not None and (isinstance(remedy, Remedy) or not callable(remedy)):
        raise ValueError(
            "remedy must be a function that makes one from its strength, such as clip_by_norm, where "
            f"strengths are given, got {remedy!r}"
        )
    if learning_rates is None and optimizer is not None and not hasattr(optimizer, "update"):
        raise ValueError(f"optimizer must be an optax optimiser such as optax.adam(2e-3), got {optimizer!r}")
    if learning_rates is not None and (hasattr(optimizer, "update") or not callable(optimizer or optax.adam)):
        raise ValueError(
            "optimizer must be a function that makes one from its learning rate, such as optax.adam, where "
            f"learning_rates are given, got {optimizer!r}"
        )
    for step in snapshot_steps:
        if isinstance(step, bool) or not isinstance(step, int | np.integer) or not 1 <= step <= step_budget:
            raise ValueError(f"snapshot_steps must be whole numbers in 1..{step_budget}, got {step!r}")
    if backpropagation not in BACKPROPAGATIONS:
        raise ValueError(f"backpropagation must be 'auto' or 'autodiff', got {backpropagation!r}")
    mesh = None if devices is None else mesh_of(devices, "seeds")
    evaluate_every = min(evaluate_every, step_budget)
    recipe = Recipe(
        none() if remedy is None else remedy,
        optimizer or (_ADAM if learning_rates is None else optax.adam),
    )
    keys = jax.vmap(lambda index: jax.random.fold_in(key, index))(jnp.asarray(numbers))
    dtype = _required_dtype(task, create, key)
    own = [
        None if values is None else jnp.asarray(_one_a_seed(name, values, len(numbers)), dtype)
        for name, values in (("strengths", strengths), ("learning_rates", learning_rates))
    ]
    runs = jax.jit(jax.vmap(partial(start, task, create, recipe, step_budget)))(keys, *own)
    initial_model = runs.model

    if mesh is not None:
        runs = shared_out(runs, mesh)
    advance, compile_s = compiled(task, recipe, batch_size, evaluate_every, backpropagation, mesh, runs)
    started = perf_counter()
    curves, scores, snapshots = [], [], []
    wanted = sorted(set(snapshot_steps))
    for done in range(evaluate_every, step_budget + evaluate_every, evaluate_every):
        runs, curve = advance(runs)
        curves.append(np.asarray(curve)[: len(numbers)])
        scores.append(np.asarray(runs.score)[: len(numbers)])
        steps = min(done, step_budget)
        if wanted and wanted[0] <= steps:
            wanted = [each for each in wanted if each > steps]
            snapshots.append((steps, jax.tree.map(lambda leaf: leaf[: len(numbers)], runs.model)))
        if on_progress is not None:
            on_progress(steps, curves[-1][:, steps - 1 - (done - evaluate_every), 0])
        if not np.asarray(runs.is_active).any():
            break
    train_s = perf_counter() - started
    if mesh is not None:
        together = jax.device_put(runs, mesh.devices.flat[0])
        runs = jax.tree.map(lambda leaf: leaf[: len(numbers)], together)
    return _result(
        runs,
        initial_model=initial_model,
        task=task,
        batch_size=batch_size,
        baseline=float(evaluation_task(task).baseline(jax.random.fold_in(key, 0))),
        curves=np.concatenate(curves, axis=1)[:, :step_budget],
        scores=np.stack(scores, axis=1),
        evaluation_steps=np.minimum(np.arange(1, len(scores) + 1) * evaluate_every, step_budget),
        snapshots=tuple(snapshots),
        compile_s=compile_s,
        train_s=train_s,
    )


def _result(
    runs: Run, *, baseline: float, curves: np.ndarray, scores: np.ndarray, **facts: Any
) -> TrainingResult:
    solved_step, nonfinite_step = np.asarray(runs.solved_step), np.asarray(runs.nonfinite_step)
    final_loss = scores[:, -1, 0]
    quantities = [_QUANTITIES[index] if index >= 0 else "" for index in np.asarray(runs.nonfinite_quantity)]
    return TrainingResult(
        loss=curves[..., 0],
        gradient_norm=curves[..., 1],
        evaluation_loss=scores[..., 0],
        evaluation_accuracy=scores[..., 1],
        final_loss=final_loss,
        final_accuracy=scores[:, -1, 1],
        steps_run=np.asarray(runs.step),
        steps_to_solve=solved_step,
        verdict=[
            _verdict(step, loss, baseline)
            for step, loss in zip(solved_step.tolist(), final_loss.tolist(), strict=True)
        ],
        first_nonfinite_step=nonfinite_step,
        first_nonfinite_quantity=quantities,
        model=runs.model,
        baseline=baseline,
        data_keys=runs.key,
        **facts,
    )


def _verdict(solved_step: int, final_loss: float, baseline: float) -> str:
    if solved_step >= 0:
        return "solved"
    if not np.isfinite(final_loss) or final_loss > DIVERGED_FROM * baseline:
        return "diverged"
    return "at_baseline" if final_loss >= AT_BASELINE_FROM * baseline else "better_than_baseline"


def _seed_numbers(seeds: Any) -> np.ndarray:
    """0, 1, .. where it is said how many, else those given."""
    if isinstance(seeds, int) and not isinstance(seeds, bool) and seeds >= 1:
        return np.arange(seeds, dtype=np.uint32)
    array = np.asarray(seeds)
    if array.ndim != 1 or not array.size or not np.issubdtype(array.dtype, np.integer) or array.min() < 0:
        raise ValueError(
            f"seeds must be a positive whole number, got {seeds!r}; or list which, such as [0, 3]"
        )
    return array.astype(np.uint32)


def _one_a_seed(name: str, values: Any, seeds: int) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if array.shape != (seeds,) or not np.isfinite(array).all():
        raise ValueError(f"{name} must be one finite number for each of the {seeds} seeds, got {values!r}")
    return array


def _required_dtype(task: Task, create: Callable, key: Array) -> Any:
    """The dtype of the cell's state; raises ValueError where the cell does not take the task's inputs."""
    cell = jax.eval_shape(create, key)
    x = jax.ShapeDtypeStruct((task.input_size,), jax.tree.leaves(cell.initial_state())[0].dtype)
    try:
        jax.eval_shape(lambda cell, x: cell(cell.initial_state(), x), cell, x)
    except TypeError as error:
        raise ValueError(
            f"create must make a cell with input_size {task.input_size} for {task.name}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    return x.dtype
