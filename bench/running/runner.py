"""Runs the cases of a suite and keeps each as it is done."""

import traceback
from collections.abc import Collection, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from bench.cases.cell import setting_columns
from bench.errors import UsageError, failure_of
from bench.machine import Environment, finished
from bench.running import parts
from bench.running.budget import Budget
from bench.running.dispatch import Dispatch, Ended, Here
from bench.running.parts import CasePart, parts_to_measure
from bench.schema import FAILURES
from bench.store import Store
from bench.store.checkpoints import EVERY_S
from bench.suite import Suite
from bench.suite.case import Case


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
    """What a run did: how many cases it measured, found done before, failed to finish, did not begin for want of
    time, and did not begin because another run had them in hand."""

    measured: int
    found_done: int
    failed: int
    left: int = 0
    elsewhere: int = 0


class InterruptedRun(KeyboardInterrupt):
    """Ctrl-C, after what was finished was kept.

    Attributes:
        outcome: what the run did until then; what it did not finish counts as left.
    """

    def __init__(self, outcome: Outcome):
        super().__init__()
        self.outcome = outcome


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
    pictures: bool = True,
) -> Outcome:
    """Measures every case of the suite that the folder does not hold yet.

    A case that fails leaves a row in failures.csv and the run goes on. The CSV files are collated at
    the end, also after an interruption. Cases that failed before come last; one that another run into the same
    folder has in hand is left to it. A case of several processes is visited once for each: see `bench.running.parts`.

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
        pictures: False leaves the folder's pictures as they are.

    Raises:
        InterruptedRun: Ctrl-C; what was finished is collated before.
        UsageError: what was measured cannot be kept, or nothing can be measured any more.
    """
    budget = Budget(None) if budget is None else budget
    case_ids = {*also_kept, *(case.case_id(environment) for case in suite.cases)}
    set_aside = store.clean(case_ids)
    # Before looking what is done: what another run does from here on is seen when a case is begun.
    tried = {case_id: store.written_at(case_id) for case_id in case_ids}
    todo = in_order(suite, environment, store)
    if dispatch is None:
        dispatch = Here(suite, environment, store, debug=debug, checkpoint_every_s=checkpoint_every_s)
    run_of = _Run(suite, environment, store, progress, dispatch, budget, debug, tried)
    to_measure = parts_to_measure(todo, store, environment)
    progress.start(len(to_measure), len(suite.cases) - len(todo))
    for line in (*set_aside, *note_of_dropped_cases(store, case_ids)):
        progress.note(line)
    try:
        run_of.measure(to_measure)
    except BaseException as error:
        with suppress(UsageError), store.exclusive(progress.note):  # the first error is the one to tell
            _publish(store, machine, case_ids, progress)
            if isinstance(error, KeyboardInterrupt):
                raise InterruptedRun(run_of.outcome_so_far(len(todo))) from error
        raise
    with store.exclusive(progress.note):
        _publish(store, machine, case_ids, progress)
        if store.kinds():
            # It takes a second to import, which who asks for help need not wait for.
            from bench.deriving import derived

            derived.derive(store, pictures)
    return run_of.outcome(len(todo))


def note_of_dropped_cases(store: Store, case_ids: Collection[str]) -> list[str]:
    """A line that tells of cases whose rows a run will take out of the CSV files; none where there are none."""
    gone = sum(store.has_shard(case_id) for case_id in store.case_ids() - set(case_ids))
    if not gone:
        return []
    cases = "1 case" if gone == 1 else f"{gone} cases"
    return [
        f"{cases} measured earlier, not of this suite as it is now: their rows leave the CSV files, their shards stay; "
        "with the suite as it was, or another --out, they are there again"
    ]


def in_order(suite: Suite, environment: Environment, store: Store) -> list[Case]:
    """The cases that a run has to measure, in its order: what failed before comes last."""
    todo = [case for case in suite.cases if not store.is_done(case.case_id(environment))]
    return sorted(todo, key=lambda case: store.has_shard(case.case_id(environment)))


def _publish(store: Store, machine: Mapping[str, Any], case_ids: Collection[str], progress: Progress) -> None:
    """Collates what is finished, and dates it."""
    store.write_machine(finished(machine))
    store.collate(case_ids, progress.note)


