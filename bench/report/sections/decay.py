"""Norms against lag: how far the gradient reaches."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from typing import Any

import numpy as np
import pandas as pd

from bench.plots.decay import NET, REACH, over_runs
from bench.plots.labels import NORM
from bench.report.axes import band, layout, level, line
from bench.report.content import Chart, Option, Section, Switches, Table, View
from bench.report.looks import Look, looks_of
from bench.report.results import Results
from bench.report.thinning import MOST_POINTS, note, thinned
from bench.schema.net_names import setting_label, varying_columns

_SHOWN = 12.5
"""log10 norms beyond it, both ways, lie outside the chart until it is fitted."""
_SETTINGS = [*(name for name in NET if name != "gain"), "dtype", "matmul_precision"]
_ZERO = -1e8
"""What `over_runs` makes of the log of an exact zero lies under it."""
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
            "vanishes exponentially. A mark tells the cell, a dash the gain; open marks are of another setting. The grey line is a norm of 0.001, under "
            "which the reach ends. A line ends at the length of its sequences, which “Fit all” shows; where it drops out at once the norm is zero."
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
    cells, gains = sorted(norms["cell"].unique()), sorted(norms["gain"].dropna().unique())
    looks = looks_of(cells, dashes=("solid",))
    values = norms["log10_spectral_norm"]
    # An exact zero lies well under all else, and not at minus infinity.
    floor = min(values[np.isfinite(values)].min(), -_SHOWN) - _SHOWN
    traces, ends, most, furthest = [], [], 0, 0.0
    by_cell = [of_cell for _, of_cell in norms.groupby("cell", sort=True)]
    telling = [name for name in _SETTINGS if any(varying_columns(of_cell, [name]) for of_cell in by_cell)]
    settings: list[str] = []
    for cell, of_cell in zip(cells, by_cell, strict=True):
        varying = varying_columns(of_cell, _SETTINGS)
        for _, of_net in of_cell.groupby(["gain", *_SETTINGS], dropna=False, sort=True):
            gain = of_net["gain"].iloc[0]
            place = gains.index(gain) if gain == gain else len(gains)  # a cell of somebody's own has none
            name = setting_label(of_net.iloc[0], ["cell", "gain", *varying])
            setting = setting_label(of_net.iloc[0], telling)
            settings += [] if setting in settings else [setting]
            # The first setting has full marks, the others open ones.
            symbol = looks[cell].symbol + ("-open" if settings.index(setting) else "")
            look = Look(looks[cell].colour, symbol, _dash(gain))
            meta = [cells.index(cell), place, settings.index(setting)]
            drawn, end, count, seen = _net(name, of_net, look, meta, floor)
            traces += drawn
            ends.append((end, name))
            most = max(most, count)
            if gain != gain or _is_first(gain, gains):
                furthest = max(furthest, seen)
    options = [Option(f"{gain:g}", Look(dash=_dash(gain)), _is_first(gain, gains)) for gain in gains]
    if norms["gain"].isna().any():
        options.append(Option("as given", Look(dash="solid")))
    (least, lowest), (greatest, highest) = min(ends), max(ends)
    view = View(
        label,
        traces,
        layout(
            "lag T − t (steps)", NORM,
            # Not to the end of the longest sequence where every line that is shown first has left the chart long before.
            xaxis={"range": [0, 1.05 * furthest], "exponentformat": "none"}, yaxis={"range": [-_SHOWN, _SHOWN]}, shapes=[level(REACH)],
        ),
        f"Line chart of {len(ends)} nets of {len(cells)} cells: log10 of the norm against lag. At the largest lag the "
        f"lowest is {lowest} with {_written(least)}, the highest {highest} with {_written(greatest)}. The tables hold "
        "every rate and reach.",
        [
            Switches("Cells", [Option(cell, looks[cell]) for cell in cells]),
            Switches("Gains", options),
            *([Switches("Settings", [Option(each or "as given") for each in settings])] if len(settings) > 1 else []),
        ],
    )  # fmt: skip
    return view, most


def _net(
    name: str, norms: pd.DataFrame, look: Look, meta: list[int], floor: float
) -> tuple[list[dict[str, Any]], float, int, float]:
    """The band and the line of one net, the last value of the line, how many lags it has, and the last that is shown."""
    lags, middle, least, greatest = over_runs(norms, "log10_spectral_norm")
    at = thinned(len(lags), MOST_POINTS)
    shown = [np.maximum(values[at], floor) for values in (middle, least, greatest)]
    drawn = line(
        name, lags[at], shown[0], look, "lag %{x}: log10 norm %{text}",
        meta=meta, text=[_written(value) for value in middle[at]],
    )  # fmt: skip
    drawn["marker"]["maxdisplayed"] = _MARKS_OF_A_LINE
    within = np.flatnonzero(np.min(np.abs([middle, least, greatest]), axis=0) <= _SHOWN)
    seen = float(lags[min(within[-1] + 1, len(lags) - 1)]) if within.size else float(lags[0])
    return [band(lags[at], shown[1], shown[2], look.colour, meta), drawn], float(middle[-1]), len(lags), seen


def _dash(gain: float) -> str:
    """Dotted under a gain of 1, dashed over it."""
    return "dot" if gain < 1 else "dash" if gain > 1 else "solid"


def _is_first(gain: float, gains: list[float]) -> bool:
    """A page opens with gain 1, with all gains where there is no such net."""
    return gain == 1 or 1 not in gains


def _written(value: float) -> str:
    return "of exactly zero" if value <= _ZERO else f"{value:.3g}"
