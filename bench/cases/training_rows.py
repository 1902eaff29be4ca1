"""What a training tells of itself, in columns of the result files: a function a kind of row."""

from typing import Any

import jax
import numpy as np

import rnn_jax as rj
from bench.cases.reach import Reading
from rnn_jax.lags import geometric_lags
from rnn_jax.tasks import Task
from rnn_jax.training.run import EVALUATION_EXAMPLES

_WORST_SEQUENCES = 4


def setting(case: Any, task: Task, remedy: rj.remedies.Remedy, result: rj.TrainingResult) -> dict[str, Any]:
    """What is the same for all seeds, of the columns of task_accuracy.csv."""
    return {
        "clip_threshold": _clip_threshold(remedy),
        "parameter_count": sum(leaf.size // len(case.seeds) for leaf in jax.tree.leaves(result.model)),
        "optimizer": case["optimizer"],
        "learning_rate_grid": case["learning_rate_grid"],
        "tuning_seeds": case["tuning_seeds"],
        "tuning_steps": case["tuning_steps"],
        "batch_size": case["batch_size"],
        "data_regime": getattr(task, "data_regime", "fresh"),
        "step_budget": case["step_budget"],
        "evaluation_examples": EVALUATION_EXAMPLES,
        "metric": task.metric,
        "baseline_loss": result.baseline,
        "target_id": case["target"],
        "train_s": result.train_s,
        "compile_s": result.compile_s,
    }


def outcome(result: rj.TrainingResult, seed: int) -> dict[str, Any]:
    """How a seed's training ended."""

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


def reach(before: Reading, after: Reading) -> dict[str, Any]:
    """How far a net's gradient reached before and after training."""
    row: dict[str, Any] = {}
    for when, reading in (("before", before), ("after", after)):
        row[f"rate_{when}_nats_per_step"] = reading.decay_row["rate_nats_per_step"]
        row[f"reach_{when}_steps"] = reading.decay_row["reach_steps"]
        row[f"reach_{when}_censored"] = reading.decay_row["reach_censored"]
        for which, value in zip(("largest", "second"), reading.exponents, strict=False):
            row[f"{which}_exponent_{when}_nats_per_step"] = value
    return row


def curve(result: rj.TrainingResult, seed: int, points: int) -> list[dict[str, Any]]:
    """So many points of the training curve, with its first and last steps."""
    steps_run = int(result.steps_run[seed])
    steps = np.unique(np.linspace(1, steps_run, min(points, steps_run)).round().astype(int))
    return [
        {
            "step": int(step),
            "loss": float(result.loss[seed, step - 1]),
            "gradient_norm": float(result.gradient_norm[seed, step - 1]),
        }
        for step in steps
    ]


def evaluations(case: Any, result: rj.TrainingResult, seed: int) -> list[dict[str, Any]]:
    """Every score of a seed on the held-out examples while it was trained, where that is held against a target."""
    if case["target"] is None:
        return []
    points = []
    steps_run = result.steps_run[seed]
    scores = zip(
        result.evaluation_steps, result.evaluation_loss[seed], result.evaluation_accuracy[seed], strict=True
    )
    for step, loss, accuracy in scores:
        scored = {"loss": float(loss), "accuracy": float(accuracy)}
        points.append({"target_id": case["target"], "step": int(min(step, steps_run))} | scored)
        if step >= steps_run:
            break
    return points


def explosion(case: Any, task: Task, result: rj.TrainingResult, seed: int) -> list[dict[str, Any]]:
    """The chains over the batch at which a seed became not finite, the worst sequences first; nothing of one that did not."""
    if result.first_nonfinite_step[seed] < 0:
        return []
    lags = geometric_lags(task.sequence_length, case["lags"])
    seen = rj.explosion(result, seed, sequences=min(_WORST_SEQUENCES, case["batch_size"]), lags=lags)
    assert seen.chain.spectral_norm is not None
    frobenius, spectral = (
        norm.log10_float64() for norm in (seen.chain.frobenius_norm, seen.chain.spectral_norm)
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


def snapshot(result: rj.TrainingResult, step: int, reading: Reading) -> dict[str, Any]:
    """The first seed's net after so many steps: its score, where it was evaluated then, and how far its gradient reached."""
    place = np.flatnonzero(result.evaluation_steps == step)
    scores = {
        "loss": float(result.evaluation_loss[0, place[0]]) if place.size else None,
        "accuracy": float(result.evaluation_accuracy[0, place[0]]) if place.size else None,
    }
    columns = ("rate_nats_per_step", "reach_steps", "reach_censored")
    largest = zip(("largest", "second"), reading.exponents, strict=False)
    return (
        {"step": step}
        | scores
        | {name: reading.decay_row[name] for name in columns}
        | {f"{which}_exponent_nats_per_step": value for which, value in largest}
    )


def _clip_threshold(remedy: rj.remedies.Remedy) -> float | None:
    """The largest gradient that the remedy, or the last part of it that clips, lets through."""
    parts = remedy.parts or (remedy,)
    return next((part.strength for part in reversed(parts) if rj.remedies.REMEDIES[part.name].clips), None)
