"""What training gives, and how it is judged."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Array

from rnn_jax.shown import brief
from rnn_jax.tasks.task import Task
from rnn_jax.training.model import Model
from rnn_jax.training.run import QUANTITIES, Run

AT_BASELINE_FROM = 0.9
DIVERGED_FROM = 10.0


@brief
@dataclass(frozen=True)
class TrainingResult:
    """What became of each seed. Arrays are NumPy and lead with the seed axis.

    Attributes:
        loss: training loss at every step, without a remedy's penalty, shape (seeds, steps); NaN after
            a seed was solved or diverged, whose weights are kept as they were.
        gradient_norm: of the whole gradient, a penalty's with it, before the optimiser clips it;
            likewise. Both in the dtype of the net, at least float32.
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
        first_nonfinite_quantity: "loss" (a remedy's penalty with it), "gradient", "update", "optimizer_state", or "".
        model: the trained `Model`, its arrays with a leading seed axis; for a diverged seed the last
            finite one.
        optimizer_state: as the optimiser left it, with what a remedy adds to it, likewise: with `model` what a loop of
            one's own goes on from.
        initial_model: what training began with.
        baseline: the loss of the best guess without memory on the held-out examples.
        task, batch_size: as given.
        data_keys: random keys of the training examples, shape (seeds,): see `training_batch`.
        snapshots: (steps done, the models then, their arrays with a leading seed axis) for each of
            `snapshot_steps` that was reached, in order.
        compile_s, train_s: seconds spent compiling, where an earlier call of this process compiled the same
            program only what draws the nets, and running. Of a training that went on from a checkpoint the first
            is what this call took, the second what all calls took together, up to the checkpoints.
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
    optimizer_state: Any
    initial_model: Model
    baseline: float
    task: Task
    batch_size: int
    data_keys: Array
    snapshots: tuple[tuple[int, Model], ...]
    compile_s: float
    train_s: float


def result_of(
    runs: Run, *, baseline: float, curves: np.ndarray, scores: np.ndarray, **facts: Any
) -> TrainingResult:
    """The result of seeds that were trained.

    Args:
        runs: their last state.
        baseline: as in the result.
        curves: loss and gradient norm at every step, shape (seeds, steps, 2).
        scores: loss and accuracy at every evaluation, shape (seeds, evaluations, 2).
        **facts: the result's other attributes.
    """
    solved_step, nonfinite_step = np.asarray(runs.solved_step), np.asarray(runs.nonfinite_step)
    final_loss = scores[:, -1, 0]
    quantities = [QUANTITIES[index] if index >= 0 else "" for index in np.asarray(runs.nonfinite_quantity)]
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
        optimizer_state=runs.optimizer_state,
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
