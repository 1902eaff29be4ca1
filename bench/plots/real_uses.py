"""The picture of real tasks: error by horizon beside the seasonal-naive forecast, reach beside dependence."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots.style import COLOURS, LINES, MARKERS, panels_of
from bench.statistics.grouping import median_is_bound
from bench.store import Store
from bench.tables.real_uses import forecast_horizons
from bench.tables.real_uses import real_uses as real_uses_table

_NAIVE = "seasonal_naive"
_PLAIN_LOOKS = {"seasonal_naive_with_drift": ("0.45", "--")}


def real_uses(store: Store) -> Figure | None:
    """A panel a forecast series with error over horizon, and one with reach and dependence of every task."""
    if not {"task_accuracy", "held_out_scores"} <= set(store.kinds()):
        return None
    nets = real_uses_table(store).dropna(subset=["sequence_length"])
    errors = forecast_horizons(store.read("held_out_scores"))
    if nets.empty:
        return None
    cells = sorted(set(nets["cell"]))
    # The black line is the baseline's.
    looks = {
        cell: (COLOURS[number % 6], MARKERS[number % 8], LINES[number % 6])
        for number, cell in enumerate(cells)
    }
    series = list(errors.groupby(["variant", "task_length"], sort=True))
    figure, panels = panels_of(len(series) + 1, shared_y=False, columns=min(len(series) + 1, 3))
    for axes, ((variant, length), of_series) in zip(panels, series, strict=False):
        _errors(axes, of_series, looks)
        axes.set_title(f"{variant}, {length} steps read", loc="left", fontsize=10)
    _reaches(panels[-1], nets, looks)
    figure.suptitle(
        "Forecast error by horizon beside the seasonal-naive forecast (median over seeds); reach of trained nets beside "
        "the data's dependence",
        fontsize=11,
    )
    return figure


def _errors(axes: Axes, of_series: pd.DataFrame, looks: dict[str, tuple]) -> None:
    naive = of_series[of_series["predictor"] == _NAIVE].sort_values("horizon_steps")
    axes.plot(
        naive["horizon_steps"].to_numpy(float), naive["error"].to_numpy(float), color="black", linewidth=2.2,
        label="seasonal naive",
    )  # fmt: skip
    for name, (colour, line) in _PLAIN_LOOKS.items():
        plain = of_series[of_series["predictor"] == name].sort_values("horizon_steps")
        axes.plot(
            plain["horizon_steps"].to_numpy(float), plain["error"].to_numpy(float), color=colour, linestyle=line,
            label="seasonal naive, drift",
        )  # fmt: skip
    for name, of_net in of_series.groupby("predictor"):
        cell = str(name).split(",")[0]
        if cell not in looks:
            continue
        colour, marker, line = looks[cell]
        drawn = of_net.sort_values("horizon_steps")
        middle = drawn["error"].to_numpy(float)
        axes.errorbar(
            drawn["horizon_steps"].to_numpy(float), middle,
            yerr=[middle - drawn["error_least"].to_numpy(float), drawn["error_most"].to_numpy(float) - middle],
            color=colour, marker=marker, linestyle=line, markersize=5, capsize=2, label=cell,
        )  # fmt: skip
    horizons = sorted(of_series["horizon_steps"].unique())
    axes.set_xscale("log")
    axes.set_xticks(horizons, [str(each) for each in horizons], fontsize=7)
    axes.minorticks_off()
    axes.set_ylim(0, 1.08 * max(of_series.loc[of_series["predictor"] != "last_value", "error"]))
    axes.set(xlabel="steps ahead", ylabel=f"RMSE ({of_series['unit'].iloc[0]})")
    axes.legend(fontsize=7)


def _reaches(axes: Axes, nets: pd.DataFrame, looks: dict[str, tuple]) -> None:
    """A row a task: a bar for how far the data depend, a mark for each cell's reach; hollow where all of T."""
    tasks = list(nets.groupby(["task", "variant", "task_length"], sort=True))
    for row, (_, of_task) in enumerate(tasks):
        steps = of_task["dependence_steps"].iloc[0]
        if pd.notna(steps) and steps > 0:
            axes.barh(row, float(steps), color="0.8", height=0.7)
            if of_task["dependence_censored"].iloc[0]:
                axes.plot(float(steps), row, marker=">", color="0.5", markersize=9, linestyle="none")
        for place, net in enumerate(of_task.itertuples()):
            colour, marker, _ = looks[net.cell]
            full = median_is_bound(int(net.reach_censored_seeds), int(net.seeds))
            axes.plot(
                net.reach_after_steps, row + 0.24 * (place - (len(of_task) - 1) / 2), marker=marker, color=colour,
                linestyle="none", markersize=6, markerfacecolor="none" if full else colour,
            )  # fmt: skip
    axes.barh([np.nan], [np.nan], color="0.8", label="dependence of the data")
    for cell, (colour, marker, _) in looks.items():
        axes.plot([], [], marker=marker, color=colour, linestyle="none", label=cell)
    names = [f"{task}\n{variant}" for (task, variant, _), _ in tasks]
    axes.set_yticks(range(len(tasks)), names, fontsize=7)
    axes.set_xscale("log")
    axes.set_xlim(left=1)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("steps (hollow: all of T; arrow: all that is read)")
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    axes.set_title("reach after training, dependence", loc="left", fontsize=10)
