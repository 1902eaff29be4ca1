"""What a run is asked to do: the cases, what they are measured on, the folder, and what is known of them before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench import cases, machine
from bench import suite as suites
from bench.errors import UsageError
from bench.machine import Environment
from bench.running import plan as plans
from bench.running.expected import Earlier, Expected, earlier_runs, expectations
from bench.running.folders import RESULTS, default_folder, result_folders
from bench.running.parts import CasePart
from bench.running.plan import Plan, plan_of
from bench.schema import lacking
from bench.store import Store
from bench.suite import Suite
from bench.suite.case import Case


@dataclass(frozen=True)
class Job:
    """A run before it begins; nothing was written yet.

    Attributes:
        whole: the suite as its file has it.
        suite: the cases that are asked for, of packages that are installed, and not whole in the files where those
            are left out.
        planned: all that the folder is meant to hold: the whole suite with the seeds of this run.
        left_out: the cases whose packages are missing.
        in_files: how many cases are left out because the CSV files hold them whole.
        environment, facts: what they are measured on.
        store: the folder.
    """

    whole: Suite
    suite: Suite
    planned: Suite
    left_out: tuple[Case, ...]
    in_files: int
    environment: Environment
    facts: dict[str, Any]
    store: Store

    @property
    def estimate_s(self) -> int | None:
        """What the suite's file says of all its cases, where they are those of the plan."""
        return self.whole.estimate_s if self.planned.cases == self.whole.cases else None

    def plan(self) -> Plan:
        """What the folder is meant to hold."""
        return plan_of(self.planned, self.environment, self.estimate_s)

    def earlier(self) -> Earlier:
        """What earlier runs on this machine took."""
        return earlier_runs(self.store.folder, result_folders(RESULTS / self.environment.machine))

    def expected(self, earlier: Earlier) -> dict[str, Expected]:
        """What each case of the plan is expected to take, by its id."""
        return expectations(self.plan(), earlier)

    def known(self, earlier: Earlier) -> Callable[[Case], float | None]:
        """What a case took in an earlier run, in seconds; None where there was none."""

        def seconds(case: Case) -> float | None:
            found = earlier.of(case.case_id(self.environment), case.match_id())
            return None if found is None else found.seconds

        return seconds

    def will_fail(self) -> list[str]:
        """What cannot be measured in its dtype, with why, a sentence a case: the others are measured all the same."""
        found = []
        for case in self.suite.cases:
            try:
                cases.check(case, case.own(self.environment))
            except ValueError as error:
                found.append(f"{self.suite.label(case)} will fail: {error}")
        return found

    def case_ids(self) -> dict[str, str]:
        """The ids of the cases that are asked for, by their labels, and by those of their processes where each has several."""
        found = {}
        for case in self.suite.cases:
            label, case_id = self.suite.label(case), case.case_id(self.environment)
            processes = range(case.processes) if case.processes > 1 else ()
            parts = [CasePart(case, process) for process in (*processes, None)]
            found |= {part.label(label): case_id for part in parts}
        return found


def job(
    suite: str,
    *,
    command: Sequence[str],
    out: Path | None = None,
    backend: str | None = None,
    dtype: str | None = None,
    only: str | None = None,
    seeds: int | None = None,
    simulated_devices: int | None = None,
    scale: str | None = None,
    missing: bool = False,
    elsewhere: Callable[[Suite, str], tuple[Environment, dict[str, Any]]] | None = None,
) -> Job:
    """Reads the suite, sets JAX up, and looks at the folder; the arguments are the options of `run`.

    Args:
        elsewhere: of a run that measures on other machines: from its suite and dtype to what they are and the facts of
            them. This process then leaves its own device alone.

    Raises:
        UsageError: an option cannot be met, or the folder holds results of another machine or suite.
    """
    chosen = whole = suites.load(suite, scale)
    dtype = whole.dtype if dtype is None else dtype
    # JAX reads its settings when it is first used: imports do not, and this is the first use.
    own_backend = backend if elsewhere is None else "cpu"
    machine.configure(own_backend, dtype, simulated_devices, shares_device=whole.in_children)
    if seeds is not None:
        chosen = chosen.with_seeds(seeds)
    planned, _ = chosen.installed()
    if only is not None:
        chosen = chosen.only(only)
    chosen, left_out = chosen.installed()
    if elsewhere is None:
        environment = machine.environment(dtype)
        facts = machine.describe(environment, list(command))
    else:
        environment, facts = elsewhere(chosen, dtype)
    folder = out if out is not None else default_folder(chosen.name, environment, facts, chosen.dtype)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder} is a file; choose a folder")
    store = Store(folder)
    store.refuse_other_suites(chosen.name)
    # A run that was killed early left no CSV file, but its plan.
    begun = plans.read(folder)
    if begun is not None and begun.suite != chosen.name and any(store.shards.glob("*.json")):
        raise UsageError(
            f"{folder} holds results of suite {begun.suite!r}; choose another --out for {chosen.name!r}"
        )
    store.refuse_other_machines(facts)
    asked = len(chosen.cases)
    if missing:
        there = whole_in_files(chosen, environment, store)
        absent = tuple(case for case in chosen.cases if case.case_id(environment) not in there)
        chosen = replace(chosen, cases=absent)
    in_files = asked - len(chosen.cases)
    return Job(whole, chosen, planned, left_out, in_files, environment, facts, store)


def whole_in_files(suite: Suite, environment: Environment, store: Store) -> set[str]:
    """The ids of the suite's cases of which every CSV file that their kind always writes holds rows.

    Raises:
        UsageError: a file cannot be read.
    """
    files = store.files_of_cases()
    kinds = {case.case_id(environment): case.kind for case in suite.cases}
    return {i for i, kind in kinds.items() if i in files and not lacking(kind, files[i])}
