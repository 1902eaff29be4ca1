"""What a run would do, and how long it is expected to take. It measures and writes nothing."""

from collections import Counter
from dataclasses import dataclass

from bench.running.budget import Budget
from bench.running.expected import Expected, total
from bench.running.job import Job, whole_in_files
from bench.running.runner import in_order

DONE, AGAIN, RETRY, TO_DO, NO_TIME = "done", "again", "failed before", "to do", "no time"
STATES = {
    DONE: "finished before, and not measured again",
    TO_DO: "to be measured",
    AGAIN: "the CSV files hold its rows without its shard: to be measured again; --missing leaves it out",
    RETRY: "failed before, to be tried again at the end",
    NO_TIME: "not begun, as it is not expected to be done within --minutes",
}


@dataclass(frozen=True)
class Foreseen:
    """One case of a run: its state, one of STATES, and what it is expected to take."""

    case_id: str
    label: str
    kind: str
    state: str
    expected: Expected


def foreseen(job: Job, minutes: float | None) -> list[Foreseen]:
    """The cases that a run is asked for: those that are done first, then the others in the order of the run."""
    earlier, store = job.earlier(), job.store
    expected = job.expected(earlier)
    in_files = whole_in_files(job.suite, job.environment, store)
    todo = in_order(job.suite, job.environment, store)
    clock = [0.0]
    budget = Budget(minutes, lambda: clock[0], known=job.known(earlier))
    states = {}
    for case in todo:
        case_id = case.case_id(job.environment)
        if not budget.fits(case):
            states[case_id] = NO_TIME
            continue
        states[case_id] = RETRY if store.has_shard(case_id) else AGAIN if case_id in in_files else TO_DO
        seconds = expected[case_id].seconds or budget.expected_s(case)
        clock[0] += seconds
        budget.took(case, seconds)
    waiting = {case.case_id(job.environment) for case in todo}
    done = [case for case in job.suite.cases if case.case_id(job.environment) not in waiting]
    found = []
    for case in [*done, *todo]:
        case_id = case.case_id(job.environment)
        state = states.get(case_id, DONE)
        found.append(Foreseen(case_id, job.suite.label(case), case.kind, state, expected[case_id]))
    return found


def counts(cases: list[Foreseen]) -> dict[str, int]:
    """How many cases have each state."""
    found = Counter(case.state for case in cases)
    return {state: found[state] for state in STATES if found[state]}


def time_of(cases: list[Foreseen]) -> tuple[float, int]:
    """Expected seconds of what is to be measured, and the number of such cases without an estimate."""
    return total(case.expected for case in cases if case.state in (TO_DO, AGAIN, RETRY))
