"""Pictures of trained nets: accuracy against length, loss against training step."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.plots.labels import line_name, metric_label, setting_name, verdict_counts
from bench.plots.style import COLOURS, LINES, MARKERS, columns_of, panels_of
from bench.schema.net_names import cell_name, varying_columns
from bench.statistics.grouping import OPTIONS
from bench.store import Store
from bench.tables.trained_runs import PLAIN, TASK

_LINES_AT_MOST = 12
"""In a panel."""
TRAINED = ["gain", *OPTIONS, "optimizer", "learning_rate", "batch_size"]
"""What may tell one training from another of the same cell and remedy."""


def accuracy(store: Store) -> Figure | None:
    """Accuracy against task length, a panel a task, a line a cell and remedy.

    Where those are too many to tell apart, only training without a remedy: `remedy_grid` shows the others.
    """
    if "task_accuracy" not in store.kinds():
        return None
    accuracy = store.read("task_accuracy")
    accuracy = accuracy[accuracy["optimizer"] != "sgd"]
    # A step size that was chosen at each length anew makes no line of its own.
    was_chosen = accuracy["learning_rate_grid"].fillna("") != ""
    accuracy = accuracy.assign(learning_rate=accuracy["learning_rate"].mask(was_chosen))
    of_a_line = [*TASK, "cell", "layers", "input_deviation", "remedy", "remedy_strength"]
    lines = accuracy.drop_duplicates(of_a_line).groupby(TASK).size()
    if (lines > _LINES_AT_MOST).any() and (accuracy["remedy"] == PLAIN).any():
        accuracy = accuracy[accuracy["remedy"] == PLAIN]
    tasks = list(accuracy.groupby(["task", "variant"], sort=True))
    if not tasks:
        return None
    figure, panels = panels_of(len(tasks), shared_y=True)
    names_of = [_line_names(of_task) for _, of_task in tasks]
    labels = sorted(set(pd.concat(names_of)))
    for axes, ((task, variant), of_task), names in zip(panels, tasks, names_of, strict=True):
        lengths = sorted(of_task["task_length"].unique())
        drawn = sorted(names.unique())
        # One look in all panels, where there are looks enough.
        looked_at = labels if len(labels) <= len(COLOURS) else drawn
        looks = dict(
            zip(looked_at, zip(cycle(COLOURS), cycle(MARKERS), cycle(LINES), strict=False), strict=False)
        )
        for place, label in enumerate(drawn):
            of_line = of_task[names == label].groupby("task_length")["accuracy"]
            middle, least, most = of_line.median(), of_line.min(), of_line.max()
            colour, marker, line = looks[label]
            shift = 1.03 ** (place - (len(drawn) - 1) / 2)  # so that equal values do not hide each other
            axes.errorbar(
                middle.index.to_numpy(float) * shift, middle.to_numpy(float),
                yerr=[(middle - least).to_numpy(float), (most - middle).to_numpy(float)],
                color=colour, marker=marker, linestyle=line, markersize=5, capsize=2, label=label,
            )  # fmt: skip
        axes.set(title=f"{task} ({variant})", xlabel="task length (steps)", xscale="log", ylim=(-0.04, 1.04))
        axes.set_xlim(lengths[0] / 1.5, lengths[-1] * 1.5)
        axes.set_xticks(lengths, [str(length) for length in lengths])
        axes.minorticks_off()
        axes.set_ylabel(metric_label(of_task["metric"].iloc[0]))
        axes.legend(fontsize=8)
    figure.suptitle("Long-range accuracy:\nmedian over seeds, bars from least to most", fontsize=11)
    return figure


def _line_names(of_task: pd.DataFrame) -> pd.Series:
    """The cell with what is unusual about it, the remedy, and what else tells two lines of these in this panel apart."""
    kinds = [of_kind for _, of_kind in of_task.groupby(["cell", "remedy", "remedy_strength"], dropna=False)]
    told_with_the_cell = ("layers", "input_deviation")
    varying = [
        name
        for name in TRAINED
        if name not in told_with_the_cell and any(varying_columns(of_kind, [name]) for of_kind in kinds)
    ]
    names = [line_name(row, varying, named=cell_name(row)) for row in of_task.itertuples()]
    return pd.Series(names, index=of_task.index)


def training_loss(store: Store) -> Figure | None:
    """Training loss of every seed, a panel a setting; a cross where a run ended in something not finite."""
    if not {"training_curves", "task_accuracy"} <= set(store.kinds()):
        return None
    curves, accuracy = store.read("training_curves"), store.read("task_accuracy")
    longest = fullest_setting(accuracy)
    settings = longest.drop_duplicates("case_id")
    if settings.empty:
        return None
    figure, panels = panels_of(len(settings), shared_y=False)
    for axes, setting in zip(panels, settings.itertuples(), strict=True):
        for seed, colour, line in zip(
            sorted(longest[longest["case_id"] == setting.case_id]["seed"]),
            cycle(COLOURS),
            cycle(LINES),
            strict=False,
        ):
            curve = curves[(curves["case_id"] == setting.case_id) & (curves["seed"] == seed)]
            loss = curve["loss"].to_numpy(float)
            axes.plot(
                curve["step"].to_numpy(float),
                loss,
                color=colour,
                linestyle=line,
                linewidth=1.2,
                label=f"seed {seed}",
            )
            outcome = longest[(longest["case_id"] == setting.case_id) & (longest["seed"] == seed)].iloc[0]
            finite = loss[np.isfinite(loss)]
            if pd.notna(outcome["first_nonfinite_step"]) and finite.size:
                axes.plot(
                    int(outcome["first_nonfinite_step"]),
                    finite[-1],
                    "x",
                    color=colour,
                    markersize=9,
                    markeredgewidth=2.5,
                )
        axes.axhline(setting.baseline_loss, color="0.4", linewidth=0.8)
        verdicts = longest[longest["case_id"] == setting.case_id]["verdict"]
        axes.set(
            title=f"{setting_name(setting)}\n{verdict_counts(verdicts)}", yscale="log", xlabel="training step"
        )
        axes.title.set_fontsize(9)
        axes.legend(fontsize=8)
    for axes in panels[:: columns_of(len(settings))]:
        axes.set_ylabel("training loss")
    first = settings.iloc[0]
    figure.suptitle(
        f"Training on {first['task']} ({first['variant']}), T = {first['task_length']}; grey: best constant guess; "
        "cross: the run ended in NaN or inf",
        fontsize=11,
    )
    return figure


def fullest_setting(accuracy: pd.DataFrame) -> pd.DataFrame:
    """The runs of the first task at the length that most cells and remedies were trained at."""
    of_task = accuracy[accuracy["task"] == accuracy["task"].min()]
    counts = of_task.groupby("task_length")["case_id"].nunique()
    length = counts[counts == counts.max()].index.max()
    return of_task[of_task["task_length"] == length].sort_values(
        ["optimizer", "cell", "layers", "input_deviation", "gain", "remedy"], kind="stable"
    )
