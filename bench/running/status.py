"""What a result folder holds of its suite, and what is being measured there now. It changes nothing."""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError
from bench.running import plan as plans
from bench.running.expected import Expected, earlier_runs, expectations, total
from bench.running.folder_facts import (
    Failure,
    InFiles,
    damaged,
    failures,
    identity,
    in_files,
    kinds_of_cases,
    shards,
)
from bench.running.folders import RESULTS, result_folders
from bench.running.heartbeat import Heartbeat, heartbeats
from bench.running.plan import Plan
from bench.schema import lacking

if TYPE_CHECKING:
    from bench.suite import Suite


@dataclass(frozen=True)
class Status:
    """One result folder.

    Attributes:
        folder: where.
        suite: its name, or "" where the folder does not say.
        cases: how many it is meant to hold; None where the suite is not known.
        done, failed: how many of them it holds whole, and how many did not finish.
        others: cases with results that are not of the suite as it is now.
        damaged: its result files that cannot be read.
        runs: those that go on, or may, or were killed.
        left_s: seconds until all is done that is left, as expected; None where the suite is not known.
        left_unknown: of how many cases left nothing is known, so that they do not count in `left_s`.
        sources: where the expectations of cases left come from.
        estimate_on: what device the seconds of the suite's file are of.
        last_failures: with the labels of their cases, the last one last.
    """

    folder: Path
    suite: str
    cases: int | None
    done: int
    failed: int
    others: int = 0
    damaged: Sequence[str] = ()
    runs: Sequence[Heartbeat] = ()
    left_s: float | None = None
    left_unknown: int = 0
    sources: Sequence[str] = ()
    estimate_on: str = ""
    last_failures: Sequence[tuple[str, Failure]] = field(default=())

    @property
    def left(self) -> int | None:
        """How many cases of the suite have neither finished nor failed."""
        return None if self.cases is None else self.cases - self.done - self.failed


