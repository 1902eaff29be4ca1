"""A result folder beside a reference: ratios of times, differences of rates and exponents, verdicts that differ."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import itertools
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import machine
from bench.comparing.compared_times import compared_times, means, of_one_side
from bench.errors import NothingInCommonError, UsageError, making
from bench.schema import TIMINGS
from bench.statistics.crossover import crossovers
from bench.statistics.grouping import without_usual_columns
from bench.statistics.time_ratio import FACTOR
from bench.store import Store, read_machine
from bench.store.shard import typed
from bench.tables.ceilings import ceiling_table

_KEYS = ["match_id", "seed"]
_NET = ["cell", "layers", "gain", "input_deviation"]
_OF_THE_CODE = ("commit", "uncommitted_changes", "driver", "kernel")


def compared(left: Path, right: Path, factor: float = FACTOR) -> dict[str, pd.DataFrame]:
    """What both folders hold, joined on `match_id`.

    Args:
        left, right: result folders, the reference first. They may be of different machines, backends, dtypes or
            versions.
        factor: up to which times count as the same.

    Returns:
        by name, those that both allow of "times" (ratio of median run times, right over left, each
        by its fastest method, with its interval and verdict), "means" (geometric ones of these ratios),
        "crossovers" (from which size on which is faster), "ceilings" (of the two devices), "precision" (how far each
        is from float64 on its CPU, in every arithmetic, at the longest lag), "rates" and "exponents" (difference in
        nats a step and in units of its standard error) and "verdicts" (seeds whose verdict differs).

    Raises:
        UsageError: a folder holds no results or one that cannot be read, or the factor is not over 1.
        NothingInCommonError: a UsageError: the two have no case in common.
    """
    if not 1 < factor < math.inf:
        raise UsageError(f"--factor must be a number over 1, got {factor:g}")
    for folder in (left, right):
        read_machine(folder)
    stores = _each_seed_once(left, right)
    shared = [kind for kind in stores[0].kinds() if kind in stores[1].kinds()]
    makers = {
        "timings": ("times", partial(compared_times, factor=factor)),
        "ceilings": ("ceilings", _ceilings),
        "precision": ("precision", _precision),
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
                joined[name] = without_usual_columns(table)
    if "times" in joined:
        with making(f"comparison of sizes with {right}", left, "timings"):
            joined["means"] = means(joined["times"])
            table = crossovers(joined["times"])
        if len(table):
            joined["crossovers"] = table
    if not joined:
        files = " and ".join(f"{kind}.csv" for kind in makers if kind in shared)
        raise NothingInCommonError(
            f"{left} and {right} have no case in common{f' in {files}' if files else ''}: they must run the same suite "
            "and seeds"
        )
    return joined


def times_of_one_side(left: Path, right: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The timings that only the reference, and those that only the other folder has: a row each.

    Raises:
        UsageError: a timings.csv cannot be read.
    """
    one, other = (
        store.read("timings") if "timings" in store.kinds() else typed(TIMINGS, [])
        for store in _each_seed_once(left, right)
    )
    with making(f"comparison of times with {right}", left, "timings"):
        return of_one_side(*_by_dtype(one, other))


def _each_seed_once(left: Path, right: Path) -> tuple[Store, Store]:
    """Both folders, the reference without the cases measured for more seeds that the other has the more of too."""
    reference, other = Store(left), Store(right)
    there = [other.read(kind)["match_id"] for kind in reference.kinds() if kind in other.kinds()]
    # Where the other folder has the fewer seeds alone, those are what is compared.
    return reference.each_seed_once(set(itertools.chain.from_iterable(there))), other


def unlike(left: Path, right: Path) -> list[str]:
    """Where the machines, installations or dtypes of two result folders differ, and the code that was measured."""
    return [
        difference
        for part in ("identity", "volatile")
        for difference in machine.differences(*_facts_of_both(left, right, part))
    ]


def require_same_identity(left: Path, right: Path) -> None:
    """Lets pass what may be called a change of this package's speed, whichever versions of it the two are of.

    Raises:
        UsageError: the two are of different machines, installations or dtypes, or are one folder.
    """
    if left.is_dir() and right.is_dir() and left.samefile(right):
        raise UsageError(
            f"--fail-on regression: {right} is the reference itself; name a folder measured after it"
        )
    sides = _facts_of_both(left, right, "identity")
    for side in sides:
        side["identity"].pop(f"packages.{machine.THIS}", None)
    differing = machine.differences(*sides)
    if differing:
        raise UsageError(
            f"--fail-on regression compares one machine and installation before and after, but {left} and {right} "
            f"differ in {'; '.join(differing)}; leave --fail-on out to compare them all the same"
        )


