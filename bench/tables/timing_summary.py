"""Run times with their spread: median, quartiles, and how sure the median is."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.statistics.grouping import grouped
from bench.statistics.time_spread import spread_of

SETTING = [
    "operation", "implementation", "cell", "initialization", "gain", "input_scale", "input_size", "hidden_size",
    "state_size", "sequence_length", "lag_count", "batch_size", "seed_count", "method", "dtype", "matmul_precision",
]  # fmt: skip


def timing_summary(timings: pd.DataFrame) -> pd.DataFrame:
    """A row a timing: what was called, by which method, in which arithmetic.

    Args:
        timings: timings.csv.

    Returns:
        `processes` fresh ones, each of `rounds`; the median and the quartiles of all samples in seconds a call; from
        `median_low_s` to `median_high_s` the 95% interval of the median (`bench.statistics.time_spread`), and its width over
        the median in percent; `basis` says in words what it stands on, "1 process" where it leaves out how processes differ.
    """

    def summary(group: pd.DataFrame) -> dict[str, object]:
        spread, times = spread_of(by_process(group)), group["run_s"]
        low, high = spread.interval()
        return {
            "processes": spread.processes,
            "rounds": spread.rounds,
            "median_s": times.median(),
            "lower_quartile_s": times.quantile(0.25),
            "upper_quartile_s": times.quantile(0.75),
            "median_low_s": low,
            "median_high_s": high,
            "interval_percent": 100 * spread.relative_width,
            "basis": "1 process" if spread.processes == 1 else f"{spread.processes} processes",
        }

    usable = timings[timings["run_s"].gt(0)]
    return grouped(usable, [*SETTING, "case_id"], summary).drop(columns="case_id")


def by_process(samples: pd.DataFrame) -> Sequence[np.ndarray]:
    """The seconds a call of one timing, of each fresh process by itself."""
    return [group.to_numpy(float) for _, group in samples.groupby(["case_id", "process"])["run_s"]]
