"""Trains an ensemble on a task that needs long memory, and probes its nets before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import rnn_jax as rj
from bench.cases.cell import CELL_PARAMETERS, Report, create_cell, resolved_cell, seed_key, task_columns
from bench.cases.probe import Reading, geometric_lags, probe
from bench.machine import Environment
from bench.parameter import Parameter
from bench.schema import DECAY, EXPLOSIONS, GRADIENT_NORMS, TASK_ACCURACY, TRAINING_CURVES
from rnn_jax.coordinates import real_size
from rnn_jax.tasks import Batch, Task
from rnn_jax.training_run import EVALUATION_EXAMPLES

VERSION = 1
OPTIMIZERS = {"adam": optax.adam, "rmsprop": optax.rmsprop, "sgd": optax.sgd}
_VARIANTS = tuple(variant for task in rj.tasks.TASKS.values() for variant in task.VARIANTS)
_CURVE_POINTS = 50
_WORST_SEQUENCES = 4

PARAMETERS = (
    *CELL_PARAMETERS,
    Parameter("task", str, "the task", required=True, choices=tuple(rj.tasks.TASKS)),
    Parameter("variant", str, "which of its definitions; the first one if missing", choices=_VARIANTS),
    Parameter("task_length", int, "the task's length", required=True, low=1, high=100_000),
    Parameter(
        "remedy", str, "against vanishing or exploding gradients", "none", choices=tuple(rj.remedies.REMEDIES)
    ),
    Parameter("remedy_strength", float, "the remedy's one number", low=1e-12, high=1e12),
    Parameter("optimizer", str, "optax optimiser", "adam", choices=tuple(OPTIMIZERS)),
    Parameter("learning_rate", float, "its step size", 2e-3, low=1e-12, high=1e3),
    Parameter("batch_size", int, "examples a training step", 50, low=1, high=1_000_000),
    Parameter("step_budget", int, "training steps at most", 2000, low=1, high=10_000_000),
    Parameter("evaluate_every", int, "training steps between evaluations", 100, low=1, high=1_000_000),
    Parameter("sequences", int, "input sequences over which log norms are averaged", 16, low=1, high=10_000),
    Parameter("lags", int, "how many lags, geometrically spaced", 40, low=2, high=200),
)


def resolved(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Fills in the cell's options, the task's first variant and the remedy's own strength.

    Raises:
        ValueError: the task knows no such variant or length, or a strength is given to no remedy or
            one that does not allow it.
    """
    chosen = resolved_cell(parameters)
    if chosen["variant"] is None:
        chosen["variant"] = rj.tasks.TASKS[chosen["task"]].variant
    if chosen["remedy"] == "none" and chosen["remedy_strength"] is not None:
        raise ValueError("remedy_strength needs a remedy, got remedy = 'none'")
    if chosen["remedy_strength"] is None:
        chosen["remedy_strength"] = rj.remedies.REMEDIES[chosen["remedy"]].strength
    _remedy(chosen)
    _task(chosen)
    return chosen


