"""Picture of the remedy grid: what training removed of the baseline's loss, for every remedy, cell and length."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false, reportOperatorIssue=false

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from bench.schema.net_names import setting_label, varying_columns
from bench.statistics.grouping import NET
from bench.store import Store
from bench.tables.remedy_grid import remedy_grid as remedy_grid_table
from bench.tables.trained_runs import TASK, remedy_place

_COLOURS = mpl.colormaps["viridis"]  # brightness rises evenly, so it survives print and colour-blind eyes
_ABSENT = "0.93"
_OTHERS = [*NET[1:], "optimizer", "batch_size", "step_budget", "dtype"]


def remedy_grid(store: Store) -> Figure | None:
    """A panel a task: a row a remedy, a column a cell and length; the number of seeds that solved the task in each."""
    if "task_accuracy" not in store.kinds():
        return None
    table = remedy_grid_table(store.read("task_accuracy"))
    if table.empty:
        return None
    rows = _row_names(table)
    names = sorted(rows.unique(), key=lambda name: (remedy_place(name.split()[0].rstrip(",")), name))
    columns = sorted(set(zip(table["cell"], table["task_length"], strict=True)))
    tasks = list(table.groupby(TASK, sort=True))
    width = 0.36 * len(columns)
    figure = Figure(figsize=(len(tasks) * (width + 0.3) + 3.4, 0.27 * len(names) + 2.3))
    panels = figure.subplots(1, len(tasks), squeeze=False, sharey=True)[0]
    for axes, ((task, variant), of_task) in zip(panels, tasks, strict=True):
        _draw(axes, of_task.assign(row=rows[of_task.index]), names, columns)
        axes.set_title(f"{task} ({variant})", pad=22)
    panels[0].set_yticks(range(len(names)), names)
    shades = mpl.cm.ScalarMappable(mpl.colors.Normalize(0, 1), _COLOURS)
    figure.colorbar(shades, ax=list(panels), label="share of the baseline's loss removed", fraction=0.03)
    figure.legend(
        handles=[
            Patch(facecolor="1", edgecolor="0.2", hatch="////", label="a seed diverged"),
            Patch(facecolor="0.15", label="half of the seeds or more diverged"),
            Patch(facecolor=_ABSENT, label="not trained"),
        ],
        loc="outside lower center", ncols=3, fontsize=8,
    )  # fmt: skip
    seeds = " or ".join(str(count) for count in sorted(table["seeds"].unique()))
    figure.suptitle(
        f"Remedies: median over {seeds} seeds; a number tells how many of them solved the task", fontsize=11
    )
    return figure


def _row_names(table: pd.DataFrame) -> pd.Series:
    """Remedy and strength, and what else tells two settings of one cell apart."""
    of_cells = [of_cell for _, of_cell in table.groupby("cell")]
    varying = [name for name in _OTHERS if any(varying_columns(of_cell, [name]) for of_cell in of_cells)]
    names = []
    for _, row in table.iterrows():
        strength = "" if pd.isna(row["remedy_strength"]) else f" {row['remedy_strength']:g}"
        names.append(
            ", ".join(part for part in (f"{row['remedy']}{strength}", setting_label(row, varying)) if part)
        )
    return pd.Series(names, index=table.index)


def _draw(axes: Axes, table: pd.DataFrame, names: list[str], columns: list[tuple[str, int]]) -> None:
    axes.set_facecolor(_ABSENT)
    for row in table.itertuples():
        corner = columns.index((row.cell, row.task_length)) - 0.5, names.index(row.row) - 0.5
        known = row.removed_share == row.removed_share
        shade = min(max(row.removed_share, 0.0), 1.0) if known else None
        colour = "0.15" if shade is None else _COLOURS(shade)
        axes.add_patch(
            Rectangle(
                corner, 1, 1, facecolor=colour, linewidth=0,
                hatch="////" if row.diverged and known else None, edgecolor="0.98",
            )
        )  # fmt: skip
        if row.solved:
            axes.text(
                corner[0] + 0.5, corner[1] + 0.5, str(row.solved), ha="center", va="center", fontsize=8,
                color="white" if shade is None or shade < 0.5 else "black",
            )  # fmt: skip
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(names) - 0.5, -0.5), xlabel="task length (steps)")
    axes.set_xticks(range(len(columns)), [str(length) for _, length in columns], fontsize=8)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    cells = [cell for cell, _ in columns]
    for cell in dict.fromkeys(cells):
        first, count = cells.index(cell), cells.count(cell)
        axes.text(first + count / 2 - 0.5, -0.65, cell, ha="center", va="bottom", fontsize=8)
        if first:
            axes.axvline(first - 0.5, color="white", linewidth=3)
    for line in range(1, len(names)):
        axes.axhline(line - 0.5, color="white", linewidth=0.6)
