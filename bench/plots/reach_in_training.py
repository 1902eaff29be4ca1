"""Picture of how far the gradient reaches while a net learns."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import pandas as pd
from matplotlib.figure import Figure

from bench.plots.style import COLOURS, LINES, MARKERS
from bench.schema.net_names import cell_name
from bench.store import Store
from bench.tables.trained_runs import PLAIN, TASK

_LINES_AT_MOST = 8


def reach_in_training(store: Store) -> Figure | None:
    """Reach as a share of the sequence, and the largest exponent, against training steps: a line a cell, one run each.

    A column a task: the longest length at which a plainly trained cell solved it, or the longest one where none did.
    """
    if not {"snapshots", "task_accuracy"} <= set(store.kinds()):
        return None
    snapshots = store.read("snapshots").merge(
        store.read("task_accuracy")[["case_id", "seed", "verdict"]], on=["case_id", "seed"]
    )
    snapshots = snapshots[snapshots["remedy"] == PLAIN] if (snapshots["remedy"] == PLAIN).any() else snapshots
    snapshots = snapshots.assign(net=[cell_name(row) for row in snapshots.itertuples()])
    nets = sorted(snapshots["net"].unique())
    tasks = [(names, _at_telling_length(of_task)) for names, of_task in snapshots.groupby(TASK, sort=True)]
    if not tasks:
        return None
    figure = Figure(figsize=(4.2 * len(tasks) + 0.6, 6.0))
    grid = figure.subplots(2, len(tasks), squeeze=False, sharex="col", sharey="row")
    for place, ((task, variant), of_task) in enumerate(tasks):
        upper, lower = grid[0][place], grid[1][place]
        for (net, _), run in list(of_task.groupby(["net", "case_id"], sort=True))[:_LINES_AT_MOST]:
            number = nets.index(net)
            look = {
                "color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)],
                "linestyle": LINES[number % len(LINES)], "markersize": 5,
            }  # fmt: skip
            run = run.sort_values("step")
            steps = run["step"].to_numpy(float)
            share = (run["reach_steps"] / run["sequence_length"]).to_numpy(float)
            label = f"{net}: {run['verdict'].iloc[0].replace('_', ' ')}"
            upper.plot(steps, share, label=label, **look)
            lower.plot(steps, run["largest_exponent_nats_per_step"].to_numpy(float), **look)
        upper.set(title=f"{task} ({variant}), T = {of_task['task_length'].iloc[0]}", ylim=(-0.04, 1.08))
        upper.legend(fontsize=8, loc="best")
        lower.axhline(0, color="0.4", linewidth=0.8)
        lower.set_xlabel("training steps")
    grid[0][0].set_ylabel("reach / sequence length")
    grid[1][0].set_ylabel("largest exponent (nats a step)")
    figure.suptitle("Reach while training, without a remedy: one run of each cell", fontsize=11)
    return figure


def _at_telling_length(of_task: pd.DataFrame) -> pd.DataFrame:
    solved = of_task[of_task["verdict"] == "solved"]
    length = (solved if len(solved) else of_task)["task_length"].max()
    return of_task[of_task["task_length"] == length]
