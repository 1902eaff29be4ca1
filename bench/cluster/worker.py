"""What measures on a node: an actor of Ray that hands its cases to a process of `bench.running.child`.

Nothing here imports Ray or JAX: the process that measures is another one, as it is in a run on one machine.
"""

import json
import os
import queue
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.errors import CaseError, UsageError
from bench.running.children import Children
from bench.running.parts import part
from bench.store import Store, write_bytes

DESCRIBE_S = 300.0
"""Seconds that a process may take to say where it runs: it imports JAX for that."""


class Worker:
    """Measures one case at a time. What it finds leaves it as messages; it keeps nothing."""

    def __init__(self, suite: str, slot: int, cpus: int, checkpoint_every_s: float, debug: bool):
        """For one run.

        Args:
            suite: whose the cases are.
            slot: its number among those of its node.
            cpus: cores that it has for itself: those of its number.
            checkpoint_every_s: seconds between the checkpoints of a training.
            debug: show what a case's process says on its standard error.
        """
        self._problem = _held_to(slot, cpus)
        self._scratch = tempfile.TemporaryDirectory(prefix="rnn-bench-")
        self._store = Store(Path(self._scratch.name))
        self._said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._within: list[Any] | None = None
        self._sent: dict[Path, int] = {}
        self._children = Children(
            self._store,
            suite,
            debug=debug,
            note=self._note,
            checkpoint_every_s=checkpoint_every_s,
            # Ray sets it where nobody did. It says no more than the cores that this process is held to, and else
            # the folder would be of another machine than one that was measured without Ray.
            without={"OMP_NUM_THREADS": str(cpus)},
        )

    def described(self, backend: str, dtype: str, packages: Sequence[str]) -> dict[str, Any]:
        """What the process that measures says of where it runs, as `Children.described`; or an "error"."""
        if self._problem:
            return {"error": self._problem}
        try:
            return self._children.described((backend, dtype), packages, DESCRIBE_S)
        except CaseError as error:
            return {"error": str(error)}

    def begin(
        self,
        case_id: str,
        case: Mapping[str, Any],
        environment: Mapping[str, Any],
        checkpoints: Mapping[str, bytes],
        limit_s: float | None,
        process: int | None = None,
    ) -> list[dict[str, Any]]:
        """Begins a case, and returns what `more` does.

        Args:
            case_id, case, environment: what to measure; the latter two as dictionaries of their fields.
            checkpoints: files, by name, from which it goes on.
            limit_s: seconds after which it is given up; never if None.
            process: which of the case's fresh processes this is, where it has several.
        """
        shutil.rmtree(self._store.shards, ignore_errors=True)
        self._sent.clear()
        folder = self._store.checkpoints(case_id)
        try:
            for name, content in checkpoints.items():
                write_bytes(folder / name, content)
                self._sent[folder / name] = (folder / name).stat().st_mtime_ns
        except UsageError as error:
            return [{"lost": str(error)}]
        threading.Thread(
            target=self._measure, args=(case_id, case, environment, limit_s, process), daemon=True
        ).start()
        return self.more()

    def more(self, wait_s: float = 1.0) -> list[dict[str, Any]]:
        """What there is to say since the last call; waits so many seconds for it.

        Each is one of: "within", how far it is; "note"; "checkpoint", a file's name and content; "tables", the rows of
        a case that is done; "failed", its status and the error; "lost", why this node could not measure it.
        """
        said = []
        try:
            said.append(self._said.get(timeout=wait_s))
            while True:
                said.append(self._said.get_nowait())
        except queue.Empty:
            pass
        within, self._within = self._within, None
        progress = [{"within": within}] if within is not None else []
        return [*progress, *self._new_checkpoints(), *said]

    def close(self) -> None:
        """Ends its processes and removes its files."""
        self._children.close()
        self._scratch.cleanup()

    def _measure(
        self,
        case_id: str,
        case: Mapping[str, Any],
        environment: Mapping[str, Any],
        limit_s: float | None,
        process: int | None,
    ) -> None:
        try:
            self._children.measure_told(case, environment, self._report, limit_s, process)
            if process is None:
                (shard,) = self._store.shards.glob("*.json")
                tables = json.loads(shard.read_text(encoding="utf-8"))["tables"]
                shard.unlink()
            else:
                tables = part(self._store, case_id, process)
        except CaseError as error:
            self._said.put({"failed": [error.status, str(error)]})
        except Exception as error:  # such as a full disk there: no failure of the case
            self._said.put({"lost": str(error)})
        else:
            self._said.put({"tables": tables})

    def _new_checkpoints(self) -> list[dict[str, Any]]:
        """Those written since the last call: what is here does not outlive this node."""
        new = []
        for path in sorted(self._store.shards.glob("*.checkpoints/*.npz")):
            with suppress(FileNotFoundError):  # its case has ended just now
                written = path.stat().st_mtime_ns
                if self._sent.get(path) != written:
                    new.append({"checkpoint": [path.name, path.read_bytes()]})
                    self._sent[path] = written
        return new

    def _report(self, what: str, fraction: float) -> None:
        self._within = [what, fraction]  # only the last one is worth a message

    def _note(self, line: str) -> None:
        self._said.put({"note": line})


def _held_to(slot: int, cpus: int) -> str:
    """Holds this process, and those that it starts, to the cores of its number; says why it cannot be."""
    if not hasattr(os, "sched_setaffinity"):
        return "" if cpus == os.cpu_count() else f"no process can be held to {cpus} cores there"
    cores = sorted(os.sched_getaffinity(0))
    own = cores[slot * cpus : (slot + 1) * cpus]
    if len(own) < cpus:
        return (
            f"Ray counts more CPUs there than the {len(cores)} cores that processes may use; "
            f"start it with --num-cpus={len(cores)}"
        )
    os.sched_setaffinity(0, own)
    return ""
