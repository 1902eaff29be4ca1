"""Norms against lag: how far the gradient reaches."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
import pandas as pd

from bench.plots.decay import NET, REACH, over_runs
from bench.plots.labels import told, varying_columns
from bench.report.axes import band, layout, level, line
from bench.report.content import Chart, Option, Section, Switches, Table, View
from bench.report.looks import Look, looks_of
from bench.report.results import Results
from bench.report.thinning import MOST_POINTS, note, thinned

_SHOWN = 12.5
"""log10 norms beyond it, both ways, lie outside the chart until it is fitted."""
_NAMED = ["cell", "gain", "dtype", "matmul_precision"]
_MARKS_OF_A_LINE = 7


def decay(results: Results) -> Section:
    """A line a net, to be switched by cell and by gain."""
    drawn = []
    for folder, norms in results.having("gradient_norms"):
        norms = norms[(norms["weights"] == "initial") & (norms["input_kind"] == "white_noise")]
        if len(norms):
            drawn.append(_view(norms, folder.label))
    parts = []
    if drawn:
        most = max(measured for _, measured in drawn)
        caption = (
            "Norm of dh_T/dh_t against the lag T − t, at white noise: a line is the median over seeds and input "
            "sequences of one net before training, its band goes from least to most. Straight lines down: the gradient "
            "vanishes exponentially. A mark tells the cell, a dash the gain. The grey line is a norm of 1e-3, under "
            "which the reach ends; where a line leaves the bottom at once the norm is exactly zero."
            + note(MOST_POINTS, most, "lags a line")
        )
        tables = [
            Table(f"Rate, reach and regime of each net: {folder.label}", table)
            for folder, table in results.with_table("decay_summary")
        ]
        parts = [Chart("decay-chart", caption, [view for view, _ in drawn], "Results of"), *tables]
    return Section(
        "decay",
        "How far the gradient reaches",
        "How much of a change of the state is left after so many steps?",
        parts,
        "rnn-bench run quick --only kind=gradient_norms",
    )


def _view(norms: pd.DataFrame, label: str) -> tuple[View, int]:
    """The view of a folder, and the number of lags of its longest line."""
    cells, gains = sorted(norms["cell"].unique()), sorted(norms["gain"].unique())
    looks = looks_of(cells, dashes=("solid",))
    traces, ends, most = [], [], 0
    for cell in cells:
        of_cell = norms[norms["cell"] == cell]
        nets = [*NET, "dtype", "matmul_precision"]
        varying = varying_columns(of_cell, [name for name in nets if name not in _NAMED[:2]])
        for _, of_net in of_cell.groupby(nets, dropna=False, sort=True):
            one = of_net.iloc[0]
            meta = [cells.index(cell), gains.index(one["gain"])]
            look = Look(looks[cell].colour, looks[cell].symbol, _dash(one["gain"]))
            lags, middle, least, most_of = over_runs(of_net, "log10_spectral_norm")
            most = max(most, len(lags))
            at = thinned(len(lags), MOST_POINTS)
            values = middle[at]
            name = told(one, ["cell", "gain", *varying])
            traces += [
                band(lags[at], _floored(least[at]), _floored(most_of[at]), look.colour, meta),
                line(name, lags[at], _floored(values), look, "lag %{x}: log10 norm %{text}", meta=meta,
                     text=[_written(value) for value in values])
                | {"marker": {"color": look.colour, "symbol": look.symbol, "size": 8,
                              "maxdisplayed": _MARKS_OF_A_LINE}},
            ]  # fmt: skip
            ends.append((name, int(lags[-1]), float(values[-1])))
    lowest, highest = min(ends, key=lambda end: end[2]), max(ends, key=lambda end: end[2])
    view = View(
        label,
        traces,
        layout(
            "lag T − t (steps)", "log10 of the norm of dh_T/dh_t", yaxis={"range": [-_SHOWN, _SHOWN]}, shapes=[level(REACH)]
        ),
        f"Line chart of {len(ends)} nets of {len(cells)} cells: log10 of the norm against lag. At its largest lag the "
        f"lowest is {lowest[0]} with {_written(lowest[2])} at lag {lowest[1]}, the highest {highest[0]} with "
        f"{_written(highest[2])} at lag {highest[1]}. The tables below hold every rate and reach.",
        [
            Switches("Cells", [Option(cell, looks[cell]) for cell in cells]),
            Switches("Gains", [Option(f"{gain:g}", Look(dash=_dash(gain)), _is_first(gain, gains)) for gain in gains]),
        ],
    )  # fmt: skip
    return view, most


def _dash(gain: float) -> str:
    """Dotted under a gain of 1, dashed over it."""
    return "dot" if gain < 1 else "dash" if gain > 1 else "solid"


def _is_first(gain: float, gains: list[float]) -> bool:
    """A page opens with gain 1, with all gains where there is no such net."""
    return gain == 1 or 1 not in gains


def _floored(values: np.ndarray) -> np.ndarray:
    """An exact zero lies well under the chart, not at minus infinity."""
    return np.maximum(values, -1e4)


def _written(value: float) -> str:
    return "of exactly zero" if value <= -1e8 else f"{value:.3g}"
