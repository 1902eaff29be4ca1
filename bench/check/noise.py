"""Times that are too noisy to quote."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from bench.check.finding import NOISY, Finding
from bench.statistics.time_spread import LEAST_PROCESSES, LEAST_ROUNDS, spread_of
from bench.tables.timing_summary import SETTING, by_process

WIDEST_PERCENT = 10.0
_APART, _TOGETHER = 1.10, 1.05
FILE = "timings.csv"
_SHORT = {
    "lag_count": "lags",
    "seed_count": "nets",
    "batch_size": "batch",
    "matmul_precision": "precision",
    "case_id": "case",
}


def of_times(timings: pd.DataFrame, widest_percent: float = WIDEST_PERCENT) -> list[Finding]:
    """What makes times of timings.csv unfit to be quoted, a finding a cause.

    Args:
        timings: timings.csv.
        widest_percent: the width of the 95% interval of a median, in percent of it, that is too much.
    """
    usable = timings[timings["run_s"].gt(0)]
    groups = [group for _, group in usable.groupby([*SETTING, "case_id"], dropna=False, sort=True)]
    return list(_found(groups, widest_percent))


def _found(groups: Sequence[pd.DataFrame], widest_percent: float) -> Iterator[Finding]:
    spreads = [spread_of(by_process(group)) for group in groups]
    names = _names(groups)
    spread_of_each = list(zip(names, spreads, strict=True))

    def finding(hit: list[str], what: str, mend: str) -> Finding:
        return Finding.naming(NOISY, FILE, f"{len(hit)} of {len(groups)} timings {what}", hit, mend)

    few = [name for name, s in spread_of_each if s.processes < LEAST_PROCESSES]
    if few:
        least = min(spread.processes for spread in spreads)
        of = "1 process" if least == 1 else f"{least} processes"
        yield finding(
            few,
            f"are of fewer than {LEAST_PROCESSES} fresh processes ({of})",
            f'write "{of}" beside such a time, or set processes = 3 in the suite and measure again',
        )
    short = [name for name, s in spread_of_each if s.rounds < LEAST_ROUNDS]
    if short:
        yield finding(
            short, f"have fewer than {LEAST_ROUNDS} rounds", "raise rounds in the suite, measure again"
        )
    # Of fewer rounds an interval is as wide as the formula likes.
    enough = [(100 * s.relative_width, name) for name, s in spread_of_each if s.rounds >= LEAST_ROUNDS]
    wide = [(width, name) for width, name in enough if width > widest_percent]
    if wide:
        worst = [f"{name} {width:.0f}%" for width, name in sorted(wide, reverse=True)]
        yield finding(
            worst,
            f"have a median whose 95% interval is wider than {widest_percent:g}% of it",
            "do not quote them; measure again on a machine that does nothing else, with more processes or rounds",
        )
    apart = [
        f"{name} process {number}" for name, g in zip(names, groups, strict=True) for number in _apart(g)
    ]
    if apart:
        yield finding(
            apart,
            "have a process that stands apart from the others by more than 10%",
            "something else ran meanwhile, or the process was placed badly: measure those cases again",
        )
    restless = [name for name, g in zip(names, groups, strict=True) if g["steady"].eq(False).any()]
    if restless:
        yield finding(
            restless,
            "were not steady when their rounds began",
            "measure again on a machine that does nothing else; calls that never agree within 5% are quoted "
            "with their quartiles",
        )


def _apart(group: pd.DataFrame) -> list[int]:
    """Numbers of processes over 10% off the others, where all of those lie within 5% of each other."""
    medians = group.groupby(["case_id", "process"])["run_s"].median()
    found = []
    if len(medians) < LEAST_PROCESSES:
        return found
    for place, (_, process) in enumerate(medians.index):
        others = np.delete(medians.to_numpy(float), place)
        off = medians.iloc[place] / np.median(others)
        if others.max() <= _TOGETHER * others.min() and not 1 / _APART <= off <= _APART:
            found.append(int(process))
    return found


def _names(groups: Sequence[pd.DataFrame]) -> list[str]:
    """A name for each timing: what it is of, and of those that are of the same, in which settings they differ."""
    if not groups:
        return []
    firsts = pd.DataFrame([group.iloc[0] for group in groups])
    of = ["operation", "implementation", "cell", "state_size", "sequence_length"]
    names = dict.fromkeys(firsts.index, "")
    for values, alike in firsts.groupby(of, dropna=False, sort=False):
        operation, implementation, cell, size, length = values
        telling = _telling(alike, [name for name in (*SETTING, "case_id") if name not in of])
        for place, row in zip(alike.index, alike.to_dict("records"), strict=True):
            settings = [f"{_SHORT.get(each, each)}={row[each]}" for each in telling if not pd.isna(row[each])]
            names[place] = " ".join([operation, implementation, cell, f"n={size}", f"T={length}", *settings])
    return list(names.values())


def _telling(rows: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """As few of the columns, from the left, as tell these rows apart as far as all of them do."""
    chosen: list[str] = []
    apart = 1
    for name in columns:
        with_it = len(rows[[*chosen, name]].drop_duplicates())
        if with_it > apart:
            chosen, apart = [*chosen, name], with_it
    return chosen