def _facts_of_both(left: Path, right: Path, part: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """One part of what is known of both, what nests in it beside it, so that only what differs is told."""
    return _flat(read_machine(left), part), _flat(read_machine(right), part)


def _flat(facts: dict[str, Any], part: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in facts.get(part, {}).items():
        if part == "identity" or name in _OF_THE_CODE:
            nested = (
                {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, dict) else None
            )
            flat |= {name: value} if nested is None else nested
    return {"identity": flat}


def _by_dtype(left: pd.DataFrame, right: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Where a folder holds several dtypes, each is compared with its own; else whatever the two are in."""
    if max(left["dtype"].nunique(), right["dtype"].nunique()) < 2:
        return left, right
    return tuple(frame.assign(match_id=frame["match_id"] + " " + frame["dtype"]) for frame in (left, right))


def _ceilings(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    keys = ["ceiling", "dtype", "matmul_precision", "unit"]
    same = set(left["match_id"]) & set(right["match_id"])
    one, other = (ceiling_table(frame[frame["match_id"].isin(same)]) for frame in (left, right))
    both = one.merge(other, on=keys, suffixes=("_left", "_right"))
    return both.assign(ratio=both["value_right"] / both["value_left"])


def _precision(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    setting = [*_NET, "state_size", "input_scale", "sequence_length"]
    values = ["log_norm_error_nats", "relative_product_error"]
    keys = [*_KEYS, "dtype", "matmul_precision", "states", "lag"]
    both = left[[*keys, *setting, *values]].merge(
        right[[*keys, *values]], on=keys, suffixes=("_left", "_right")
    )
    both = both[both["lag"] == both.groupby("match_id")["lag"].transform("max")].copy()
    both["difference_nats"] = both["log_norm_error_nats_right"] - both["log_norm_error_nats_left"]
    columns = [*setting, *keys[1:], *(f"{value}_{side}" for value in values for side in ("left", "right"))]
    return both[[*columns, "difference_nats"]].sort_values([*setting, *keys[1:]], kind="stable")


def _rates(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    setting = [*_NET, "input_kind", "sequence_length", "weights"]
    values = ["rate_nats_per_step", "rate_stderr_nats_per_step"]
    keys = [*_KEYS, "weights"]
    both = left[[*_KEYS, *setting, *values, "regime"]].merge(
        right[[*keys, *values, "regime"]], on=keys, suffixes=("_left", "_right")
    )
    rates = both["rate_nats_per_step_left"], both["rate_nats_per_step_right"]
    # Also of two products that are exactly zero, whose rates are -inf.
    both["difference"] = (rates[1] - rates[0]).where(rates[0] != rates[1], 0.0)
    error = np.hypot(both["rate_stderr_nats_per_step_left"], both["rate_stderr_nats_per_step_right"])
    both["difference_in_stderr"] = both["difference"] / error.replace(0, np.nan)
    both["same_regime"] = both["regime_left"] == both["regime_right"]
    columns = [*setting, "seed", *(f"{values[0]}_{side}" for side in ("left", "right")), "difference"]
    return both[[*columns, "difference_in_stderr", "same_regime"]].sort_values(
        [*setting, "seed"], kind="stable"
    )


def _exponents(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    setting = [*_NET, "state_size", "input_scale", "sequence_length"]
    values = ["exponent_nats_per_step", "stderr_nats_per_step"]
    keys = [*_KEYS, "index"]
    both = left[[*keys, *setting, *values]].merge(
        right[[*keys, *values]], on=keys, suffixes=("_left", "_right")
    )
    sides = [f"{values[0]}_{side}" for side in ("left", "right")]
    both["difference"] = both[sides[1]] - both[sides[0]]
    error = np.hypot(both[f"{values[1]}_left"], both[f"{values[1]}_right"])
    both["difference_in_stderr"] = both["difference"] / error.replace(0.0, np.nan)
    columns = [*setting, "seed", "index", *sides, "difference", "difference_in_stderr"]
    return both[columns].sort_values([*setting, "seed", "index"], kind="stable")


def _verdicts(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    setting = ["task", "variant", "task_length", *_NET, "remedy"]
    both = left[[*_KEYS, *setting, "verdict", "accuracy"]].merge(
        right[[*_KEYS, "verdict", "accuracy"]], on=_KEYS, suffixes=("_left", "_right")
    )
    both["same_verdict"] = both["verdict_left"] == both["verdict_right"]
    return both.drop(columns="match_id").sort_values([*setting, "seed"], kind="stable")
