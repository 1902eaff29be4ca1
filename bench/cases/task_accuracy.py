"""Trains an ensemble on a task that needs long memory, and probes its nets before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import rnn_jax as rj
from bench.cases import training_rows
from bench.cases.cell import (
    CELL_PARAMETERS,
    DEEP_PARAMETERS,
    Report,
    create_cell,
    resolved_cell,
    seed_key,
    task_columns,
)
from bench.cases.chosen_task import TASK_PARAMETERS, task_of, with_variant
from bench.cases.held_out import net_rows
from bench.cases.parameter import Parameter
from bench.cases.reach import Reading, probe
from bench.cases.remedy import check_fit, remedy_of
from bench.cases.tuning import chosen_rate, grid_of
from bench.machine import Environment
from bench.schema import (
    DECAY,
    EVALUATIONS,
    EXPLOSIONS,
    GRADIENT_NORMS,
    HELD_OUT_SCORES,
    SNAPSHOTS,
    TASK_ACCURACY,
    TRAINING_CURVES,
    TUNING,
)
from bench.store.checkpoints import Checkpoints, train_without
from bench.targets import checked_target
from rnn_jax.coordinates import real_size
from rnn_jax.tasks import Batch, Task

VERSION = 1
GOES_ON = True
OPTIMIZERS = {"adam": optax.adam, "rmsprop": optax.rmsprop, "sgd": optax.sgd}
_LEARNING_RATE = 2e-3
_EXPONENTS = 2

PARAMETERS = (
    *CELL_PARAMETERS,
    *DEEP_PARAMETERS,
    *TASK_PARAMETERS,
    Parameter(
        "remedy",
        str,
        "against vanishing or exploding gradients",
        "none",
        choices=tuple(rj.remedies.REMEDIES),
        combines=True,
    ),
    Parameter("remedy_strength", float, "the remedy's one number", low=1e-12, high=1e12),
    Parameter("optimizer", str, "optax optimiser", "adam", choices=tuple(OPTIMIZERS)),
    Parameter("learning_rate", float, "its step size", _LEARNING_RATE, low=1e-12, high=1e3),
    Parameter("batch_size", int, "examples a training step", 50, low=1, high=1_000_000),
    Parameter("step_budget", int, "training steps at most", 2000, low=1, high=10_000_000),
    Parameter("evaluate_every", int, "training steps between evaluations", 100, low=1, high=1_000_000),
    Parameter("sequences", int, "input sequences over which log norms are averaged", 16, low=1, high=10_000),
    Parameter("lags", int, "how many lags, geometrically spaced", 40, low=2, high=200),
    Parameter(
        "learning_rate_grid",
        str,
        'step sizes to choose from, such as "5e-4 2e-3 8e-3", in place of learning_rate',
        later=True,
    ),
    Parameter("tuning_seeds", int, "on how many other seeds it is chosen", low=1, high=1000, later=True),
    Parameter("tuning_steps", int, "training steps of each", low=1, high=10_000_000, later=True),
    Parameter(
        "snapshots", int, "how often the first seed is probed in between", 0, low=0, high=100, later=True
    ),
    Parameter(
        "recorded_sequences",
        int,
        "for how many sequences norms are written",
        1,
        low=0,
        high=10_000,
        later=True,
    ),
    Parameter("curve_points", int, "points written of a training curve", 50, low=0, high=10_000, later=True),
    Parameter("target", str, "the published result that it is held against", later=True),
)


def resolved(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Fills in the cell's options, the task's first variant, the remedy's own strength and how a rate is chosen.

    Raises:
        ValueError: the task knows no such variant or length, a strength is given to no remedy or
            one that does not allow it, tuning is asked for without a grid, or there is no such target.
    """
    chosen = with_variant(resolved_cell(parameters))
    if chosen["remedy"] == "none" and chosen["remedy_strength"] is not None:
        raise ValueError("remedy_strength needs a remedy, got remedy = 'none'")
    remedy = remedy_of(chosen)
    chosen["remedy"], chosen["remedy_strength"] = remedy.name, remedy.strength
    check_fit(chosen)
    if chosen["target"] is not None:
        checked_target(chosen["target"])
    if chosen["learning_rate_grid"] is None:
        for name in ("tuning_seeds", "tuning_steps"):
            if chosen[name] is not None:
                raise ValueError(f"{name} needs a learning_rate_grid, got {name} = {chosen[name]}")
        return chosen
    grid_of(chosen["learning_rate_grid"])
    if chosen["learning_rate"] not in (None, _LEARNING_RATE):
        raise ValueError(
            f"learning_rate and learning_rate_grid exclude each other, got learning_rate = {chosen['learning_rate']:g} "
            "beside a grid; leave one out"
        )
    chosen["learning_rate"] = None
    chosen["tuning_seeds"] = chosen["tuning_seeds"] or 1
    chosen["tuning_steps"] = chosen["tuning_steps"] or max(1, chosen["step_budget"] // 4)
    return chosen


def run(
    case: Any, environment: Environment, suite: str, report: Report, checkpoints: Checkpoints | None = None
) -> Mapping[str, list[dict[str, Any]]]:
    """Trains every seed, at a step size chosen on others where there is a grid, and probes the nets.

    Rows for task_accuracy, training_curves, gradient_norms, decay, explosions, tuning, snapshots, where there is a
    target evaluations, and of real data held_out_scores.
    """
    task, remedy = task_of(case.parameters), remedy_of(case.parameters)
    train = train_without if checkpoints is None else checkpoints.train

    def trained(seeds: Sequence[int], rates: Sequence[float], budget: int, what: str, **more: Any):
        return train(
            what,
            task,
            lambda key: create_cell(case, task.input_size, key, environment),
            key=seed_key(0, 3),
            seeds=seeds,
            learning_rates=rates,
            batch_size=case["batch_size"],
            optimizer=OPTIMIZERS[case["optimizer"]],
            remedy=remedy,
            step_budget=budget,
            evaluate_every=case["evaluate_every"],
            on_progress=lambda step, _: report(f"{what} step {step} of {budget}", step / budget),
            **more,
        )

    rate, tried = case["learning_rate"], []
    if case["learning_rate_grid"] is not None:
        rate, tried = chosen_rate(case, trained)
    result = trained(
        case.seeds,
        [rate] * len(case.seeds),
        case["step_budget"],
        "training",
        snapshot_steps=_snapshot_steps(case),
    )
    state = jax.eval_shape(lambda model: model.cell.initial_state(), _model(result.model, 0))
    common = task_columns(case, environment, suite, task, state_size=real_size(state))
    labels = {
        "task": task.name,
        "variant": task.variant,
        "remedy": remedy.name,
        "remedy_strength": remedy.strength,
    }
    labels_and_length = labels | {"task_length": task.length}
    setting = labels_and_length | training_rows.setting(case, task, remedy, result) | {"learning_rate": rate}
    rows: dict[str, list[dict[str, Any]]] = {TUNING.kind: [common | labels_and_length | row for row in tried]}
    for place, seed in enumerate(case.seeds):
        readings = before, after = [
            _probe(case, task, models, place, environment, weights)
            for models, weights in ((result.initial_model, "initial"), (result.model, "trained"))
        ]
        of_seed: dict[str, list[dict[str, Any]]] = {
            TASK_ACCURACY.kind: [
                setting | training_rows.outcome(result, place) | training_rows.reach(before, after)
            ],
            TRAINING_CURVES.kind: [
                labels | point for point in training_rows.curve(result, place, case["curve_points"])
            ],
            EVALUATIONS.kind: [
                labels_and_length | row for row in training_rows.evaluations(case, result, place)
            ],
            EXPLOSIONS.kind: [labels | row for row in training_rows.explosion(case, task, result, place)],
            GRADIENT_NORMS.kind: [row for reading in readings for row in reading.norm_rows],
            DECAY.kind: [reading.decay_row for reading in readings],
            HELD_OUT_SCORES.kind: [
                {"remedy": remedy.name} | row for row in net_rows(task, _model(result.model, place))
            ],
            SNAPSHOTS.kind: [
                labels_and_length | row
                for row in _snapshots(case, task, result, place, environment, before, after)
            ],
        }
        for kind, made in of_seed.items():
            rows.setdefault(kind, []).extend(common | {"seed": seed} | row for row in made)
    return {kind: of_kind for kind, of_kind in rows.items() if of_kind}


def _snapshot_steps(case: Any) -> list[int]:
    """Training steps spaced geometrically between the first evaluation and the end of the budget."""
    first, budget = case["evaluate_every"], case["step_budget"]
    if not case["snapshots"] or first >= budget:
        return []
    return sorted({int(step) for step in np.geomspace(first, budget, case["snapshots"] + 1)[:-1]})


def _snapshots(
    case: Any,
    task: Task,
    result: rj.TrainingResult,
    place: int,
    environment: Environment,
    before: Reading,
    after: Reading,
) -> list[dict[str, Any]]:
    """The first seed's net before, in between and after, where that is asked for."""
    if place or not case["snapshots"]:
        return []
    between = [
        (step, _probe(case, task, models, 0, environment, "snapshot"))
        for step, models in result.snapshots
        if step < result.steps_run[0]
    ]
    readings = [(0, before), *between, (int(result.steps_run[0]), after)]
    return [training_rows.snapshot(result, step, reading) for step, reading in readings]


@dataclass(frozen=True)
class TaskLoss:
    """The task's loss of one sequence, from the readout and the targets."""

    task: Task

    def __call__(self, arguments: tuple[Any, Any, Batch], cell: Any, states: Any) -> jax.Array:
        weight, bias, batch = arguments
        last = jax.tree.map(lambda leaf: leaf[-self.task.target_steps :], states)
        outputs = jax.vmap(cell.output)(last) @ weight.T + bias
        return self.task.loss(outputs[None], jax.tree.map(lambda leaf: leaf[None], batch))


def _model(models: Any, index: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[index], models)


def _probe(case: Any, task: Task, models: Any, index: int, environment: Environment, weights: str) -> Reading:
    model = _model(models, index)
    batch = task.sample(seed_key(index, 1), case["sequences"], jnp.dtype(environment.dtype))
    readout = jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf, (case["sequences"], *leaf.shape)), (model.weight, model.bias)
    )
    return probe(
        model.cell,
        batch.inputs,
        case["lags"],
        TaskLoss(task),
        (*readout, batch),
        weights=weights,
        recorded_sequences=case["recorded_sequences"],
        exponents=_EXPONENTS,
    )
