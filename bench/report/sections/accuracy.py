"""Accuracy against length."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
import pandas as pd

from bench.plots.labels import metric_label, verdict_counts
from bench.plots.training import line_names
from bench.report.axes import layout, line
from bench.report.content import Chart, Option, Section, Switches, Table, View
from bench.report.looks import Look, looks_of
from bench.report.results import Results


def accuracy(results: Results) -> Section:
    """A view a task, a line a cell and remedy."""
    views = []
    for folder, frame in results.having("task_accuracy"):
        names = line_names(frame)
        looks = looks_of(sorted(names.unique()))
        views += [
            _view(of_task.assign(line=names[of_task.index]), f"{task} ({variant})", looks, folder.label)
            for (task, variant), of_task in frame.groupby(["task", "variant"], sort=True)
        ]
    parts = []
    if views:
        caption = (
            "Accuracy on held-out examples at the end of training against the length of the task: median over seeds, bars "
            "from least to most. A seed that ended in NaN or infinity counts as 0 here; medians in the tables leave it out. Lines of equal value lie a little "
            "beside each other."
        )
        parts = [Chart("accuracy-chart", caption, views, "Task")]
        parts += [
            Table(f"Verdicts, scores and reach: {folder.label}", table)
            for folder, table in results.with_table("accuracy_summary")
        ]
    return Section(
        "accuracy",
        "Accuracy against length",
        "Up to which length does which cell learn what it has to remember?",
        parts,
        "rnn-bench run quick --only kind=task_accuracy",
    )


def _view(frame: pd.DataFrame, task: str, looks: dict[str, Look], group: str) -> View:
    names = sorted(frame["line"].unique())
    lengths = sorted(frame["task_length"].unique())
    traces, told = [], []
    for place, name in enumerate(names):
        of_line = frame[frame["line"] == name]
        of_line = of_line.assign(score=of_line["accuracy"].where(of_line["verdict"] != "diverged", 0.0))
        by_length = of_line.groupby("task_length")["score"]
        middle, least, most = by_length.median(), by_length.min(), by_length.max()
        verdicts = [verdict_counts(each["verdict"]) for _, each in of_line.groupby("task_length")]
        shift = 1.025 ** (place - (len(names) - 1) / 2)
        bars = {
            "type": "data", "symmetric": False, "thickness": 1.2, "width": 3,
            "array": (most - middle).astype(float).tolist(), "arrayminus": (middle - least).astype(float).tolist(),
        }  # fmt: skip
        at = middle.index.to_numpy(float)
        traces.append(
            line(name, at * shift, middle.to_numpy(float), looks[name], "T = %{customdata[0]}: %{y:.3f}<br>%{customdata[1]}",
                 meta=[place], error_y=bars, customdata=[[int(x), each] for x, each in zip(at, verdicts, strict=True)])
        )  # fmt: skip
        told.append(
            f"{name}: {', '.join(f'{value:.2g} at {x:g}' for x, value in zip(at, middle, strict=True))}"
        )
    ends = np.log10([lengths[0] / 1.3, lengths[-1] * 1.3]).tolist()
    axis = {
        "type": "log",
        "tickvals": [int(x) for x in lengths],
        "ticktext": [str(x) for x in lengths],
        "range": ends,
    }
    chart = layout(
        "task length T (steps)",
        metric_label(frame["metric"].iloc[0]),
        xaxis=axis,
        yaxis={"range": [-0.04, 1.04]},
    )
    switches = [Switches("Cell and remedy", [Option(name, looks[name]) for name in names])]
    return View(
        task, traces, chart, f"Accuracy on {task} against length. {'; '.join(told)}.", switches, group
    )
