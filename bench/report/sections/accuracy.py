"""Accuracy against length."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from itertools import cycle
from typing import Any

import pandas as pd

from bench.plots.labels import metric_label, verdict_counts
from bench.report.axes import layout, line, sizes_axis
from bench.report.content import Chart, Option, Section, Switches, Table, View
from bench.report.looks import DASHES, Look, looks_of
from bench.report.results import Results
from bench.report.trained import named

_APART, _SPREAD = 1.012, 1.12
"""From one line to the next, so that equal values do not hide each other, and over all lines at most."""
_REMEDIES_AT_FIRST = 3


def accuracy(results: Results) -> Section:
    """A view a task, a line a cell, remedy and setting."""
    views = [
        _view(of_task, f"{task} ({variant})", folder.label)
        for folder, frame in results.having("task_accuracy")
        for (task, variant), of_task in named(frame).groupby(["task", "variant"], sort=True)
    ]
    parts = []
    if views:
        caption = (
            "Accuracy on held-out examples at the end of training against the length of the task: median over seeds, bars "
            "from least to most. A seed that ended in NaN or infinity counts as 0 here; medians in the tables leave it out. Lines of equal value lie a little "
            "beside each other. A mark tells the cell, a dash the remedy; open marks are of a less common setting."
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


def _view(frame: pd.DataFrame, task: str, group: str) -> View:
    cells, settings = sorted(frame["cell"].unique()), list(frame["setting"].value_counts().index)
    remedies = sorted(frame["mended"].unique(), key=lambda each: (each != "none", each))
    looks = looks_of(cells, dashes=("solid",))
    dashes = dict(zip(remedies, cycle(DASHES), strict=False))
    lines = list(frame.groupby(["cell", "mended", "setting"], sort=True))
    apart = min(_APART, _SPREAD ** (1 / len(lines)))
    traces, summaries = [], []
    for place, ((cell, remedy, setting), of_line) in enumerate(lines):
        # The most common setting has full marks, the others open ones.
        symbol = looks[cell].symbol + ("-open" if settings.index(setting) else "")
        name = ", ".join(part for part in (cell, remedy, setting) if part)
        shift = apart ** (place - (len(lines) - 1) / 2)
        meta = [cells.index(cell), remedies.index(remedy), settings.index(setting)]
        trace, summary = _line(name, of_line, Look(looks[cell].colour, symbol, dashes[remedy]), shift, meta)
        traces.append(trace)
        summaries.append(summary)
    lengths = sorted(frame["task_length"].unique())
    chart = layout(
        "task length T (steps)",
        metric_label(frame["metric"].iloc[0]),
        xaxis=sizes_axis(lengths),
        yaxis={"range": [-0.04, 1.04]},
    )
    switches = [
        Switches("Cells", [Option(cell, looks[cell]) for cell in cells]),
        Switches("Remedies", [Option(each, Look(dash=dashes[each]), place < _REMEDIES_AT_FIRST) for place, each in enumerate(remedies)]),
    ]  # fmt: skip
    if len(settings) > 1:
        switches.append(Switches("Settings", [Option(each) for each in settings]))
    return View(
        task, traces, chart, f"Accuracy on {task} against length. {'; '.join(summaries)}.", switches, group
    )


def _line(
    name: str, frame: pd.DataFrame, look: Look, shift: float, meta: list[int]
) -> tuple[dict[str, Any], str]:
    """One line, and it in words."""
    by_length = frame.groupby("task_length")
    middle, least, most = (by_length["score"].agg(each).astype(float) for each in ("median", "min", "max"))
    bars = {
        "type": "data", "symmetric": False, "thickness": 1.2, "width": 3,
        "array": (most - middle).tolist(), "arrayminus": (middle - least).tolist(),
    }  # fmt: skip
    verdicts = [verdict_counts(each["verdict"]) for _, each in by_length]
    at = middle.index.to_numpy(float)
    trace = line(
        name, at * shift, middle.to_numpy(float), look, "T = %{customdata[0]}: %{y:.3f}<br>%{customdata[1]}",
        meta=meta, error_y=bars, customdata=[[int(x), each] for x, each in zip(at, verdicts, strict=True)],
    )  # fmt: skip
    values = ", ".join(f"{value:.2g} at {x:g}" for x, value in zip(at, middle, strict=True))
    return trace, f"{name}: {values}"
