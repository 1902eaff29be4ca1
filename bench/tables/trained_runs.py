"""What tables and pictures of trained nets share: which runs count, what they are worth, in which order they stand."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportReturnType=false

import numpy as np
import pandas as pd

from bench.statistics.grouping import NET
from rnn_jax.remedies import REMEDIES

VERDICTS = ("solved", "better_than_baseline", "at_baseline", "diverged")
TASK = ["task", "variant"]
REMEDY = ["remedy", "remedy_strength"]
PLAIN = "none"
"""The remedy of training without one."""


def each_run_once(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Rows of task_accuracy.csv without those seeds that were run again as one of another number of seeds."""
    setting = [*TASK, "task_length", *NET, *REMEDY, "optimizer", "learning_rate", "batch_size", "step_budget"]
    return accuracy.drop_duplicates([*setting, "dtype", "seed"])


def task_runs(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Runs that are meant to learn: those by plain SGD show explosions, and so answer another question."""
    return each_run_once(accuracy[accuracy["optimizer"] != "sgd"])


def removed_share(accuracy: pd.DataFrame) -> pd.Series:
    """The share of the baseline's loss that training removed: 1 - loss / baseline_loss.

    1 is perfect, 0 the best constant guess; under 0 the net is worse than that. A run that diverged, and so has no
    loss, is worse than any other: -inf.
    """
    share = 1 - accuracy["loss"] / accuracy["baseline_loss"]
    return share.mask((accuracy["verdict"] == "diverged") | share.isna(), -np.inf)


def median_with_diverged(values: pd.Series) -> float:
    """The median, where -inf stands for a run that diverged; NaN where such runs reach the middle.

    Left out, they would make a remedy look better for each seed that it loses.
    """
    ordered = np.sort(values.to_numpy(float))
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float((low + high) / 2) if np.isfinite(low) else float("nan")


def remedy_place(remedy: str) -> tuple[int, str]:
    """Where a remedy stands in an ordered list: as in the registry, `none` first; several together at the end."""
    names = list(REMEDIES)
    return (names.index(remedy) if remedy in names else len(names), remedy)


def in_remedy_order(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Rows by the keys before the remedy, then by `remedy_place` and strength."""
    places = table["remedy"].map(lambda name: f"{remedy_place(name)[0]:03d} {name}")
    ordered = table.assign(_place=places).sort_values(
        [*keys, "_place", "remedy_strength"], kind="stable", na_position="first", ignore_index=True
    )
    return ordered.drop(columns="_place")


def listed(values: pd.Series) -> str:
    """The different values in ascending order, such as "25 50 100"."""
    return " ".join(f"{value:g}" for value in sorted(values.dropna().unique()))
