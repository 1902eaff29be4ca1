"""Verdicts and scores of trained nets over their seeds."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import pandas as pd

from bench.statistics import grouping
from bench.statistics.grouping import grouped
from bench.tables.trained_runs import REMEDY, TASK, VERDICTS, each_run_once

_TASK = [
    *TASK, "task_length", *grouping.NET, *REMEDY, "optimizer", "learning_rate", "batch_size", "step_budget", "dtype",
]  # fmt: skip


def accuracy_summary(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Each task, cell and remedy: verdicts and scores over seeds, reach before and after training."""

    def summary(group: pd.DataFrame) -> pd.Series:
        counts = {verdict: int((group["verdict"] == verdict).sum()) for verdict in VERDICTS}
        return pd.Series(
            {
                "seeds": len(group),
                **counts,
                "metric": group["metric"].iloc[0],
                "accuracy": group["accuracy"].median(),
                "accuracy_least": group["accuracy"].min(),
                "accuracy_most": group["accuracy"].max(),
                "loss": group["loss"].median(),
                "baseline_loss": group["baseline_loss"].iloc[0],
                "steps_to_solve": _median(group["steps_to_solve"]),
                "first_nonfinite_step": _median(group["first_nonfinite_step"]),
                "reach_before_steps": group["reach_before_steps"].median(),
                "reach_after_steps": group["reach_after_steps"].median(),
            }
        )

    return grouped(each_run_once(accuracy), _TASK, summary)


def _median(values: pd.Series) -> float:
    known = values.dropna()
    return float(known.median()) if len(known) else float("nan")
