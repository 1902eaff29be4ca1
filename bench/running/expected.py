"""How long cases are expected to take: from earlier runs, else from what the suite says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.running.folder_facts import Took, shards, took
from bench.running.plan import Plan

SOURCES = {
    "measured": "this very case, in an earlier run",
    "elsewhere": "the same case in another folder of this machine",
    "training": "an earlier run's training and compiling, without the rest of the case",
    "suite": "what the suite's file says of the case",
    "alike": "the median of the measured cases of its kind",
    "share": "an even share of what the suite's file says of all",
    "others": "the median of all measured cases, as they took more than the suite's file says",
    "unknown": "nothing is known",
}
"""Where an expectation can come from, best first, and what that means."""


def meaning(source: str, estimate_on: str) -> str:
    """What a source means; of a suite's file also on what device its seconds are."""
    text = SOURCES[source]
    return f"{text}, on {estimate_on}" if estimate_on and source in ("suite", "share") else text


@dataclass(frozen=True)
class Expected:
    """Seconds that a case is expected to take, None where nothing is known, and one of SOURCES."""

    seconds: float | None
    source: str


@dataclass(frozen=True)
class Earlier:
    """What earlier runs took: by case_id in the folder itself, by match_id in others of the same machine."""

    here: Mapping[str, Took]
    elsewhere: Mapping[str, Took]

    def of(self, case_id: str, match_id: str) -> Expected | None:
        """What is known of a case itself."""
        own, other = self.here.get(case_id), self.elsewhere.get(match_id)
        if own is not None and not own.training_alone:
            return Expected(own.seconds, "measured")
        if other is not None and not other.training_alone:
            return Expected(other.seconds, "elsewhere")
        known = own or other
        return None if known is None else Expected(known.seconds, "training")


def earlier_runs(folder: Path, others: Iterable[Path]) -> Earlier:
    """Reads what cases took, from the shards and CSV files of a folder and the CSV files of others."""
    here = took(folder)
    for case_id, shard in shards(folder).items():
        if shard.status == "done" and shard.elapsed_s is not None:
            here[case_id] = Took(shard.elapsed_s, "")
    elsewhere: dict[str, Took] = {}
    for other in others:
        if other.resolve() != folder.resolve():
            for each in took(other).values():
                there = elsewhere.get(each.match_id)
                if there is None or there.training_alone:
                    elsewhere[each.match_id] = each
    return Earlier(here, elsewhere)


def expectations(plan: Plan, earlier: Earlier) -> dict[str, Expected]:
    """What each case of a plan is expected to take, by case_id.

    A case of which nothing else is known takes as long as the median of its kind, or, where none of its kind is
    known, an even share of what the suite's own estimate leaves after the others; where that is nothing, as long as
    the median of all that were measured.
    """
    found: dict[str, Expected] = {}
    by_kind: dict[str, list[float]] = {}
    for case in plan.cases:
        known = earlier.of(case.case_id, case.match_id)
        if known is not None and known.seconds is not None and known.source != "training":
            by_kind.setdefault(case.kind, []).append(known.seconds)
        if known is None and case.estimate_s is not None:
            known = Expected(case.estimate_s, "suite")
        if known is not None:
            found[case.case_id] = known
    for case in plan.cases:
        if case.case_id not in found and case.kind in by_kind:
            found[case.case_id] = Expected(median(by_kind[case.kind]), "alike")
    rest = [case.case_id for case in plan.cases if case.case_id not in found]
    left_s = (plan.estimate_s or 0.0) - sum(each.seconds or 0.0 for each in found.values())
    measured = [seconds for of_kind in by_kind.values() for seconds in of_kind]
    share = Expected(None, "unknown")
    if rest and left_s > 0:
        share = Expected(left_s / len(rest), "share")
    elif measured and plan.estimate_s is not None:
        share = Expected(median(measured), "others")
    return found | dict.fromkeys(rest, share)


def total(expected: Iterable[Expected]) -> tuple[float, int]:
    """Seconds of all that is known together, and of how many cases nothing is."""
    each = list(expected)
    return sum(one.seconds or 0.0 for one in each), sum(one.seconds is None for one in each)
