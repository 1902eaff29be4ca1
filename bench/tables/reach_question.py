"""Does the reach of a gradient predict whether a net learns? Areas under the ROC curve and rank correlations.

What this cannot say. Before training, reach is a property of the cell, its initialisation and its remedy, and nets of
different cells differ in more than reach: hence a row for each cell, and `auc_better_matched`, which compares only runs
of the same cell, task and length, so that remedy and seed alone differ. Reach as a share of the sequence contains
the length, which alone makes a task hard: hence the length as a predictor of its own. After training, reach may be
the effect of having learnt as well as its cause. Remedies that act on the gradient leave the initial net as it
is, so several cases share one reading before training (`distinct_values`): there they are resampled together. The length
is shared by all cases of a cell, task and length, which are resampled together as its predictions are.
"""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bench.statistics.grouping import NET
from bench.statistics.rank_statistics import area_under_roc, spearman
from bench.tables.trained_runs import TASK, removed_share, task_runs

LEAST_CASES = 20
_LEAST_OF_A_CLASS = 5
ALL = "all"
MOMENTS = ("before", "after")
_DRAWN = {"before": "sharing", "after": "case", "": "matched"}
"""What is drawn together, by when a reading was taken; the length is no reading."""
_OUTCOMES = ("solved", "better", "removed_share", "matched")
_MATCHED = [*TASK, "task_length", *NET]
READINGS = {
    "reach_share": lambda runs, when: (runs[f"reach_{when}_steps"] / runs["sequence_length"]).clip(upper=1),
    "rate": lambda runs, when: runs[f"rate_{when}_nats_per_step"],
    "rate_near_0": lambda runs, when: -runs[f"rate_{when}_nats_per_step"].abs(),
    "largest_exponent": lambda runs, when: runs[f"largest_exponent_{when}_nats_per_step"],
    "largest_exponent_near_0": lambda runs, when: -runs[f"largest_exponent_{when}_nats_per_step"].abs(),
    "second_exponent": lambda runs, when: runs[f"second_exponent_{when}_nats_per_step"],
}
"""`READINGS[predictor](runs, "before" or "after")`: what may predict success, larger where more is expected."""
_SHORTNESS = "shortness"
_SCORES = ("auc_solved", "auc_better", "auc_better_matched", "spearman")
_COLUMNS = [
    "cell", *TASK, "predictor", "when", "runs", "cases", "distinct_values", "solved", "better",
    *(f"{score}{part}" for score in _SCORES for part in ("", "_low", "_high")),
]  # fmt: skip


def reach_predicts(accuracy: pd.DataFrame) -> pd.DataFrame:
    """How well each reading of a net, before and after training, ranks runs by success: by cell and task, and for all.

    Predictors: `reach_share`, the reach as a share of the sequence (1 where censored); `rate` of the averaged log
    norm and the two largest Lyapunov exponents, nats a step; `_near_0`, minus the distance from 0, where gradients neither
    vanish nor explode; and `shortness`, minus the task's length, which knows nothing of the net.

    Args:
        accuracy: task_accuracy.csv. Plain SGD is left out: it is there to explode.

    Returns:
        `auc_solved`: the share of pairs of a solved and another run in which the solved one has the larger reading,
        equals counting half; 0.5 is chance. `auc_better` likewise of runs that solved the task or did better
        than the best constant guess, since some tasks are hardly ever solved in a small budget.
        `auc_better_matched`: the same over pairs of one cell, task and length only. `spearman`: rank
        correlation with the share of the baseline's loss that training removed, which compares tasks and goes on where
        accuracy saturates; a run that diverged ranks below all others. `_low` and `_high` bound 95% of 1,000
        bootstrap samples of whole cases, since the seeds of a case are no independent settings, and of all cases together
        that share a reading; empty where under five of what is drawn (for matched pairs: of those that have a
        partner) are of either class. A value is empty where a class is missing. A run without the reading is left out.
        No rows where under twenty cases were trained, or under five learnt, or under five did not.
    """
    runs = task_runs(accuracy)
    better = runs["verdict"].isin(["solved", "better_than_baseline"])
    runs = runs.assign(
        case=runs.groupby("case_id").ngroup(),
        better=better,
        solved=runs["verdict"] == "solved",
        removed_share=removed_share(runs),
        matched=runs.groupby(_MATCHED, dropna=False).ngroup(),
    ).reset_index(drop=True)
    if runs["case"].nunique() < LEAST_CASES or not _many(
        runs["case"].to_numpy(), runs["better"].to_numpy(bool)
    ):
        return pd.DataFrame(columns=_COLUMNS)
    runs["sharing"] = _sharing(runs)
    rows = []
    for names, group in _groups(runs):
        outcomes = {name: group[name].to_numpy() for name in _OUTCOMES}
        for predictor, when, reading in _predictors(group):
            values = reading.to_numpy(float)
            known = ~np.isnan(values)
            if known.any():
                drawn = group[_DRAWN[when]].to_numpy()[known]
                scores = _scores(values[known], drawn, **{name: of[known] for name, of in outcomes.items()})
                scores = {"runs": int(known.sum()), "cases": group["case"][known].nunique()} | scores
                rows.append(names | {"predictor": predictor, "when": when} | scores)
    return pd.DataFrame(rows, columns=_COLUMNS)


