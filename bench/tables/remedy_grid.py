"""Every remedy beside plain training of the same cell on the same task: the remedy grid."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from typing import Any

import pandas as pd

from bench.statistics.grouping import grouped
from bench.tables.trained_runs import (
    NET,
    PLAIN,
    REMEDY,
    TASK,
    VERDICTS,
    in_remedy_order,
    listed,
    median_with_diverged,
    removed_share,
    task_runs,
)

LEAST_REMEDIES = 2
"""Beside plain training: with fewer there is no grid."""
SETTING = [*TASK, "task_length", *NET, "optimizer", "batch_size", "step_budget", "dtype"]
_READINGS = ("reach_{}_steps", "rate_{}_nats_per_step", "largest_exponent_{}_nats_per_step")


def remedy_grid(accuracy: pd.DataFrame) -> pd.DataFrame:
    """A row for each setting and remedy, where a cell was trained without any and with two or more.

    Scores are medians over seeds in which a seed that diverged counts as the worst. `removed_share` is 1 - loss /
    baseline_loss. Differences are from plain training of the same setting: `solved_difference` in seeds,
    `removed_share_difference` the median over seeds of the difference between two runs of the same seed, which begin
    from the same draw; `_least` and `_most` are its extremes, so that all seeds agree where both have one sign. With
    so few seeds a difference of one seed proves nothing.

    Args:
        accuracy: task_accuracy.csv. Plain SGD is left out: it is there to explode.
    """
    runs = task_runs(accuracy).assign(
        removed_share=lambda frame: removed_share(frame),
        ranked_accuracy=lambda frame: frame["accuracy"].mask(frame["verdict"] == "diverged", -float("inf")),
    )
    remedies = runs.groupby(SETTING, dropna=False)["remedy"]
    is_grid = remedies.transform(lambda names: PLAIN in set(names)) & (
        remedies.transform("nunique") > LEAST_REMEDIES
    )
    runs = runs[is_grid.astype(bool)]
    plain = runs[runs["remedy"] == PLAIN]
    runs = runs.merge(
        plain[[*SETTING, "seed", "removed_share", "verdict"]],
        on=[*SETTING, "seed"],
        how="left",
        suffixes=("", "_plain"),
    )
    return in_remedy_order(grouped(runs, [*SETTING, *REMEDY], _summary), SETTING) if len(runs) else runs


def _summary(runs: pd.DataFrame) -> dict[str, Any]:
    both = runs["removed_share_plain"].notna()
    difference = (runs["removed_share"] - runs["removed_share_plain"])[both]
    solved = (runs["verdict"] == "solved").sum()
    row = {
        "seeds": len(runs),
        **{verdict: int((runs["verdict"] == verdict).sum()) for verdict in VERDICTS},
        "metric": runs["metric"].iloc[0],
        "accuracy": median_with_diverged(runs["ranked_accuracy"]),
        "loss_over_baseline": 1 - median_with_diverged(runs["removed_share"]),
        "removed_share": median_with_diverged(runs["removed_share"]),
        "solved_difference": int(solved - (runs["verdict_plain"] == "solved").sum()),
        "removed_share_difference": difference.median(),
        "removed_share_difference_least": difference.min(),
        "removed_share_difference_most": difference.max(),
        "learning_rate": listed(runs["learning_rate"]),
        "learning_rate_grid": runs["learning_rate_grid"].iloc[0],
        "parameter_count": int(runs["parameter_count"].iloc[0]),
    }
    return row | {
        name.format(when): runs[name.format(when)].median()
        for name in _READINGS
        for when in ("before", "after")
    }
