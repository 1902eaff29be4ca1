"""Runs the cases of a suite, one after the other, and keeps each as it is done."""

import traceback
from collections.abc import Collection, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

from bench import tables
from bench.budget import Budget
from bench.case import Case
from bench.cases import measure
from bench.cases.cell import setting_columns
from bench.checkpoints import EVERY_S, Checkpoints
from bench.children import Children
from bench.errors import UsageError, failure_of
from bench.machine import Environment, finished
from bench.parts import Turn, turns
from bench.schema import FAILURES
from bench.store import Store
from bench.suite import Suite


class Progress(Protocol):
    """Where a run says what it is doing."""

    def start(self, cases: int, already_done: int) -> None: ...
    def case(self, number: int, label: str) -> None: ...
    def within(self, what: str, fraction: float) -> None: ...
    def note(self, line: str) -> None: ...
    def done(self, seconds: float) -> None: ...
    def failed(self, label: str, error: str) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What a run did: how many cases it measured, found done before, failed to finish, did not begin for want of
    time, and did not begin because another run had them in hand."""

    measured: int
    found_done: int
    failed: int
    left: int = 0
    elsewhere: int = 0


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
) -> Outcome:
    """Measures every case of the suite that the folder does not hold yet.

    A case that fails leaves a row in failures.csv and the run goes on. The CSV files are collated at
    the end, also after an interruption. Cases that failed before come last; one that another run into the same
    folder has in hand is left to it. Where a case of the suite has a dtype or processes of its own, all are measured
    in other processes, so that this one leaves the device alone. One of several processes is visited once for each:
    see `bench.parts`.

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

    Raises:
        KeyboardInterrupt: Ctrl-C; what was finished is collated before.
    """
    budget = Budget(None) if budget is None else budget
    kept = {*also_kept, *(case.case_id(environment) for case in suite.cases)}
    set_aside = store.clean(kept)
    tried = {case.case_id(environment): store.written_at(case.case_id(environment)) for case in suite.cases}
    todo = in_order(suite, environment, store)
    to_take = turns(todo, store, environment)
    progress.start(len(to_take), len(suite.cases) - len(todo))
    for line in set_aside:
        progress.note(line)
    failed: set[str] = set()
    left: set[str] = set()
    elsewhere: set[str] = set()
    theirs: set[str] = set()
    own_processes = nullcontext()
    if suite.in_children:
        own_processes = Children(
            store, suite.name, debug=debug, note=progress.note, checkpoint_every_s=checkpoint_every_s
        )
    try:
        with own_processes as children:
            for number, turn in enumerate(to_take, start=1):
                case, case_id = turn.case, turn.case.case_id(environment)
                if case_id in failed | theirs | elsewhere:
                    continue
                if not budget.fits(turn.costed):
                    left.add(case_id)
                    continue
                label = turn.label(suite.label(case))
                with store.reserved(case_id) as ours:
                    if not ours:
                        elsewhere.add(case_id)
                        continue
                    if store.written_at(case_id) != tried[case_id]:  # by another run, since this one began
                        theirs.add(case_id)
                        continue
                    progress.case(number, label)
                    started = perf_counter()
                    error = _measure(
                        turn,
                        environment,
                        suite.name,
                        store,
                        progress,
                        started,
                        debug,
                        children,
                        budget,
                        checkpoint_every_s,
                    )
                budget.took(turn.costed, perf_counter() - started)
                if error:
                    failed.add(case_id)
                    progress.failed(label, error)
                else:
                    progress.done(perf_counter() - started)
    except BaseException:
        with suppress(UsageError), store.turn(progress.note):  # the first error is the one to tell
            _publish(store, machine, kept, progress)
        raise
    with store.turn(progress.note):
        _publish(store, machine, kept, progress)
        if store.kinds():
            tables.derive(store)
    failed |= {case_id for case_id in theirs if not store.is_done(case_id)}
    left -= failed | theirs | elsewhere
    found_done = len(suite.cases) - len(todo) + len(theirs - failed)
    measured = len(suite.cases) - found_done - len(failed) - len(left) - len(elsewhere)
    return Outcome(measured, found_done, len(failed), len(left), len(elsewhere))


def in_order(suite: Suite, environment: Environment, store: Store) -> list[Case]:
    """The cases that a run has to measure, in its order: what failed before comes last."""
    todo = [case for case in suite.cases if not store.is_done(case.case_id(environment))]
    return sorted(todo, key=lambda case: store.has_shard(case.case_id(environment)))


def _publish(store: Store, machine: Mapping[str, Any], kept: Collection[str], progress: Progress) -> None:
    """Collates what is finished, and dates it."""
    store.write_machine(finished(machine))
    store.collate(kept, progress.note)


def _measure(
    turn: Turn,
    environment: Environment,
    suite_name: str,
    store: Store,
    progress: Progress,
    started: float,
    debug: bool,
    children: Children | None,
    budget: Budget,
    checkpoint_every_s: float,
) -> str:
    """Measures one turn of a case and writes its shard; returns the error in one line, or nothing."""
    case = turn.case
    own, case_id = case.own(environment), case.case_id(environment)
    try:
        if children is not None:
            children.measure(case, own, progress.within, budget.limit_s(), turn.process)
            return ""
        checkpoints = Checkpoints(store.checkpoints(case_id), checkpoint_every_s, progress.note)
        store.write(case_id, measure(case, own, suite_name, progress.within, checkpoints))
        return ""
    except UsageError:
        raise
    except Exception as error:
        if debug:
            traceback.print_exc()
        status, line = failure_of(error)
        row = setting_columns(case, own, suite_name) | {
            "kind": case.kind,
            "status": status,
            "error": line,
            "elapsed_s": perf_counter() - started,
        }
        store.write(case_id, {FAILURES.kind: [row]}, status="failed")
        return line