def status_of(folder: Path, own: "Suite | None" = None, now: float | None = None) -> Status:
    """Looks at one folder.

    Args:
        folder: a result folder; also one whose first case is still being measured.
        own: the suite that it is held against; else the one that it keeps a plan of, or names.
        now: seconds since 1970, by the clock if None.

    Raises:
        UsageError: it is no result folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; name one that `rnn-bench run` wrote")
    tried, rows, runs = shards(folder), in_files(folder), [heartbeat for _, heartbeat in heartbeats(folder)]
    if not (tried or rows or runs or (folder / "machine.json").is_file()):
        raise UsageError(f"{folder} holds no results; name a folder that `rnn-bench run` wrote")
    plan = _plan(folder, own, _suites_of(rows), {*tried, *rows})
    kinds = kinds_of_cases(folder) | ({case.case_id: case.kind for case in plan.cases} if plan else {})
    whole = {case_id for case_id, each in rows.items() if not lacking(kinds.get(case_id), each.files)}
    done = {case_id for case_id, shard in tried.items() if shard.status == "done"} | whole
    broken = failures(folder, {i: shard for i, shard in tried.items() if shard.status != "done"})
    failed = {failure.case_id: failure for failure in broken if failure.case_id not in done}
    labels = {case.case_id: case.label for case in plan.cases} if plan else {}
    last = [(labels.get(i, failure.kind), failure) for i, failure in failed.items()]
    name = plan.suite if plan else runs[-1].suite if runs else next(iter(_suites_of(rows)), "")
    unreadable = damaged(folder)
    if plan is None:
        return Status(
            folder, name, None, len(done), len(failed), damaged=unreadable, runs=runs, last_failures=last
        )
    planned = [case.case_id for case in plan.cases]
    left_ids = [case_id for case_id in planned if case_id not in done and case_id not in failed]
    expected = expectations(plan, earlier_runs(folder, _beside(folder))) if left_ids else {}
    left = {case_id: expected[case_id] for case_id in left_ids}
    seconds, unknown = total(left.values())
    return Status(
        folder,
        name,
        len(planned),
        len(done & set(planned)),
        len(failed.keys() & set(planned)),
        len((done | failed.keys()) - set(planned)),
        unreadable,
        runs,
        _time_left(seconds, left, runs, time.time() if now is None else now),
        unknown,
        sorted({each.source for each in left.values()}),
        plan.estimate_on,
        [each for each in last if each[1].case_id in labels],
    )


def folders_of(named: Sequence[str]) -> Sequence[tuple[Path, "Suite | None"]]:
    """The folders that are meant, each with the suite that it is to be held against, if one was named.

    Args:
        named: result folders, folders of such, and suites by name or file. Folders together with one suite are held
            against that; suites alone mean every folder below results/ that is theirs.

    Raises:
        UsageError: there is no such folder or suite, or no folder at all.
    """
    if not named:
        found = result_folders()
        if not found:
            raise UsageError(
                f"no result folder below {RESULTS}; measure something first: rnn-bench run quick"
            )
        return [(folder, None) for folder in found]
    folders = [name for name in named if not name.endswith(".toml") and Path(name).is_dir()]
    chosen = list(itertools.chain.from_iterable(_below(Path(name)) for name in folders))
    suites = [_named(name) for name in named if name not in folders]
    if not suites:
        return [(folder, None) for folder in chosen]
    if chosen and len(suites) > 1:
        raise UsageError("status: name folders and one suite to hold them against, or suites alone")
    if chosen:
        return [(folder, suites[0]) for folder in chosen]
    theirs = [
        (folder, suite) for suite in suites for folder in result_folders() if suite.name in _suites(folder)
    ]
    if not theirs:
        raise UsageError(
            f"no folder below {RESULTS} holds results of {', '.join(suite.name for suite in suites)}; name the folder"
        )
    return theirs


def _below(folder: Path) -> list[Path]:
    """The folder itself, or the result folders below it where it is none."""
    if (folder / "machine.json").is_file():
        return [folder]
    return result_folders(folder) or [folder]


def _named(name: str) -> "Suite":
    from bench import suite as suites

    if not name.endswith(".toml") and name not in suites.names():
        raise UsageError(f"{name} is neither a folder nor a suite; suites: {', '.join(suites.names())}")
    return suites.load(name)


def plan_to_keep(folder: Path) -> Plan | None:
    """The plan of a folder that came without one, where its suite is one of the harness; None else."""
    if plans.read(folder) is not None:
        return None
    rows = in_files(folder)
    return _plan(folder, None, _suites_of(rows), set(rows))


def _plan(folder: Path, own: "Suite | None", named: set[str], found: set[str]) -> Plan | None:
    """What the folder is meant to hold: by the suite that was given, the plan that it keeps, or the suite it names."""
    if own is None:
        plan = plans.read(folder)
        if plan is not None:
            return plan
        if len(named) != 1:
            return None
        from bench import suite as suites

        own = suites.shipped(named.pop())
        if own is None:
            return None
    facts, _ = identity(folder)
    plan = _plan_there(own, facts)
    # Not one of its cases is there: it was changed since, or was run with other --seeds.
    return plan if plan and (not found or found & {case.case_id for case in plan.cases}) else None


def _plan_there(suite: "Suite", facts: dict[str, Any]) -> Plan | None:
    """The plan of a suite on the machine that a folder's results are of; this process may run on another one."""
    from bench.machine import Environment, environment_of

    if not all(isinstance(facts.get(each.name), str) for each in fields(Environment)):
        return None
    there = environment_of({"identity": facts})
    return plans.plan_of(suite, there, suite.estimate_s)


def _suites(folder: Path) -> set[str]:
    plan = plans.read(folder)
    return {plan.suite} if plan else _suites_of(in_files(folder))


def _suites_of(rows: Mapping[str, InFiles]) -> set[str]:
    return {each.suite for each in rows.values()}


def _beside(folder: Path) -> list[Path]:
    """Other folders of the same machine."""
    machine = identity(folder)[0].get("machine")
    return result_folders(RESULTS / machine) if isinstance(machine, str) and machine else []


def _time_left(seconds: float, left: dict[str, Expected], runs: Sequence[Heartbeat], now: float) -> float:
    """Less what the cases in hand have had already, shared by the runs that go on."""
    alive = [heartbeat for heartbeat in runs if heartbeat.alive() is not False]
    for case in (case for heartbeat in alive for case in heartbeat.in_hand):
        expected = left.get(case.case_id)
        if expected is not None and expected.seconds is not None:
            seconds -= min(expected.seconds, max(0.0, now - case.began))
    return seconds / max(1, len(alive))
