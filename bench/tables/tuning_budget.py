"""Whether every cell and remedy had the same chance: what was spent on choosing its step size."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from typing import Any

import pandas as pd

from bench.statistics.grouping import NET, grouped
from bench.tables.trained_runs import REMEDY, in_remedy_order, listed

_BUDGET = ["step_sizes", "tuning_seeds", "steps_a_run", "step_budget"]


def tuning_budget(accuracy: pd.DataFrame, tuning: pd.DataFrame) -> pd.DataFrame:
    """A row for each cell and remedy whose step size was chosen: over all of its tasks and lengths.

    Args:
        accuracy: task_accuracy.csv.
        tuning: tuning.csv.

    Returns:
        `tuning_runs` and `tuning_steps_granted` a case: equal budgets are equal here; `tuning_steps_run` is what was
        used, less where a run solved its task or diverged. `same_budget` is true where step sizes, seeds and steps of
        tuning and the budget of the reported runs are those that most rows have. `reported_seeds_tuned_on` counts
        reported runs whose seed its case was tuned on: anything but 0 is a fault. `chosen` tells how often each step
        size won; `chosen_at_an_end` counts the cases in which the smallest or the largest did, where a wider grid
        might have found a better one.
    """
    tuned = tuning.merge(
        accuracy.drop_duplicates("case_id")[["case_id", "tuning_steps", "tuning_seeds", "step_budget"]],
        on="case_id",
    )
    reported = accuracy[accuracy["case_id"].isin(tuned["case_id"])]
    both = reported[["case_id", "seed"]].merge(tuned[["case_id", "seed"]].drop_duplicates())
    tuned_on = both.groupby("case_id").size()
    table = grouped(tuned, [*NET, *REMEDY], lambda group: _summary(group, tuned_on))
    if table.empty:
        return table
    budget = table[_BUDGET].astype(str).agg("; ".join, axis=1)
    table.insert(len(NET) + len(REMEDY), "same_budget", budget == budget.mode().iloc[0])
    return in_remedy_order(table, NET)


def _summary(tuned: pd.DataFrame, tuned_on: pd.Series) -> dict[str, Any]:
    by_case = tuned.groupby("case_id")
    chosen = tuned[tuned["chosen"]].drop_duplicates("case_id").set_index("case_id")["learning_rate"]
    ends = by_case["learning_rate"].agg(["min", "max"]).loc[chosen.index]
    counts = chosen.value_counts().sort_index()
    runs = by_case.size()
    granted = runs * by_case["tuning_steps"].first()
    return {
        "cases": len(runs),
        "step_sizes": listed(tuned["learning_rate"]),
        "tuning_seeds": listed(tuned["tuning_seeds"]),
        "steps_a_run": listed(tuned["tuning_steps"]),
        "step_budget": listed(tuned["step_budget"]),
        "tuning_runs": listed(runs),
        "tuning_steps_granted": listed(granted),
        "tuning_steps_run": float(by_case["steps_run"].sum().mean()),
        "diverged_runs": int((tuned["verdict"] == "diverged").sum()),
        "chosen": ", ".join(f"{rate:g}: {count}" for rate, count in counts.items()),
        "chosen_at_an_end": int(((chosen == ends["min"]) | (chosen == ends["max"])).sum()),
        "reported_seeds_tuned_on": int(tuned_on.reindex(runs.index).fillna(0).sum()),
    }
