"""Runs the cases of a suite and keeps each as it is done."""

import traceback
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bench import tables
from bench.budget import Budget
from bench.cases.cell import setting_columns
from bench.checkpoints import EVERY_S
from bench.dispatch import Dispatch, Ended, Here
from bench.errors import failure_of
from bench.machine import Environment, finished
from bench.schema import FAILURES
from bench.store import Store
from bench.suite import Case, Suite


class Progress(Protocol):
    """Where a run says what it is doing.

    What it says is of the case that it named last. Where many are measured at once, it names one again.
    """

    def start(self, cases: int, already_done: int) -> None: ...
    def case(self, number: int, label: str) -> None: ...
    def within(self, what: str, fraction: float) -> None: ...
    def note(self, line: str) -> None: ...
    def done(self, seconds: float) -> None: ...
    def failed(self, label: str, error: str) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What a run did: how many cases it measured, found done before, failed to finish, and did not begin."""

    measured: int
    found_done: int
    failed: int
    left: int = 0


def run(
    suite: Suite,
    environment: Environment,
    store: Store,
    machine: Mapping[str, Any],
    progress: Progress,
    *,
    also_kept: Collection[str] = (),
    debug: bool = False,
    budget: Budget | None = None,
    checkpoint_every_s: float = EVERY_S,
    dispatch: Dispatch | None = None,
) -> Outcome:
    """Measures every case of the suite that the folder does not hold yet.

    A case that fails leaves a row in failures.csv and the run goes on. The CSV files are collated at
    the end, also after an interruption. Cases that failed before come last.

    Args:
        suite: what to measure.
        environment, machine: what it is measured on.
        store: the folder.
        progress: where to say what is going on.
        also_kept: ids of cases whose earlier results stay in the CSV files.
        debug: print the traceback of a case that fails.
        budget: the time it may take; a case that does not fit is not begun.
        checkpoint_every_s: seconds between the checkpoints of a training, from which the same case goes on
            after a kill.
        dispatch: where the cases are measured; here, one after the other, if None.

    Raises:
        KeyboardInterrupt: Ctrl-C; what was finished is collated before.
        UsageError: what was measured cannot be kept, or nothing can be measured any more.
    """
    budget = Budget(None) if budget is None else budget
    todo = [case for case in suite.cases if not store.is_done(case.case_id(environment))]
    todo.sort(key=lambda case: store.has_shard(case.case_id(environment)))  # what failed before, last
    found_done = len(suite.cases) - len(todo)
    progress.start(len(todo), found_done)
    failed, left = 0, 0
    if dispatch is None:
        dispatch = Here(suite, environment, store, debug=debug, checkpoint_every_s=checkpoint_every_s)
    turns = _Turns(progress)
    waiting, begun = deque(enumerate(todo, start=1)), {}
    try:
        with dispatch:
            while waiting or begun:
                while waiting and dispatch.free():
                    number, case = waiting.popleft()
                    if not budget.fits(case):
                        left += 1
                        continue
                    teller = _Teller(turns, number, suite.label(case))
                    teller.begins()
                    begun[number] = case, teller
                    dispatch.begin(number, case, budget.limit_s(), teller)
                if begun:
                    ended = dispatch.ended()
                    case, teller = begun.pop(ended.number)
                    budget.took(case, ended.seconds)
                    error = _kept(case, ended, environment, suite.name, store, debug)
                    teller.ends(ended.seconds, error)
                    failed += bool(error)
    finally:
        store.write_machine(finished(machine))
        store.collate({*also_kept, *(case.case_id(environment) for case in suite.cases)})
    if store.kinds():
        tables.derive(store)
    return Outcome(len(todo) - failed - left, found_done, failed, left)


def _kept(
    case: Case, ended: Ended, environment: Environment, suite_name: str, store: Store, debug: bool
) -> str:
    """Writes the shard of a case that ended; returns the error in one line, or nothing."""
    case_id = case.case_id(environment)
    if ended.error is None:
        if ended.tables is not None:
            store.write(case_id, ended.tables)
        return ""
    if debug:
        traceback.print_exception(ended.error)
    status, line = failure_of(ended.error)
    row = setting_columns(case, case.own(environment), suite_name) | {
        "kind": case.kind,
        "status": status,
        "error": line,
        "elapsed_s": ended.seconds,
    }
    store.write(case_id, {FAILURES.kind: [row]}, status="failed")
    return line


@dataclass
class _Turns:
    """Whose turn it is to say something."""

    progress: Progress
    last: int = 0


@dataclass(frozen=True)
class _Teller:
    """Says how one case goes on, and names it where the last word was of another."""

    turns: _Turns
    number: int
    label: str

    def begins(self) -> None:
        self._progress()

    def within(self, what: str, fraction: float) -> None:
        self._progress().within(what, fraction)

    def note(self, line: str) -> None:
        self._progress().note(line)

    def ends(self, seconds: float, error: str) -> None:
        if error:
            self._progress().failed(self.label, error)
        else:
            self._progress().done(seconds)

    def _progress(self) -> Progress:
        if self.turns.last != self.number:
            self.turns.last = self.number
            self.turns.progress.case(self.number, self.label)
        return self.turns.progress
