"""What drawing a batch costs beside its training step, from data_generation.csv."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportReturnType=false

import pandas as pd

from bench.grouping import grouped

_KEYS = [
    "task", "variant", "task_length", "cell", "hidden_size", "batch_size", "sequence_length", "dtype",
]  # fmt: skip
_PARTS = ["drawing", "step_on_given_batch", "training_step"]


def data_shares(timings: pd.DataFrame) -> pd.DataFrame:
    """A row a task and net.

    Returns:
        Medians in microseconds a training step; `share`, of drawing a batch alone in a step that draws its own, is the
        median of the rounds' ratios, and `share_least` and `share_most` are those ratios' quartiles. `step_takes_longer`
        is by what part such a step takes longer than on a batch that is there: less than `share` where drawing is merged
        into what follows, and noisy, for it is a small difference of long times.
    """

    def summary(group: pd.DataFrame) -> dict[str, object]:
        times = group.pivot_table(index="round", columns="part", values="run_s").reindex(columns=_PARTS)
        times /= group["training_steps"].iloc[0]
        medians, shares = 1e6 * times.median(), times["drawing"] / times["training_step"]
        return {
            "rounds": len(times),
            "drawing_us": medians["drawing"],
            "step_on_given_batch_us": medians["step_on_given_batch"],
            "training_step_us": medians["training_step"],
            "share": shares.median(),
            "share_least": shares.quantile(0.25),
            "share_most": shares.quantile(0.75),
            "step_takes_longer": (times["training_step"] / times["step_on_given_batch"]).median() - 1,
        }

    usable = timings[timings["run_s"].gt(0) & timings["training_steps"].gt(0)]
    return grouped(usable, [*_KEYS, "case_id"], summary).drop(columns="case_id")
