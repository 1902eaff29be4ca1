"""From which size on one machine is faster than another."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import math

import pandas as pd

from bench.statistics.time_ratio import TOO_FEW

AXES = ("state_size", "sequence_length", "batch_size", "seed_count")
"""The sizes along which two machines may change places."""

_SETTING = ["operation", "implementation", "cell", "dtype", "every_lag"]


def crossovers(times: pd.DataFrame) -> pd.DataFrame:
    """A row for each operation and each size that varies while all others stay; none where the largest takes both as long.

    Args:
        times: the table "times" of `bench.comparing.two_folders.compared`.

    Returns:
        `faster`: "left" or "right", who is faster at the largest size; `from_size`: the size from
        which it is, interpolated on a log scale between the last size at which it is not and the
        next; the smallest size measured, with `throughout`, where it is faster at every one. The ratios of
        times, right over left, at both ends. And at how many of the `sizes` there were samples enough to judge them
        (`judged`): elsewhere medians alone say who is faster.
    """
    rows = []
    for axis in AXES:
        others = [each for each in AXES if each != axis]
        for setting, group in times.groupby([*_SETTING, *others], dropna=False):
            by_size = group.groupby(axis)["ratio"].median().sort_index()
            judged = judged_at(group, axis)
            if len(by_size) < 2 or by_size.iloc[-1] == 1:
                continue
            values = dict(zip([*_SETTING, *others], setting, strict=True))
            fixed = ", ".join(f"{name}={values[name]:g}" for name in others)
            rows.append(
                {name: values[name] for name in _SETTING}
                | {"varied": axis, "fixed": fixed}
                | _crossing(by_size)
                | {"sizes": len(by_size), "judged": int(judged.sum())}
            )
    return pd.DataFrame(rows)


def judged_at(times: pd.DataFrame, axis: str) -> pd.Series:
    """By size: whether there were samples enough to say who is faster, or that neither is."""
    return times.groupby(axis)["verdict"].agg(lambda verdicts: (verdicts != TOO_FEW).all())


def _crossing(ratios: pd.Series) -> dict[str, object]:
    """Where the winner at the largest size begins to win."""
    sizes, logs = list(ratios.index), [math.log(each) for each in ratios]
    wins = [(log < 0) == (logs[-1] < 0) for log in logs]
    last_lost = max((place for place, won in enumerate(wins) if not won), default=None)
    if last_lost is None:
        from_size = float(sizes[0])
    else:
        low, high = logs[last_lost], logs[last_lost + 1]
        share = low / (low - high)
        from_size = math.exp(
            math.log(sizes[last_lost]) + share * math.log(sizes[last_lost + 1] / sizes[last_lost])
        )
    return {
        "smallest": sizes[0],
        "largest": sizes[-1],
        "faster": "right" if logs[-1] < 0 else "left",
        "from_size": from_size,
        "throughout": last_lost is None,
        "ratio_at_smallest": ratios.iloc[0],
        "ratio_at_largest": ratios.iloc[-1],
    }
