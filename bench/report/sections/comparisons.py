"""Two backends side by side, and from which size on which is faster."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
import pandas as pd

from bench.report.axes import layout, level, line, log_axis, sizes_axis
from bench.report.content import Chart, Option, Part, Section, Switches, Table, Text, View
from bench.report.looks import Look, looks_of
from bench.report.results import Comparison, Results
from bench.report.thinning import MOST_POINTS, thinned
from bench.statistics.crossover import AXES

_SHORT = {"state_size": "n", "sequence_length": "T", "batch_size": "batch", "seed_count": "seeds"}
_TITLES = {
    "crossovers": "Who is faster at the largest size, and from which size on",
    "means": "Geometric mean of the ratios of our times",
    "times": "Times and their ratios",
    "ceilings": "What the devices can do at best",
    "precision": "How far chains are from float64 on the CPU",
    "rates": "Rates of decay",
    "exponents": "Lyapunov exponents",
    "verdicts": "Verdicts of training",
}
_MOST_ROWS = 1000


def comparisons(results: Results) -> Section:
    """A chart of ratios, and the tables, of every comparison that is kept."""
    parts: list[Part] = []
    for place, each in enumerate(results.comparisons):
        parts += _parts(each, place)
    return Section(
        "comparison",
        "Backends beside each other",
        "From which size on does which machine, backend or dtype pay?",
        parts,
        "rnn-bench compare LEFT RIGHT --out results/comparisons/NAME",
    )


def _parts(comparison: Comparison, place: int) -> list[Part]:
    differing = "; ".join(comparison.unlike) or "nothing in machine, installation and dtype"
    parts: list[Part] = [Text(f"{comparison.label}. They differ in {differing}.")]
    views = _views(comparison) if "times" in comparison.tables else []
    if views:
        caption = (
            f"Time of {comparison.right} over that of {comparison.left}, each by its fastest method, median of rounds: under 1 "
            f"{comparison.right} is faster. A ring marks the size from which the one that is faster at the largest size is so."
        )
        parts.append(Chart(f"comparison-{place}", caption, views, "Operation"))
    for name, title in _TITLES.items():
        table = comparison.tables.get(name)
        if table is not None:
            at = thinned(len(table), _MOST_ROWS)
            cut = "" if len(at) == len(table) else f", {len(at)} of {len(table)} rows, evenly chosen"
            parts.append(
                Table(f"{title}: {comparison.label}{cut}", table.iloc[at], is_open=name == "crossovers")
            )
    return parts


def _views(comparison: Comparison) -> list[View]:
    times = comparison.tables["times"]
    ours = times[times["implementation"] == "rnn_jax"]
    crossings = comparison.tables.get("crossovers", pd.DataFrame())
    views = []
    for operation, of_operation in ours.groupby("operation", sort=True):
        for axis in AXES:
            others = ["cell", "dtype", "every_lag", *(each for each in AXES if each != axis)]
            lines = [
                group
                for _, group in of_operation.groupby(others, dropna=False)
                if len(group[axis].unique()) > 1
            ]
            if lines:
                marked = crossings[(crossings["operation"] == operation) & (crossings["varied"] == axis)]
                views.append(_view(str(operation), axis, others, lines, marked))
    return views


def _view(
    operation: str, axis: str, others: list[str], lines: list[pd.DataFrame], marked: pd.DataFrame
) -> View:
    first = pd.concat([each.iloc[:1] for each in lines])
    varying = [each for each in others if each != "cell" and len(first[each].unique()) > 1]
    names = [_name(each.iloc[0], varying) for each in lines]
    looks = looks_of(names)
    traces, sentences = [], []
    for place, (group, name) in enumerate(zip(lines, names, strict=True)):
        ratios = group.groupby(axis)["ratio"].median()
        at = thinned(len(ratios), MOST_POINTS)
        sizes, values = ratios.index.to_numpy(float)[at], ratios.to_numpy(float)[at]
        traces.append(
            line(name, sizes, values, looks[name], f"{_SHORT[axis]} = %{{x}}: ratio %{{y:.3g}}", meta=[place])
        )
        sentences.append(f"{name}: {values[0]:.3g} at {sizes[0]:g}, {values[-1]:.3g} at {sizes[-1]:g}")
        setting = ", ".join(f"{each}={group[each].iloc[0]:g}" for each in AXES if each != axis)
        of_line = marked[
            (marked["fixed"] == setting)
            & _alike(marked, group, ["cell", "dtype", "every_lag"])
            & (marked["implementation"] == "rnn_jax")
            & ~marked["throughout"].astype(bool)
        ]
        if len(of_line):
            found = of_line["from_size"].to_numpy(float)
            traces.append(
                line(name, found, np.ones(len(found)), Look(looks[name].colour, "circle-open", ""),
                     f"faster from {_SHORT[axis]} = %{{x:.3g}} on", meta=[place])
                | {"marker": {"color": looks[name].colour, "symbol": "circle-open", "size": 15, "line": {"width": 2.5}}}
            )  # fmt: skip
            sentences.append(f"{name}: {of_line['faster'].iloc[0]} is faster from {found[0]:.3g} on")
    drawn = pd.concat(lines)
    x = "state size n" if axis == "state_size" else axis.replace("_", " ")
    chart = layout(
        x,
        "time, right over left",
        xaxis=sizes_axis(drawn[axis]),
        yaxis=log_axis(drawn["ratio"]),
        shapes=[level(1)],
    )
    switches = [Switches("Settings", [Option(name, looks[name]) for name in names])]
    label = f"{operation}, by {axis.replace('_', ' ')}"
    return View(label, traces, chart, f"Ratio of times of {label}. {'; '.join(sentences)}.", switches)


def _alike(rows: pd.DataFrame, group: pd.DataFrame, columns: list[str]) -> pd.Series:
    """The rows that have the group's values; what is empty in both is equal, such as the lags of an ensemble."""
    first = group.iloc[0]
    equal = [rows[name].isna() if pd.isna(first[name]) else rows[name] == first[name] for name in columns]
    return pd.concat(equal, axis=1).fillna(False).all(axis=1)


def _name(row: pd.Series, varying: list[str]) -> str:
    def value_of(name: str) -> str:
        if name == "dtype":
            return str(row[name])
        if name == "every_lag":
            return "every lag" if row[name] else "some lags"
        return f"{_SHORT[name]} = {row[name]:g}"

    return ", ".join([str(row["cell"]), *(value_of(name) for name in varying if pd.notna(row[name]))])