def run(
    case: Any, environment: Environment, suite: str, report: Report
) -> Mapping[str, list[dict[str, Any]]]:
    """Trains every seed; rows for task_accuracy, training_curves, gradient_norms, decay, explosions."""
    task = _task(case.parameters)
    remedy = _remedy(case.parameters)
    budget = case["step_budget"]
    result = rj.train(
        task,
        lambda key: create_cell(case, task.input_size, key, environment),
        key=seed_key(0, 3),
        seeds=len(case.seeds),
        batch_size=case["batch_size"],
        optimizer=OPTIMIZERS[case["optimizer"]](case["learning_rate"]),
        remedy=remedy,
        step_budget=budget,
        evaluate_every=case["evaluate_every"],
        on_progress=lambda step, _: report(f"training step {step} of {budget}", step / budget),
    )
    state = jax.eval_shape(lambda model: model.cell.initial_state(), _model(result.model, 0))
    common = task_columns(case, environment, suite, task, state_size=real_size(state))
    told = {
        "task": task.name,
        "variant": task.variant,
        "remedy": remedy.name,
        "remedy_strength": remedy.strength,
    }
    before = [_probe(case, task, result.initial_model, index, environment, "initial") for index in case.seeds]
    after = [_probe(case, task, result.model, index, environment, "trained") for index in case.seeds]
    rows: dict[str, list[dict[str, Any]]] = {}
    for seed in case.seeds:
        head = common | {"seed": seed}
        outcome = _outcome(result, seed) | _reach(before[seed], after[seed])
        setting = told | {
            "task_length": task.length,
            "clip_threshold": remedy.strength if rj.remedies.REMEDIES[remedy.name].clips else None,
            "parameter_count": sum(leaf.size // len(case.seeds) for leaf in jax.tree.leaves(result.model)),
            "optimizer": case["optimizer"],
            "learning_rate": case["learning_rate"],
            "batch_size": case["batch_size"],
            "data_regime": getattr(task, "data_regime", "fresh"),
            "step_budget": budget,
            "evaluation_examples": EVALUATION_EXAMPLES,
            "metric": task.metric,
            "baseline_loss": result.baseline,
            "train_s": result.train_s,
            "compile_s": result.compile_s,
        }
        rows.setdefault(TASK_ACCURACY.kind, []).append(head | setting | outcome)
        rows.setdefault(TRAINING_CURVES.kind, []).extend(
            head | told | point for point in _curve(result, seed)
        )
        if result.first_nonfinite_step[seed] > 0:
            lags = geometric_lags(task.sequence_length, case["lags"])
            seen = rj.explosion(result, seed, sequences=min(_WORST_SEQUENCES, case["batch_size"]), lags=lags)
            rows.setdefault(EXPLOSIONS.kind, []).extend(head | told | row for row in _explosion_rows(seen))
        for reading in (before[seed], after[seed]):
            rows.setdefault(GRADIENT_NORMS.kind, []).extend(head | row for row in reading.norm_rows)
            rows.setdefault(DECAY.kind, []).append(head | reading.decay_row)
    return rows


@dataclass(frozen=True)
class TaskLoss:
    """The task's loss of one sequence, from the readout and the targets."""

    task: Task

    def __call__(self, arguments: tuple[Any, Any, Batch], cell: Any, states: Any) -> jax.Array:
        weight, bias, batch = arguments
        last = jax.tree.map(lambda leaf: leaf[-self.task.target_steps :], states)
        outputs = jax.vmap(cell.output)(last) @ weight.T + bias
        return self.task.loss(outputs[None], jax.tree.map(lambda leaf: leaf[None], batch))


def _task(parameters: Mapping[str, Any]) -> Any:
    return rj.tasks.TASKS[parameters["task"]](parameters["task_length"], parameters["variant"])


def _remedy(parameters: Mapping[str, Any]) -> rj.remedies.Remedy:
    return rj.remedies.create(parameters["remedy"], parameters["remedy_strength"])


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
        recorded_sequences=1,
    )


def _outcome(result: rj.TrainingResult, seed: int) -> dict[str, Any]:
    def known(value: Any) -> int | None:
        return int(value) if value >= 0 else None

    norms = result.gradient_norm[seed]
    finite = norms[np.isfinite(norms)]
    return {
        "steps_run": int(result.steps_run[seed]),
        "accuracy": float(result.final_accuracy[seed]),
        "loss": float(result.final_loss[seed]),
        "verdict": result.verdict[seed],
        "steps_to_solve": known(result.steps_to_solve[seed]),
        "first_nonfinite_step": known(result.first_nonfinite_step[seed]),
        "first_nonfinite_quantity": result.first_nonfinite_quantity[seed],
        "largest_gradient_norm": float(finite.max()) if finite.size else None,
        "median_gradient_norm": float(np.median(finite)) if finite.size else None,
    }


def _reach(before: Reading, after: Reading) -> dict[str, Any]:
    return {
        "rate_before_nats_per_step": before.decay_row["rate_nats_per_step"],
        "rate_after_nats_per_step": after.decay_row["rate_nats_per_step"],
        "reach_before_steps": before.decay_row["reach_steps"],
        "reach_after_steps": after.decay_row["reach_steps"],
    }


def _curve(result: rj.TrainingResult, seed: int) -> list[dict[str, Any]]:
    """About fifty points of the training curve, with its first and last steps."""
    steps_run = int(result.steps_run[seed])
    steps = np.unique(np.linspace(1, steps_run, min(_CURVE_POINTS, steps_run)).round().astype(int))
    return [
        {
            "step": int(step),
            "loss": float(result.loss[seed, step - 1]),
            "gradient_norm": float(result.gradient_norm[seed, step - 1]),
        }
        for step in steps
    ]


def _explosion_rows(seen: rj.Explosion) -> list[dict[str, Any]]:
    assert seen.chain.spectral_norm is not None
    frobenius, spectral = (
        norm.log_float64() / np.log(10.0) for norm in (seen.chain.frobenius_norm, seen.chain.spectral_norm)
    )
    return [
        {
            "step": seen.step,
            "quantity": seen.quantity,
            "rank": rank,
            "sequence": int(sequence),
            "lag": int(lag),
            "log10_frobenius_norm": float(frobenius[rank, place]),
            "log10_spectral_norm": float(spectral[rank, place]),
        }
        for rank, sequence in enumerate(seen.sequences)
        for place, lag in enumerate(np.asarray(seen.chain.lags))
    ]