def _groups(runs: pd.DataFrame) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """All runs, those of each task, of each cell, of each cell on each task; none of them twice."""
    tasks = list(runs.groupby(TASK, sort=True))
    cells = list(runs.groupby("cell", sort=True))
    for cell, of_cell in [(ALL, runs), *(cells if len(cells) > 1 else [])]:
        everywhere = dict.fromkeys(TASK, ALL)
        yield {"cell": cell} | everywhere, of_cell
        for task, of_task in tasks if len(tasks) > 1 else []:
            both = of_cell.loc[of_cell.index.intersection(of_task.index)]
            if len(both):
                yield {"cell": cell} | dict(zip(TASK, task, strict=True)), both


def _predictors(runs: pd.DataFrame) -> Iterator[tuple[str, str, pd.Series]]:
    for predictor, reading in READINGS.items():
        for when in MOMENTS:
            yield predictor, when, reading(runs, when)
    yield _SHORTNESS, "", -runs["task_length"]


def _sharing(runs: pd.DataFrame) -> np.ndarray:
    """A number for each run: the same for runs of one case, and of one initial net."""
    measured = ["rate_before_nats_per_step", "reach_before_steps", "largest_exponent_before_nats_per_step"]
    net = runs.groupby([*_MATCHED, "seed", *measured], dropna=False).ngroup()
    case, nets = runs["case"].to_numpy(), net.to_numpy()
    size = case.max() + 1 + nets.max() + 1
    edges = coo_array((np.ones(len(runs)), (case, case.max() + 1 + nets)), shape=(size, size))
    return connected_components(edges, directed=False)[1][case]


def _scores(
    values: np.ndarray,
    drawn: np.ndarray,
    solved: np.ndarray,
    better: np.ndarray,
    removed_share: np.ndarray,
    matched: np.ndarray,
) -> dict[str, Any]:
    solved, better = solved.astype(bool), better.astype(bool)
    has_partner = np.isin(matched, matched[better]) & np.isin(matched, matched[~better])
    found = {
        "auc_solved": area_under_roc(values, solved, drawn, interval=_many(drawn, solved)),
        "auc_better": area_under_roc(values, better, drawn, interval=_many(drawn, better)),
        "auc_better_matched": area_under_roc(
            values, better, drawn, strata=matched, interval=_many(drawn[has_partner], better[has_partner]),
        ),
        "spearman": spearman(
            values, removed_share.astype(float), drawn, interval=len(np.unique(drawn)) >= _LEAST_OF_A_CLASS
        ),
    }  # fmt: skip
    row: dict[str, Any] = {
        "distinct_values": len(np.unique(values)),
        "solved": int(solved.sum()),
        "better": int(better.sum()),
    }
    for score, interval in found.items():
        row |= {score: interval.value, f"{score}_low": interval.low, f"{score}_high": interval.high}
    return row


def _many(drawn: np.ndarray, success: np.ndarray) -> bool:
    """Whether enough of what is drawn has a run of each class for an interval: resampling few says little of others."""
    return all(len(np.unique(drawn[of_class])) >= _LEAST_OF_A_CLASS for of_class in (success, ~success))
