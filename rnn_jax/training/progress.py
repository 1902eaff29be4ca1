"""How far an ensemble has come in training: a value, so that it is whole at any moment."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from rnn_jax.training.run import Run


@dataclass(frozen=True)
class Progress:
    """An ensemble after some blocks of training steps.

    Attributes:
        runs: the seeds, with the copies that fill the last places where several devices share them.
        step_budget: the most steps a seed is trained.
        block_steps: steps between evaluations.
        snapshot_steps: after which steps models are still to be kept, in order.
        curves: loss and gradient norm at every step, a block each, shape (seeds, block_steps, 2).
        scores: loss and accuracy at every evaluation, each of shape (seeds, 2).
        snapshots: steps done, and the models then.
        train_s: seconds spent running so far, in all processes.
    """

    runs: Run
    step_budget: int
    block_steps: int
    snapshot_steps: tuple[int, ...] = ()
    curves: tuple[np.ndarray, ...] = ()
    scores: tuple[np.ndarray, ...] = ()
    snapshots: tuple[tuple[int, Any], ...] = ()
    train_s: float = 0.0

    @property
    def steps(self) -> int:
        """Training steps done by a seed that was neither solved nor diverged before."""
        return min(len(self.scores) * self.block_steps, self.step_budget)

    @property
    def is_over(self) -> bool:
        """True where no seed is to be trained further."""
        return not np.asarray(self.runs.is_active).any()

    @property
    def last_losses(self) -> np.ndarray:
        """The training loss at the last step done, shape (seeds,)."""
        return self.curves[-1][:, (self.steps - 1) % self.block_steps, 0]

    def after_block(self, advance: Callable[[Run], tuple[Run, Array]]) -> "Progress":
        """Trains one block further."""
        started = perf_counter()
        runs, curve = advance(self.runs)
        after = replace(
            self,
            runs=runs,
            curves=(*self.curves, np.asarray(curve)),
            scores=(*self.scores, np.asarray(runs.score)),
            train_s=self.train_s + perf_counter() - started,
        )
        left = tuple(step for step in self.snapshot_steps if step > after.steps)
        if left == self.snapshot_steps:
            return after
        return replace(after, snapshot_steps=left, snapshots=(*self.snapshots, (after.steps, runs.model)))

    def whole_curves(self) -> np.ndarray:
        """Loss and gradient norm at every step up to the budget, shape (seeds, steps, 2)."""
        return np.concatenate(self.curves, axis=1)[:, : self.step_budget]

    def of_first(self, seeds: int, device: Any | None) -> "Progress":
        """Without the copies behind the first `seeds`, on one device; where they are if it is None."""

        def of_seeds(tree: Any) -> Any:
            together = tree if device is None else jax.device_put(tree, device)
            return jax.tree.map(lambda leaf: leaf[:seeds], together)

        return replace(
            self,
            runs=of_seeds(self.runs),
            curves=tuple(block[:seeds] for block in self.curves),
            scores=tuple(score[:seeds] for score in self.scores),
            snapshots=tuple((steps, of_seeds(model)) for steps, model in self.snapshots),
        )
