"""A file with all that a training needs to go on to the same result after its process was killed.

It is an npz file without pickled objects: arrays, and a JSON text of what they are and whose. It is written
whole or not at all, so a kill leaves the checkpoint before.
"""

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rnn_jax.leaves import of_numbers, to_numbers
from rnn_jax.training.progress import Progress
from rnn_jax.training.run import Run

_FORMAT = "rnn_jax training checkpoint 2"
_PROGRAM, _START = "program_sha256", "start_sha256"
_HASHES = {
    _PROGRAM: "what a training step does (the optimizer, a part of the remedy or task, or the code)",
    _START: "the nets that training begins with (create, the optimizer's state, or the code)",
}
_TOLD_CHARACTERS = 80
_UNREADABLE = (ValueError, KeyError, TypeError, IndexError, EOFError, NotImplementedError, zipfile.BadZipFile)


class CheckpointError(ValueError):
    """A file cannot be gone on from: it is of another training, or no whole checkpoint."""


def identity_of(program: str, start: Run, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What tells one training from every other, in JSON's types.

    The settings make messages readable. They do not identify a training, as an optimiser is a function without
    a name: so the text of the program counts, with all its constants, and what it is first applied to.

    Args:
        program: of a block of training, before it is compiled: the same text in every process.
        start: what training begins with; the bytes of its arrays count, but for how long it is to be.
        settings: what is readable of the arguments.
    """
    start = replace(start, step=None, step_budget=None)  # pyright: ignore[reportArgumentType]
    return json.loads(json.dumps(dict(settings))) | {
        "jax": jax.__version__,
        _PROGRAM: hashlib.sha256(program.encode()).hexdigest(),
        _START: _hash_of(start),
    }


@dataclass(frozen=True)
class Checkpoint:
    """One training's file.

    Attributes:
        path: of the file.
        identity: from `identity_of`.
    """

    path: Path
    identity: Mapping[str, Any]

    def read(self, start: Progress) -> Progress:
        """How far the training had come; `start` itself where there is no file.

        Args:
            start: the progress before the first block, whose arrays say of what shape, dtype and device
                those of the file are.

        Raises:
            CheckpointError: the file is of another training, or no whole checkpoint.
        """
        if not self.path.exists():
            return start
        try:
            with self.path.open("rb") as file:
                if not zipfile.is_zipfile(file):
                    raise ValueError("it is no npz file, or was cut off")
                file.seek(0)
                with np.load(file, allow_pickle=False) as arrays:
                    facts = json.loads(arrays["facts"].tobytes())
                    if facts["format"] != _FORMAT:
                        raise ValueError(f"its format is {facts['format']!r}")
                    self._refuse_another_training(facts["identity"])
                    self._refuse_another_end(facts["step_budget"], start, len(arrays["scores"][0]))
                    return _progress(start, facts, arrays)
        except CheckpointError:
            raise
        except (*_UNREADABLE, zlib.error) as error:
            raise CheckpointError(
                f"checkpoint {self.path} is no whole checkpoint of a training: {error}; delete it to train "
                "from the start, or name another file"
            ) from error

    def write(self, progress: Progress) -> None:
        """Writes the file whole or not at all.

        Raises:
            OSError: the folder or the disk does not take it; the checkpoint before is still there.
        """
        facts = {
            "format": _FORMAT,
            "identity": self.identity,
            "step_budget": progress.step_budget,
            "train_s": progress.train_s,
            "snapshot_steps": [steps for steps, _ in progress.snapshots],
            "snapshot_steps_left": progress.snapshot_steps,
        }
        arrays = {
            "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8),
            "curves": np.concatenate(progress.curves, axis=1),
            "scores": np.stack(progress.scores, axis=1),
            **_numbered("run", progress.runs),
        }
        for number, (_, model) in enumerate(progress.snapshots):
            arrays |= _numbered(f"snapshot_{number}", model)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = (
                f"the folder of the checkpoint cannot be made ({error.strerror}); name a file in another one"
            )
            raise OSError(error.errno, message, str(self.path.parent)) from error
        name = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with name.open("wb") as file:
                np.savez(file, **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            name.unlink(missing_ok=True)
            raise

    def _refuse_another_training(self, there: Mapping[str, Any]) -> None:
        names = sorted({*there, *self.identity})
        unlike = [name for name in names if there.get(name) != self.identity.get(name)]
        if not unlike:
            return
        # The hashes differ with everything else, so they are told only where nothing readable does.
        differences = [
            f"{name} is {_shortened(there.get(name))} there and {_shortened(self.identity.get(name))} here"
            for name in unlike
            if name not in _HASHES
        ] or [f"{_HASHES[name]} differs" for name in unlike]
        raise CheckpointError(
            f"checkpoint {self.path} is of another training: {'; '.join(differences)}; delete it to train from the "
            "start, or name another file"
        )

    def _refuse_another_end(self, there: int, start: Progress, blocks: int) -> None:
        here, block = start.step_budget, start.block_steps
        if here < there:
            raise CheckpointError(
                f"checkpoint {self.path} is of a longer training: step_budget is {there} there and {here} here; a training "
                "can be made longer, not shorter"
            )
        if here > there and blocks * block > there:
            raise CheckpointError(
                f"checkpoint {self.path} ended after {there} steps, amid the {block} between two evaluations: it can be "
                "gone on from only where evaluate_every divides its step_budget"
            )


def _progress(start: Progress, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Progress:
    curves, scores = arrays["curves"], arrays["scores"]
    blocks = scores.shape[1]
    snapshots = tuple(
        (steps, _like(start.runs.model, f"snapshot_{number}", arrays))
        for number, steps in enumerate(facts["snapshot_steps"])
    )
    runs = _like(start.runs, "run", arrays)
    # The budget is the call's own; copies that fill places are out of steps from the start.
    steps = jax.numpy.where(start.runs.step < start.runs.step_budget, runs.step, start.runs.step)
    return replace(
        start,
        runs=replace(runs, step=steps, step_budget=start.runs.step_budget),
        snapshot_steps=tuple(facts["snapshot_steps_left"]),
        curves=tuple(np.split(curves, blocks, axis=1)),
        scores=tuple(scores[:, block] for block in range(blocks)),
        snapshots=snapshots,
        train_s=facts["train_s"],
    )


def _numbered(name: str, tree: Any) -> dict[str, np.ndarray]:
    return {f"{name}_{number}": to_numbers(leaf) for number, leaf in enumerate(jax.tree.leaves(tree))}


def _like(tree: Any, name: str, arrays: Mapping[str, np.ndarray]) -> Any:
    """The tree with the file's numbers in place of its own, on the same devices."""

    def restored(number: int, leaf: Any) -> Any:
        # npy files know no bfloat16: its bytes come back as they are, without its name.
        own = to_numbers(leaf)
        values = arrays[f"{name}_{number}"].view(own.dtype)
        if values.shape != own.shape:
            raise ValueError(f"{name}_{number} has shape {values.shape}, not {own.shape}")
        return jax.device_put(of_numbers(values, leaf), leaf.sharding)

    leaves, structure = jax.tree.flatten(tree)
    return jax.tree.unflatten(structure, [restored(number, leaf) for number, leaf in enumerate(leaves)])


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _TOLD_CHARACTERS else f"{text[:_TOLD_CHARACTERS]}..."


def _hash_of(tree: Any) -> str:
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        values = to_numbers(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {values.dtype} {values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
