"""Lets the trainings of a case go on after a kill, from files in a folder of the case's own."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError

if TYPE_CHECKING:
    import rnn_jax as rj  # imported where it is used: a process that only asks others for cases needs no JAX

EVERY_S = 60.0
"""Seconds between a training's checkpoints, unless a run says otherwise."""
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)
"""What is the run's failure, not the case's."""


@dataclass(frozen=True)
class Checkpoints:
    """Where a case keeps its checkpoints, until its results are stored.

    Attributes:
        folder: made when the first one is written.
        every_s: seconds between those of one training.
        note: told in a line when a training goes on, or cannot.
    """

    folder: Path
    every_s: float
    note: Callable[[str], None]

    def train(self, name: str, *arguments: Any, **options: Any) -> "rj.TrainingResult":
        """`rnn_jax.train` with a checkpoint under this name, from which it goes on if it is there.

        A file that cannot be gone on from, such as one that other code wrote, is noted and its training begun anew.
        """
        import rnn_jax as rj

        path = self.folder / f"{name}.npz"
        try:
            return self._gone_on(name, path, arguments, options)
        except rj.CheckpointError as error:
            self.note(f"{name} begins anew: {error}")
            path.unlink(missing_ok=True)
            return self._gone_on(name, path, arguments, options)

    def _gone_on(
        self, name: str, path: Path, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> "rj.TrainingResult":
        import rnn_jax as rj

        goes_on, tell = path.is_file(), options.get("on_progress")

        def on_progress(steps: int, losses: Any) -> None:
            nonlocal goes_on
            if goes_on:
                self.note(f"{name} goes on from step {steps}")
                goes_on = False
            if tell is not None:
                tell(steps, losses)

        own = {"checkpoint": path, "checkpoint_every_s": self.every_s, "on_progress": on_progress}
        try:
            return rj.train(*arguments, **(options | own))
        except OSError as error:
            if error.errno not in _OF_THE_DISK:
                raise
            raise UsageError(
                f"cannot read or write the checkpoint {path}: {error.strerror}; what was finished before is kept"
            ) from error


def train_without(name: str, *arguments: Any, **options: Any) -> "rj.TrainingResult":
    """`rnn_jax.train` in the place of `Checkpoints.train`, for a case that is to keep none."""
    import rnn_jax as rj

    return rj.train(*arguments, **options)
