"""The answer to whether reach predicts success, in words, with the figures that it rests on."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false, reportIndexIssue=false, reportOptionalSubscript=false

import pandas as pd

from bench.tables.reach_question import ALL
from bench.tables.trained_runs import TASK

_QUESTIONS = {
    "before": "Before training: does a net whose gradient reaches further learn more often?",
    "after": "After training: do nets that learnt reach further than nets that did not?",
}
_CHANCE = 0.5


def reach_answers(predicts: pd.DataFrame) -> pd.DataFrame:
    """A row a question, from the areas under the ROC curve of reach for doing better than the best constant guess.

    Args:
        predicts: the table reach_predicts.

    Returns:
        `answer`: "yes" where the 95% interval lies above 0.5 over all runs and among runs of the same cell, task and
        length; "over all, not within a setting" and "within a setting, not over all" where only one does; "the
        other way round" where none does and one lies under 0.5; else "not shown". `figures` also tells each cell, the largest
        exponent, and what the length alone predicts.
    """
    if predicts.empty:
        return pd.DataFrame(columns=["question", "answer", "figures", "figure"])
    over_tasks = predicts[(predicts[TASK] == ALL).all(axis=1)]
    rows = []
    for when, question in _QUESTIONS.items():
        scores = over_tasks[over_tasks["when"].isin([when, ""])].set_index(["predictor", "cell"])
        rows.append(
            {
                "question": question,
                "answer": _answer(scores.loc[("reach_share", ALL)]),
                "figures": _figures(scores),
                "figure": "figures/reach_predicts.png",
            }
        )
    return pd.DataFrame(rows)


def _answer(reach: pd.Series) -> str:
    over_all, within = (reach[f"{score}_low"] > _CHANCE for score in ("auc_better", "auc_better_matched"))
    if over_all or within:
        if over_all and within:
            return "yes"
        return "over all, not within a setting" if over_all else "within a setting, not over all"
    below = any(reach[f"{score}_high"] < _CHANCE for score in ("auc_better", "auc_better_matched"))
    return "the other way round" if below else "not shown"


def _figures(scores: pd.DataFrame) -> str:
    reach = scores.loc[("reach_share", ALL)]
    cells = [cell for predictor, cell in scores.index if predictor == "reach_share" and cell != ALL]
    parts = [
        f"area under the ROC curve of reach / T {_interval(reach, 'auc_better')} over {reach['runs']} runs of "
        f"{reach['cases']} cases, {reach['better']} better than the best constant guess",
        f"among runs of the same cell, task and length {_interval(reach, 'auc_better_matched')}",
        *(
            f"{cell} {_interval(scores.loc[('reach_share', cell)], 'auc_better')}, matched "
            f"{_interval(scores.loc[('reach_share', cell)], 'auc_better_matched')}"
            for cell in cells
        ),
    ]
    for predictor, words in (
        ("largest_exponent", "largest exponent"),
        ("shortness", "shortness of the task alone"),
    ):
        if (predictor, ALL) in scores.index:
            parts.append(f"{words} {_interval(scores.loc[(predictor, ALL)], 'auc_better')}")
    return "; ".join(parts)


def _interval(row: pd.Series, score: str) -> str:
    value, low, high = (row[f"{score}{part}"] for part in ("", "_low", "_high"))
    if pd.isna(value):
        return "unknown"
    return f"{value:.2f}" if pd.isna(low) else f"{value:.2f} [{low:.2f}, {high:.2f}]"
