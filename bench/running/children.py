"""Measures cases in processes of their own, one process at a time, so that a dtype, a peak of memory or a crash concerns one case alone."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.errors import CaseError, UsageError, failure_status
from bench.machine import Environment
from bench.store import Store
from bench.store.checkpoints import EVERY_S

if TYPE_CHECKING:
    from bench.suite.case import Case  # it imports JAX, which the process that only asks others does not need

COMMAND = ("-m", "bench.running.child")
_ROOT = Path(__file__).parents[2]
_POLL_S = 0.5


class Children:
    """Starts a child where the last one is of another dtype, failed, or is to be left alone.

    Use it as a context manager: no child outlives it.
    """

    def __init__(
        self,
        store: Store,
        suite: str,
        *,
        debug: bool = False,
        note: Callable[[str], None] | None = None,
        checkpoint_every_s: float = EVERY_S,
        without: Mapping[str, str] | None = None,
    ):
        """For the cases of one run.

        Args:
            store: where they are kept.
            suite: whose they are.
            debug: show what a child says on its standard error.
            note: told what a case has to say once; nobody if None.
            checkpoint_every_s: seconds between the checkpoints of a training.
            without: settings of the environment that children are not given where they have these values.
        """
        self._without = without or {}
        self._store, self._suite, self._debug = store, suite, debug
        self._note, self._checkpoint_every_s = note, checkpoint_every_s
        self._child: _Child | None = None

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process that there is."""
        self._stop()

    def measure(
        self,
        case: "Case",
        environment: Environment,
        report: Callable[[str, float], None],
        limit_s: float | None = None,
        process: int | None = None,
    ) -> None:
        """Has a case measured and its shard stored.

        Args:
            case: what to measure.
            environment: with the case's own dtype.
            report: told how the case goes on.
            limit_s: seconds after which it is given up; never if None.
            process: which of the case's fresh processes this is, where it has several; the last one stores the shard.

        Raises:
            CaseError: it failed, took too long, or its process died.
            UsageError: its shard could not be written.
        """
        self.measure_told(asdict(case), asdict(environment), report, limit_s, process)

    def measure_told(
        self,
        case: Mapping[str, Any],
        environment: Mapping[str, Any],
        report: Callable[[str, float], None],
        limit_s: float | None = None,
        process: int | None = None,
    ) -> None:
        """The same of a case and an environment as dictionaries of their fields."""
        kind = (environment["backend"], environment["dtype"])
        fresh = case["process"] == "fresh" or process is not None
        if fresh:
            self._stop()
        task = {
            "case": dict(case),
            "environment": dict(environment),
            "suite": self._suite,
            "folder": str(self._store.folder.absolute()),
            "checkpoint_every_s": self._checkpoint_every_s,
            "process": process,
        }
        answer = self._ask(kind, task, report, limit_s)
        if answer["status"] != "done" or fresh:
            self._stop()  # after an error a device can be unusable; a fresh process is for one case only
        if answer["status"] == "unwritable":
            raise UsageError(answer["error"])
        if answer["status"] != "done":
            raise CaseError(answer["status"], answer["error"])

    def described(
        self, kind: tuple[str, str], packages: Sequence[str], limit_s: float | None = None
    ) -> dict[str, Any]:
        """What a process of this backend and dtype says of where it runs.

        Args:
            kind: backend and dtype.
            packages: names of those of which it is asked whether they are there.
            limit_s: seconds after which it is given up; never if None.

        Returns:
            "facts" as of `machine.describe`, and "installation" as of `installation.installation`.

        Raises:
            CaseError: the process died or took too long.
        """
        return self._ask(kind, {"describe": list(packages)}, lambda what, fraction: None, limit_s)

    def _ask(
        self,
        kind: tuple[str, str],
        task: dict[str, Any],
        report: Callable[[str, float], None],
        limit_s: float | None,
    ) -> dict[str, Any]:
        if self._child is not None and self._child.kind != kind:
            self._stop()
        if self._child is None:
            self._child = _Child(kind, self._debug, self._without)
        try:
            return self._child.ask(task, report, self._note, limit_s)
        except CaseError:
            self._stop()
            raise

    def _stop(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None


class _Child:
    """One process of `bench.running.child`."""

    def __init__(self, kind: tuple[str, str], debug: bool, without: Mapping[str, str]):
        self.kind = kind
        self._debug = debug
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (it is closed by `stop`)
        path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, *COMMAND, *kind, *(["--debug"] if debug else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={name: value for name, value in os.environ.items() if without.get(name) != value}
            | {"PYTHONPATH": path},
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def ask(
        self,
        task: dict[str, Any],
        report: Callable[[str, float], None],
        note: Callable[[str], None] | None,
        limit_s: float | None,
    ) -> dict[str, Any]:
        """Sends a task and waits for its end."""
        until = None if limit_s is None else perf_counter() + limit_s
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(task) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise self._death() from None
        while True:
            if until is not None and perf_counter() > until:
                raise CaseError("timeout", f"given up after {limit_s:.0f} s: the time was over")
            try:
                line = self._lines.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if line is None:
                raise self._death()
            message = json.loads(line)
            if "within" in message:
                report(*message["within"])
            elif "note" in message:
                if note is not None:
                    note(message["note"])
            else:
                if self._debug:
                    sys.stderr.write(self._said())
                return message

    def stop(self) -> None:
        """Ends the process, whatever it is doing."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was not sent any more
                    stream.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                self._lines.put(line)
        except ValueError:
            pass  # closed by `stop`
        self._lines.put(None)

    def _death(self) -> CaseError:
        """What is known of a process that ended without an answer."""
        code = self._process.wait()
        said = self._said()
        if self._debug:
            sys.stderr.write(said)
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        last = lines[-1] if lines else "it said nothing"
        how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with code {code}"
        return CaseError(failure_status("\n".join(lines[-20:])), f"its process {how}: {last}")

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has a number alone
        return f"signal {number}"
