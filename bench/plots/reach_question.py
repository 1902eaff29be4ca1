"""Picture of whether reach predicts success: what was learnt against reach, and how well each reading ranks runs."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots.style import COLOURS, MARKERS
from bench.store import Store
from bench.tables.reach_question import ALL, MOMENTS, READINGS
from bench.tables.reach_question import reach_predicts as reach_predicts_table
from bench.tables.trained_runs import TASK, removed_share, task_runs

_SPREAD = 0.012
_FLOOR = -0.1


def reach_predicts(store: Store) -> Figure | None:
    """Above: the share of the baseline's loss removed against reach, before and after; below: areas under the ROC curve."""
    if "task_accuracy" not in store.kinds():
        return None
    accuracy = store.read("task_accuracy")
    table = reach_predicts_table(accuracy)
    if table.empty:
        return None
    runs = task_runs(accuracy)
    cells = sorted(runs["cell"].unique())
    figure = Figure(figsize=(10.4, 9.4))
    grid = figure.subplots(2, 2, height_ratios=(1, 1.2))
    for axes, when in zip(grid[0], MOMENTS, strict=True):
        _draw_runs(axes, runs, cells, when)
    for axes, when in zip(grid[1], MOMENTS, strict=True):
        _draw_areas(
            axes, table[(table[TASK] == ALL).all(axis=1) & table["when"].isin([when, ""])], cells, when
        )
    figure.legend(
        *grid[1][0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8,
        title="marks above are filled where the run solved its task, and moved by up to "
        f"{_SPREAD:g} to part them; bars below: 95% over cases", title_fontsize=8,
    )  # fmt: skip
    grid[0][0].set_ylabel("share of the baseline's loss removed")
    grid[0][1].tick_params(labelleft=False)
    grid[1][1].tick_params(labelleft=False)
    figure.suptitle("Does reach predict success?", fontsize=11)
    return figure


def _draw_runs(axes: Axes, runs: pd.DataFrame, cells: list[str], when: str) -> None:
    reach, share = READINGS["reach_share"](runs, when), removed_share(runs)
    # Most marks would lie on 0 or 1, so each is moved a little, in the order of the file: the same at every call.
    moved = _SPREAD * np.random.default_rng(0).uniform(-1, 1, (2, len(runs)))
    values = np.stack([reach.to_numpy(float), share.clip(lower=_FLOOR).to_numpy(float)])
    x, y = np.where(values + moved > 1, values - moved, values + moved)  # none to where no value can be
    solved = (runs["verdict"] == "solved").to_numpy(bool)
    for number, cell in enumerate(cells):
        look = {
            "color": COLOURS[number % len(COLOURS)],
            "marker": MARKERS[number % len(MARKERS)],
            "linestyle": "none",
        }
        of_cell = (runs["cell"] == cell).to_numpy(bool)
        axes.plot(x[of_cell & solved], y[of_cell & solved], markersize=4.5, alpha=0.7, **look)
        others = of_cell & ~solved
        axes.plot(x[others], y[others], markersize=4.5, markerfacecolor="none", alpha=0.7, **look)
    axes.axhline(0, color="0.4", linewidth=0.8)
    axes.set(
        title=f"{when} training",
        xlabel="reach / sequence length",
        xlim=(-0.03, 1.04),
        ylim=(_FLOOR - 0.03, 1.04),
    )
    axes.set_yticks(
        [_FLOOR, 0, 0.25, 0.5, 0.75, 1], [f"under −{-_FLOOR:g}\nor diverged", "0", "0.25", "0.5", "0.75", "1"]
    )


def _draw_areas(axes: Axes, table: pd.DataFrame, cells: list[str], when: str) -> None:
    predictors = list(dict.fromkeys(table["predictor"]))
    lines = [
        (ALL, "auc_better", "all runs"),
        (ALL, "auc_better_matched", "pairs of one cell, task and length"),
    ]
    lines += [(cell, "auc_better", cell) for cell in cells if (table["cell"] == cell).any()]
    step = 0.8 / len(lines)
    for place, (cell, score, label) in enumerate(lines):
        of_line = table[table["cell"] == cell].set_index("predictor").reindex(predictors)
        y = np.arange(len(predictors)) + (place - (len(lines) - 1) / 2) * step
        value, low, high = (of_line[f"{score}{part}"].to_numpy(float) for part in ("", "_low", "_high"))
        number = cells.index(cell) if cell in cells else None
        colour = "black" if number is None else COLOURS[number % len(COLOURS)]
        marker = "D" if number is None else MARKERS[number % len(MARKERS)]
        axes.plot(
            value, y, marker=marker, linestyle="none", color=colour, markersize=4.5, label=label,
            markerfacecolor="white" if score.endswith("matched") else colour,
        )  # fmt: skip
        axes.hlines(y, low, high, color=colour, linewidth=1.2, zorder=1)
    axes.axvline(0.5, color="0.4", linewidth=0.8)
    for between in range(1, len(predictors)):
        axes.axhline(between - 0.5, color="0.85", linewidth=0.8)
    axes.set(xlim=(-0.02, 1.02), xlabel="area under the ROC curve")
    axes.set_title(
        f"how well a reading {when} training\nranks runs by beating the best constant guess", fontsize=9
    )
    axes.set_yticks(range(len(predictors)), [name.replace("_", " ") for name in predictors])
    axes.set_ylim(len(predictors) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
