"""Two result folders side by side: ratios of times, differences of rates and exponents, verdicts that differ."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from pathlib import Path

import numpy as np
import pandas as pd

from bench import machine
from bench.crossover import crossovers
from bench.errors import UsageError, making
from bench.store import Store, read_machine

_KEYS = ["match_id", "seed"]


def compared(left: Path, right: Path) -> dict[str, pd.DataFrame]:
    """What both folders hold, joined on `match_id`.

    Args:
        left, right: result folders. They may be of different machines, backends, dtypes or versions.

    Returns:
        by name, those that both allow of "times" (ratio of median run times, right over left, each
        by its fastest method), "crossovers" (from which size on which is faster), "rates" and
        "exponents" (difference in nats a step and in units of its standard error) and "verdicts"
        (seeds whose verdict differs).

    Raises:
        UsageError: a folder holds no results, or the two have no case in common.
    """
    stores = [Store(left), Store(right)]
    for store in stores:
        read_machine(store.folder)
    shared = [kind for kind in stores[0].kinds() if kind in stores[1].kinds()]
    makers = {
        "timings": ("times", _times),
        "decay": ("rates", _rates),
        "lyapunov": ("exponents", _exponents),
        "task_accuracy": ("verdicts", _verdicts),
    }
    joined = {}
    for kind, (name, make) in makers.items():
        if kind in shared:
            with making(f"comparison of {name} with {right}", left, kind):
                table = make(*_by_dtype(stores[0].read(kind), stores[1].read(kind)))
            if len(table):
                joined[name] = table
    if "times" in joined:
        with making(f"comparison of sizes with {right}", left, "timings"):
            table = crossovers(joined["times"])
        if len(table):
            joined["crossovers"] = table
    if not joined:
        raise UsageError(f"{left} and {right} have no case in common: they must run the same suite and seeds")
    return joined


def unlike(left: Path, right: Path) -> list[str]:
    """Where the machines, installations or dtypes of two result folders differ."""
    return machine.differences(read_machine(left), read_machine(right))


def _by_dtype(left: pd.DataFrame, right: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Where a folder holds several dtypes, each is compared with its own; else whatever the two are in."""
    if max(left["dtype"].nunique(), right["dtype"].nunique()) < 2:
        return left, right
    return tuple(frame.assign(match_id=frame["match_id"] + " " + frame["dtype"]) for frame in (left, right))


def _times(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    keys = ["match_id", "operation", "implementation"]
    told = ["cell", "state_size", "sequence_length", "batch_size", "seed_count", "every_lag"]
    both = _fastest(left, [*keys, *told]).merge(
        _fastest(right, [*keys, *told])[[*keys, "method", "run_s"]], on=keys, suffixes=("_left", "_right")
    )
    both["ratio"] = both["run_s_right"] / both["run_s_left"]
    ordered = [
        "operation",
        "cell",
        "state_size",
        "sequence_length",
        "batch_size",
        "seed_count",
        "implementation",
    ]
    return both.drop(columns="match_id").sort_values(ordered, kind="stable").reset_index(drop=True)


def _fastest(timings: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The median over rounds of the method that is fastest on this machine."""
    timings = timings.assign(every_lag=timings["lag_count"] == timings["sequence_length"] + 1)
    medians = timings.groupby([*keys, "method"], as_index=False, dropna=False)["run_s"].median()
    return (
        medians.sort_values("run_s", kind="stable").drop_duplicates(keys[:3]).sort_values(keys, kind="stable")
    )


def _rates(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    told = ["cell", "gain", "input_kind", "sequence_length", "weights"]
    values = ["rate_nats_per_step", "rate_stderr_nats_per_step"]
    keys = [*_KEYS, "weights"]
    both = left[[*_KEYS, *told, *values, "regime"]].merge(
        right[[*keys, *values, "regime"]], on=keys, suffixes=("_left", "_right")
    )
    rates = both["rate_nats_per_step_left"], both["rate_nats_per_step_right"]
    both["difference"] = rates[1] - rates[0]
    error = np.hypot(both["rate_stderr_nats_per_step_left"], both["rate_stderr_nats_per_step_right"])
    both["difference_in_stderr"] = both["difference"] / error
    both["same_regime"] = both["regime_left"] == both["regime_right"]
    kept = [*told, "seed", *(f"{values[0]}_{side}" for side in ("left", "right")), "difference"]
    return both[[*kept, "difference_in_stderr", "same_regime"]].sort_values(kept[:6], kind="stable")


def _exponents(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    told = ["cell", "gain", "state_size", "input_scale", "sequence_length"]
    values = ["exponent_nats_per_step", "stderr_nats_per_step"]
    keys = [*_KEYS, "index"]
    both = left[[*keys, *told, *values]].merge(right[[*keys, *values]], on=keys, suffixes=("_left", "_right"))
    sides = [f"{values[0]}_{side}" for side in ("left", "right")]
    both["difference"] = both[sides[1]] - both[sides[0]]
    error = np.hypot(both[f"{values[1]}_left"], both[f"{values[1]}_right"])
    both["difference_in_stderr"] = both["difference"] / error.replace(0.0, np.nan)
    kept = [*told, "seed", "index", *sides, "difference", "difference_in_stderr"]
    return both[kept].sort_values(kept[:7], kind="stable")


def _verdicts(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    told = ["task", "variant", "task_length", "cell", "gain", "remedy"]
    both = left[[*_KEYS, *told, "verdict", "accuracy"]].merge(
        right[[*_KEYS, "verdict", "accuracy"]], on=_KEYS, suffixes=("_left", "_right")
    )
    both["same_verdict"] = both["verdict_left"] == both["verdict_right"]
    return both.drop(columns="match_id").sort_values([*told, "seed"], kind="stable")
