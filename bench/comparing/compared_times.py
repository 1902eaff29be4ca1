"""Run times of two result folders: ratios with their intervals and verdicts, and geometric means."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from typing import Any

import pandas as pd

from bench.statistics.time_ratio import FACTOR, Ratio, geometric_mean, ratios
from bench.statistics.time_spread import spread_of
from bench.tables.timing_summary import by_process

OURS = "rnn_jax"
_KEYS = ["match_id", "operation", "implementation"]
_TOLD = ["cell", "dtype", "state_size", "sequence_length", "batch_size", "seed_count", "every_lag"]
_ORDER = [
    "operation", "cell", "dtype", "state_size", "sequence_length", "batch_size", "seed_count", "implementation"
]  # fmt: skip


def compared_times(left: pd.DataFrame, right: pd.DataFrame, factor: float = FACTOR) -> pd.DataFrame:
    """A row a timing that both have, each by the method that is fastest on its machine.

    Args:
        left: timings.csv of the reference.
        right: of the other.
        factor: up to which a difference does not count.

    Returns:
        the reference's `dtype`; `ratio` of the median times, right over left; `ratio_low`, `ratio_high` its interval, which leaves out a
        false-alarm rate that all rows share; `log_ratio_stderr` and its `degrees` of freedom; `verdict`.
    """
    one, other = _fastest(left), _fastest(right)
    shared = [key for key in one if key in other]
    found = ratios(
        [spread_of(by_process(one[key])) for key in shared],
        [spread_of(by_process(other[key])) for key in shared],
        factor,
    )
    rows = [_row(key, one[key], other[key], ratio) for key, ratio in zip(shared, found, strict=True)]
    table = pd.DataFrame(rows)
    return table.sort_values(_ORDER, kind="stable").reset_index(drop=True) if rows else table


def of_one_side(left: pd.DataFrame, right: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The timings that only `left` has, and those that only `right` has: a row each, whichever methods it was timed by."""
    sides = [_usable(frame).drop_duplicates(_KEYS) for frame in (left, right)]
    keys = [pd.MultiIndex.from_frame(side[_KEYS]) for side in sides]
    alone = [side[~own.isin(theirs)] for side, own, theirs in zip(sides, keys, reversed(keys), strict=True)]
    one, other = (each[[*_ORDER, "lag_count"]].sort_values(_ORDER, kind="stable") for each in alone)
    return one, other


def means(times: pd.DataFrame) -> pd.DataFrame:
    """The geometric mean of our own ratios, of each operation and of all, with its 95% interval."""
    own = ours(times)
    groups = [(str(operation), group) for operation, group in own.groupby("operation", sort=True)]
    if len(groups) > 1:
        groups.append(("all", own))
    rows = []
    for operation, group in groups:
        mean, low, high = geometric_mean([_ratio(row) for row in group.to_dict("records")])
        counts = group["verdict"].value_counts()
        rows.append(
            {
                "operation": operation,
                "timings": len(group),
                "ratio": mean,
                "ratio_low": low,
                "ratio_high": high,
            }
            | {name: int(counts.get(name, 0)) for name in ("faster", "slower", "same", "too few samples")}
        )
    return pd.DataFrame(rows)


def ours(times: pd.DataFrame) -> pd.DataFrame:
    """Those of this library, of any table of timings."""
    return times[times["implementation"] == OURS]


def regressions(times: pd.DataFrame) -> pd.DataFrame:
    """Our own timings that the right folder is slower at."""
    return ours(times)[ours(times)["verdict"] == "slower"]


def _fastest(timings: pd.DataFrame) -> dict[tuple[str, ...], pd.DataFrame]:
    """The samples of the method that has the least median, by timing."""
    usable = _usable(timings)
    usable = usable.assign(every_lag=usable["lag_count"] == usable["sequence_length"] + 1)
    best: dict[tuple[str, ...], pd.DataFrame] = {}
    for (*key, _), group in usable.groupby([*_KEYS, "method"], dropna=False, sort=True):
        name = tuple(map(str, key))
        if name not in best or group["run_s"].median() < best[name]["run_s"].median():
            best[name] = group
    return best


def _usable(timings: pd.DataFrame) -> pd.DataFrame:
    return timings[timings["run_s"].gt(0)]


def _row(key: tuple[str, ...], left: pd.DataFrame, right: pd.DataFrame, ratio: Ratio) -> dict[str, Any]:
    sides = {"left": left, "right": right}
    return (
        dict(zip(_KEYS[1:], key[1:], strict=True))
        | {name: left[name].iloc[0] for name in _TOLD}
        | {f"method_{side}": samples["method"].iloc[0] for side, samples in sides.items()}
        | {f"run_s_{side}": samples["run_s"].median() for side, samples in sides.items()}
        | {f"processes_{side}": len(by_process(samples)) for side, samples in sides.items()}
        | {"ratio": ratio.value, "ratio_low": ratio.low, "ratio_high": ratio.high}
        | {"log_ratio_stderr": ratio.stderr, "degrees": ratio.degrees, "verdict": ratio.verdict}
    )


def _ratio(row: dict[Any, Any]) -> Ratio:
    bounds = row["ratio_low"], row["ratio_high"]
    return Ratio(row["ratio"], *bounds, row["log_ratio_stderr"], row["degrees"], row["verdict"])