class _Run:
    """The parts of one run's cases, and what became of them."""

    def __init__(
        self,
        suite: Suite,
        environment: Environment,
        store: Store,
        progress: Progress,
        dispatch: Dispatch,
        budget: Budget,
        debug: bool,
        tried: Mapping[str, int | None],
    ):
        """`tried` tells when each case was last tried, as this run began."""
        self._suite, self._environment, self._store = suite, environment, store
        self._dispatch, self._budget, self._debug, self._tried = dispatch, budget, debug, tried
        self._speaking = _Speaking(progress)
        self._begun: dict[int, _Begun] = {}
        self._failed: set[str] = set()
        self._left: set[str] = set()
        self._elsewhere: dict[str, dict[int, CasePart]] = {}
        self._theirs: set[str] = set()

    def measure(self, parts: list[CasePart]) -> None:
        """Has every part measured, as many at once as the dispatch can; two of one case follow each other."""
        waiting = dict(enumerate(parts, start=1))
        try:
            with self._dispatch:
                while waiting or self._begun or self._released(waiting):
                    number = self._next(waiting) if self._dispatch.free() else None
                    if number is not None:
                        self._begin(number, waiting.pop(number))
                    elif self._begun:
                        self._end(self._dispatch.ended())
        finally:
            for begun in self._begun.values():
                begun.reservation.close()

    def outcome(self, todo: int) -> Outcome:
        """Of so many cases that were not done before."""
        store, cases = self._store, len(self._suite.cases)
        failed = self._failed | {case_id for case_id in self._theirs if not store.is_done(case_id)}
        left = self._left - failed - self._theirs - self._elsewhere.keys()
        found_done = cases - todo + len(self._theirs - failed)
        measured = cases - found_done - len(failed) - len(left) - len(self._elsewhere)
        return Outcome(measured, found_done, len(failed), len(left), len(self._elsewhere))

    def outcome_so_far(self, todo: int) -> Outcome:
        """The same of a run that does not go on."""
        ids = {case.case_id(self._environment) for case in self._suite.cases}
        self._left |= {case_id for case_id in ids if not self._store.is_done(case_id)}
        return self.outcome(todo)

    def _released(self, waiting: dict[int, CasePart]) -> bool:
        """Puts back what another run no longer has in hand, because it is done or was killed; whether there is any."""
        for case_id in list(self._elsewhere):
            with self._store.reserved(case_id) as free:
                if free:
                    waiting |= self._elsewhere.pop(case_id)
        return bool(waiting)

    def _next(self, waiting: Mapping[int, CasePart]) -> int | None:
        """The first part whose case is not in hand."""
        in_hand = {begun.case_id for begun in self._begun.values()}
        for number, part in waiting.items():
            if part.case.case_id(self._environment) not in in_hand:
                return number
        return None

    def _begin(self, number: int, part: CasePart) -> None:
        """Has a part measured, unless its case failed, does not fit in the time, or is another run's."""
        case_id = part.case.case_id(self._environment)
        if case_id in self._failed | self._theirs:
            return
        if case_id in self._elsewhere:
            self._elsewhere[case_id][number] = part
            return
        if not self._budget.fits(part.costed):
            self._left.add(case_id)
            return
        with ExitStack() as reservation:
            if not reservation.enter_context(self._store.reserved(case_id)):
                self._elsewhere[case_id] = {number: part}
                return
            if (
                self._store.written_at(case_id) != self._tried[case_id]
            ):  # by another run, since this one began
                self._theirs.add(case_id)
                return
            teller = _Teller(self._speaking, number, part.label(self._suite.label(part.case)))
            self._begun[number] = _Begun(part, case_id, teller, reservation.pop_all())
        teller.begins()
        self._dispatch.begin(number, part, self._budget.limit_s(), teller)

    def _end(self, ended: Ended) -> None:
        begun = self._begun[ended.number]
        error = self._kept(begun, ended)
        self._begun.pop(ended.number).reservation.close()
        self._budget.took(begun.part.costed, ended.seconds)
        if error:
            self._failed.add(begun.case_id)
        begun.teller.ends(ended.seconds, error)

    def _kept(self, begun: "_Begun", ended: Ended) -> str:
        """Keeps what a turn gave; returns the error in one line, or nothing."""
        case, case_id, process = begun.part.case, begun.case_id, begun.part.process
        error = ended.error
        if error is None and ended.tables is not None:
            try:
                if process is None:
                    self._store.write(case_id, ended.tables)
                else:
                    parts.keep(self._store, case, case_id, process, ended.tables)
            except UsageError:
                raise
            except Exception as misfit:  # rows that do not fit the schema
                error = misfit
        if error is None:
            return ""
        if self._debug:
            traceback.print_exception(error)
        status, line = failure_of(error)
        row = setting_columns(case, case.own(self._environment), self._suite.name) | {
            "kind": case.kind,
            "status": status,
            "error": line,
            "elapsed_s": ended.seconds,
        }
        self._store.write(case_id, {FAILURES.kind: [row]}, status="failed")
        return line


@dataclass(frozen=True)
class _Begun:
    """A part that has not ended; its case is reserved until then."""

    part: CasePart
    case_id: str
    teller: "_Teller"
    reservation: ExitStack


@dataclass
class _Speaking:
    """Which part the last word was of."""

    progress: Progress
    last: int = 0


@dataclass(frozen=True)
class _Teller:
    """Says how one part goes on, and names it where the last word was of another."""

    speaking: _Speaking
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
        if self.speaking.last != self.number:
            self.speaking.last = self.number
            self.speaking.progress.case(self.number, self.label)
        return self.speaking.progress
