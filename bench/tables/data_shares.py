"""What drawing a batch costs beside its training step, from data_generation.csv."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportReturnType=false

import pandas as pd

from bench.statistics.grouping import grouped

_KEYS = [
    "cell", "hidden_size", "batch_size", "task", "variant", "task_length", "sequence_length", "dtype",
]  # fmt: skip
_PARTS = ["drawing", "step_on_given_batch", "training_step"]


def data_shares(timings: pd.DataFrame) -> pd.DataFrame:
    """A row a net and task.

    Returns:
        Medians in microseconds a training step. `share_percent` is what drawing a batch, by itself, takes of a step
        that draws its own; `longer_percent` by how much such a step takes longer than one on a batch that is there: not
        the same, for in a step drawing is merged with what reads the batch, which then runs otherwise. Both are medians
        of the rounds' ratios, with their quartiles: the second is a small difference of long times.
    """

    def summary(group: pd.DataFrame) -> dict[str, object]:
        times = group.pivot_table(index=["seed", "round"], columns="part", values="run_s")
        times = times.reindex(columns=_PARTS) / group["training_steps"].iloc[0]
        ratios = {
            "share": times["drawing"] / times["training_step"],
            "longer": times["training_step"] / times["step_on_given_batch"] - 1,
        }
        percents = {
            f"{name}{which}_percent": 100 * ratio.quantile(quantile)
            for name, ratio in ratios.items()
            for which, quantile in (("", 0.5), ("_lower_quartile", 0.25), ("_upper_quartile", 0.75))
        }
        return {
            "rounds": len(times),
            **{f"{part}_us": 1e6 * times[part].median() for part in _PARTS},
            **percents,
        }

    usable = timings[timings["run_s"].gt(0) & timings["training_steps"].gt(0)]
    return grouped(usable, [*_KEYS, "case_id"], summary).drop(columns="case_id")
