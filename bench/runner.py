"""Runs the cases of a suite, one after the other, and keeps each as it is done."""

import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

from bench import tables
from bench.cases import KINDS
from bench.cases.cell import setting_columns
from bench.machine import Environment, finished
from bench.schema import FAILURES
from bench.store import Store
from bench.suite import Case, Suite


class Progress(Protocol):
    """Where a run says what it is doing."""

    def start(self, cases: int, already_done: int) -> None: ...
    def case(self, number: int, label: str) -> None: ...
    def within(self, what: str, fraction: float) -> None: ...
    def done(self, seconds: float) -> None: ...
    def failed(self, label: str, error: str) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What a run did: how many cases it measured, found done before, and failed to finish."""

    measured: int
    found_done: int
    failed: int


def run(
    suite: Suite,
    environment: Environment,
    store: Store,
    machine: Mapping[str, Any],
    progress: Progress,
    *,
    also_kept: Collection[str] = (),
    debug: bool = False,
) -> Outcome:
    """Measures every case of the suite that the folder does not hold yet.

    A case that fails leaves a row in failures.csv and the run goes on. The CSV files are collated at
    the end, also after an interruption.

    Args:
        suite: what to measure.
        environment, machine: what it is measured on.
        store: the folder.
        progress: where to say what is going on.
        also_kept: ids of cases whose earlier results stay in the CSV files.
        debug: print the traceback of a case that fails.

    Raises:
        KeyboardInterrupt: Ctrl-C; what was finished is collated before.
    """
    todo = [case for case in suite.cases if not store.is_done(case.case_id(environment))]
    found_done = len(suite.cases) - len(todo)
    progress.start(len(todo), found_done)
    failed = 0
    try:
        for number, case in enumerate(todo, start=1):
            progress.case(number, suite.label(case))
            started = perf_counter()
            error = _measure(case, environment, suite.name, store, progress, started, debug)
            if error:
                failed += 1
                progress.failed(suite.label(case), error)
            else:
                progress.done(perf_counter() - started)
    finally:
        store.write_machine(finished(machine))
        store.collate({*also_kept, *(case.case_id(environment) for case in suite.cases)})
    if store.kinds():
        tables.derive(store)
    return Outcome(len(todo) - failed, found_done, failed)


def _measure(
    case: Case,
    environment: Environment,
    suite_name: str,
    store: Store,
    progress: Progress,
    started: float,
    debug: bool,
) -> str:
    """Measures one case and writes its shard; returns the error in one line, or nothing."""
    case_id = case.case_id(environment)
    try:
        rows = KINDS[case.kind].run(case, environment, suite_name, progress.within)
    except Exception as error:
        if debug:
            traceback.print_exc()
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        memory = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
        row = setting_columns(case, environment, suite_name) | {
            "kind": case.kind,
            "status": "out_of_memory" if memory else "failed",
            "error": line,
            "elapsed_s": perf_counter() - started,
        }
        store.write(case_id, {FAILURES.kind: [row]}, status="failed")
        return line
    store.write(case_id, rows)
    return ""
