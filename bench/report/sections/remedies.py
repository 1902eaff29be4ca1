"""Which remedy mends which cell: accuracy by cell, remedy and length."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
import pandas as pd

from bench.report.axes import heat_map, layout
from bench.report.content import Chart, Section, Table, View
from bench.report.escaping import label
from bench.report.looks import colour_scale
from bench.report.results import Results
from bench.report.trained import named
from bench.schema.net_names import cell_name
from bench.tables.trained_runs import VERDICTS

TABLE = "remedy_grid"
_LIGHT_ENOUGH = 0.6
"""So much of the colours is light enough for dark text on it."""
_FEWEST_REMEDIES = 2
"""A grid of one remedy tells nothing that accuracy against length does not."""


def remedies(results: Results) -> Section:
    """Heat maps of accuracy, and the table of remedies where the results have one."""
    views = []
    for folder, frame in results.having("task_accuracy"):
        views += _views(_with_nets(frame), folder.label)
    parts = []
    if views:
        caption = (
            "Median accuracy over seeds, with the verdicts of the seeds: ✓ solved, ↑ better than the best constant guess, "
            "– no better than it, ✗ ended in NaN or infinity; such a seed counts as 0. Empty: not measured. Chosen by "
            "length it shows cells beside each other, chosen by cell it shows lengths. Where columns are narrow, a touch tells "
            "the verdicts."
        )
        parts = [Chart("remedies-chart", caption, views, "Show")]
    parts += [Table(f"Remedies: {folder.label}", table) for folder, table in results.with_table(TABLE)]
    return Section(
        "remedies",
        "Remedies",
        "Which remedy mends which cell, and up to which length?",
        parts,
        "rnn-bench run remedies",
    )


def _with_nets(frame: pd.DataFrame) -> pd.DataFrame:
    """With what rows and columns are called; a row is a remedy and, where several were run, a setting such as a step size."""
    several_gains = frame.groupby("cell")["gain"].transform("nunique") > 1
    frame = named(frame, but=("gain",))
    setting = frame["setting"].map(lambda setting_text: f", {setting_text}" if setting_text else "")
    return frame.assign(
        net=pd.Series([cell_name(row) for row in frame.itertuples()], index=frame.index, dtype="string")
        + frame["gain"].map(lambda gain: f", gain {gain:g}").where(several_gains, ""),
        mended=frame["mended"] + setting.astype("string"),
        length=frame["task_length"].map(lambda steps: f"T = {steps}"),
    )


def _views(frame: pd.DataFrame, group: str) -> list[View]:
    views = []
    for (task, variant), of_task in frame.groupby(["task", "variant"], sort=True):
        if of_task["mended"].nunique() < _FEWEST_REMEDIES:
            continue
        name = f"{task} ({variant})"
        views += [
            _view(of_length, "net", f"{name}, T = {length}", group)
            for length, of_length in of_task.groupby("task_length", sort=True)
        ]
        views += [
            _view(of_net, "length", f"{name}, {net}", group)
            for net, of_net in of_task.groupby("net", sort=True)
        ]
    return views


def _view(frame: pd.DataFrame, across: str, name: str, group: str) -> View:
    """Remedies down; nets or lengths across."""
    scores = frame.pivot_table(index="mended", columns=across, values="score", aggfunc="median")
    counts = frame.pivot_table(index="mended", columns=across, values="verdict", aggfunc=_marks)
    order = list(dict.fromkeys(frame.sort_values(["task_length", "net"], kind="stable")[across]))
    remedies = sorted(scores.index, key=lambda each: (each == "none", each), reverse=True)
    scores, counts = scores.reindex(remedies, columns=order), counts.reindex(remedies, columns=order)
    values = scores.to_numpy(float)
    cells = [
        [(f"{value:.2f}", label(count)) if np.isfinite(value) else () for value, count in zip(row, marks, strict=True)]
        for row, marks in zip(values, counts.to_numpy(), strict=True)
    ]  # fmt: skip
    trace = heat_map(
        order, remedies, values, colour_scale("YlGnBu", _LIGHT_ENOUGH), (0.0, 1.0), "median accuracy",
        "%{y}<br>%{x}: accuracy %{customdata}",
        text=[["<br>".join(cell) for cell in row] for row in cells], texttemplate="%{text}",
        customdata=[[", ".join(cell) for cell in row] for row in cells],
        xgap=2, ygap=2, textfont={"size": 12, "color": "#14171b"},
    )  # fmt: skip
    plain = {"showgrid": False, "zeroline": False}
    chart = layout(
        "", "remedy", xaxis=plain | {"type": "category", "side": "top"}, yaxis=plain | {"type": "category"},
        height=170 + 46 * len(remedies),
    )  # fmt: skip
    chart["annotations"] = []
    # A few rows of fixed height: the bar of colours stands as far under them as under a tall chart.
    trace["colorbar"]["y"] = 0
    trace["colorbar"]["ypad"] = 12
    summary = f"Heat map of median accuracy on {name}: {len(remedies)} remedies by {len(order)} columns."
    if np.isfinite(values).any():
        down, over = np.unravel_index(np.nanargmax(values), values.shape)
        summary += f" Best: {remedies[down]} at {order[over]} with {values[down, over]:.2f}."
    return View(name, [trace], chart, summary, group=group)


def _marks(verdicts: pd.Series) -> str:
    """How many seeds got which verdict, in one sign each."""
    signs = dict(zip(VERDICTS, ("✓", "↑", "–", "✗"), strict=True))
    counts = verdicts.value_counts()
    return " ".join(f"{counts[verdict]}{sign}" for verdict, sign in signs.items() if verdict in counts)
