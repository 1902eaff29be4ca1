"""How long a dependence each cell learns, with each remedy: the effective length."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from typing import Any

import pandas as pd

from bench.statistics.grouping import NET, grouped
from bench.tables.trained_runs import REMEDY, TASK, in_remedy_order, listed, task_runs

LEAST_LENGTHS = 2
_LINE = [*TASK, *NET, *REMEDY, "optimizer", "batch_size", "dtype"]


def effective_length(accuracy: pd.DataFrame) -> pd.DataFrame:
    """A row for each task, cell and remedy that was trained at two lengths or more.

    A length is learnt where a majority of its seeds is: at least n // 2 + 1 of n. The effective length is the longest
    one up to which *every* trained length is learnt: a success beyond a failure is luck or a matter of tuning, so it
    does not count, but `solved_beyond` and `better_beyond` name it. 0 means that not even the shortest is learnt;
    `_at_least` is true where even the longest is, so that the length is a lower limit.

    Step sizes and budgets may differ between lengths (a step size is chosen at each): they are listed. Runs of one
    length count together whatever theirs was. Plain SGD is left out: it is there to explode.

    Args:
        accuracy: task_accuracy.csv.

    Returns:
        `majority` is told as "2 of 3"; `solved_length` counts solved seeds, `better_length` those that solved the
        task or did better than the best constant guess.
    """
    table = grouped(task_runs(accuracy), _LINE, _summary)
    if table.empty:
        return table
    long_enough = table[table.pop("_count") >= LEAST_LENGTHS]
    return in_remedy_order(long_enough, [*TASK, *NET])


def _summary(line: pd.DataFrame) -> dict[str, Any]:
    seeds = line.groupby("task_length")["seed"].size()
    row: dict[str, Any] = {
        "lengths": listed(line["task_length"]),
        "majority": ", ".join(sorted({f"{count // 2 + 1} of {count}" for count in seeds})),
    }
    better = line["verdict"].isin(["solved", "better_than_baseline"])
    for name, success in (("solved", line["verdict"] == "solved"), ("better", better)):
        learnt = success.groupby(line["task_length"]).sum() >= seeds // 2 + 1
        up_to_here = learnt.cummin()
        row[f"{name}_length"] = int(learnt.index[up_to_here].max()) if up_to_here.any() else 0
        row[f"{name}_at_least"] = bool(up_to_here.all())
        row[f"{name}_beyond"] = " ".join(str(length) for length in learnt.index[learnt & ~up_to_here])
    return row | {
        "learning_rates": listed(line["learning_rate"]),
        "step_budgets": listed(line["step_budget"]),
        "_count": len(seeds),
    }
