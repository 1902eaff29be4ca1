"""A net that explodes, without and with remedies: which of them save it."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from typing import Any

import numpy as np
import pandas as pd

from bench.statistics.grouping import NET, grouped
from bench.tables.trained_runs import (
    PLAIN,
    REMEDY,
    TASK,
    each_run_once,
    in_remedy_order,
    median_with_diverged,
    removed_share,
)

LEAST_REMEDIES = 2
"""Beside plain training, for one net at least: with fewer there is nothing to compare."""
_SETTING = [*TASK, "task_length", *NET, "optimizer", "learning_rate", "batch_size", "step_budget", "dtype"]
_NO_VALUE = "-"


def explosion_remedies(accuracy: pd.DataFrame, explosions: pd.DataFrame) -> pd.DataFrame:
    """A row for each remedy of each net that, trained plainly at the same step size, went non-finite.

    A seed is saved where its run did not diverge: everything stayed finite and the loss under ten times the baseline's.
    `learnt` counts those that also did better than the best constant guess, since a net that no longer moves is finite too.

    Args:
        accuracy: task_accuracy.csv.
        explosions: explosions.csv.

    Returns:
        `first_nonfinite_steps` and `_quantities` and `log10_largest_chain_norms` have one entry a seed, in the order of
        seeds, - where there is none: a chain norm is the largest spectral norm of dh_T/dh_t, over lags and over
        the worst sequences of the batch that was not finite, under the last finite weights (-inf where every unit was
        saturated). `loss_over_baseline` is the median over seeds, empty where half of them diverged.
    """
    runs = each_run_once(accuracy)
    runs = runs.assign(removed_share=removed_share(runs), nonfinite=runs["first_nonfinite_step"].notna())
    exploding = runs[(runs["remedy"] == PLAIN) & runs["nonfinite"]][_SETTING].drop_duplicates()
    runs = runs.merge(exploding, on=_SETTING)
    remedies = runs[runs["remedy"] != PLAIN].groupby(_SETTING, dropna=False)["remedy"].nunique()
    if remedies.empty or remedies.max() < LEAST_REMEDIES:
        return pd.DataFrame(columns=[*_SETTING, *REMEDY])
    apart = explosions[explosions["lag"] > 0]  # at lag 0 the chain is the identity
    norms = apart.groupby(["case_id", "seed"])["log10_spectral_norm"].max()
    runs["chain_norm"] = [norms.get(key, np.nan) for key in zip(runs["case_id"], runs["seed"], strict=True)]
    return in_remedy_order(grouped(runs, [*_SETTING, *REMEDY], _summary), _SETTING)


def _summary(runs: pd.DataFrame) -> dict[str, Any]:
    runs = runs.sort_values("seed")
    saved = int((runs["verdict"] != "diverged").sum())
    return {
        "seeds": len(runs),
        "saved": saved,
        "verdict": "saved" if saved == len(runs) else "saved in part" if saved else "not saved",
        "learnt": int(runs["verdict"].isin(["solved", "better_than_baseline"]).sum()),
        "nonfinite": int(runs["nonfinite"].sum()),
        "first_nonfinite_steps": _each(runs["first_nonfinite_step"], "{:g}"),
        "first_nonfinite_quantities": _each(runs["first_nonfinite_quantity"].where(runs["nonfinite"]), "{}"),
        "log10_largest_chain_norms": _each(runs["chain_norm"].round(1) + 0.0, "{:.1f}"),  # no -0.0
        "loss_over_baseline": 1 - median_with_diverged(runs["removed_share"]),
    }


def _each(values: pd.Series, form: str) -> str:
    return " ".join(_NO_VALUE if pd.isna(value) else form.format(value) for value in values)
