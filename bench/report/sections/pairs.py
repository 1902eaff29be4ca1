"""All pairs of times: the norm of dh_s/dh_t."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
import pandas as pd

from bench.report.axes import heat_map, layout
from bench.report.content import Chart, Section, Table, View
from bench.report.looks import colour_scale
from bench.report.results import Results
from bench.report.thinning import MOST_TIMES, note, thinned
from bench.schema.net_names import setting_label, varying_columns
from bench.statistics.grouping import OPTIONS

_LIMIT = 6.0
_NET = [*OPTIONS, "input_kind", "input_scale", "sequence_length", "dtype"]


def pairs(results: Results) -> Section:
    """A heat map a net, its first seed."""
    views, rows, most = [], [], 0
    for folder, norms in results.having("pair_norms"):
        first = norms[norms["seed"] == norms.groupby("case_id")["seed"].transform("min")]
        for _, net in first.groupby("case_id", sort=False):
            of_cell = first[first["cell"] == net["cell"].iloc[0]]
            name = setting_label(net.iloc[0], ["cell", "gain", *varying_columns(of_cell, _NET)])
            values = net.pivot_table(index="later_time", columns="earlier_time", values="log10_spectral_norm")
            most = max(most, len(values))
            row = {"results": folder.label, "net": name} | _facts(net)
            rows.append(row)
            views.append(_view(values, name, folder.label, row))
    parts = []
    if views:
        caption = (
            "Norm of dh_s/dh_t for every two times t ≤ s of one seed and one input sequence. Purple: a change at time t "
            "has faded at time s; white: it is kept; brown: it has grown. Colours end at 1e-6 and 1e6."
            + note(MOST_TIMES, most, "times")
        )
        parts = [
            Chart("pairs-chart", caption, views, "Net", is_square=True),
            Table("Norms of all pairs of times, a row a net", pd.DataFrame(rows)),
        ]
    return Section(
        "pairs",
        "From every time back to every time",
        "Does it matter when a signal came, or only how long ago?",
        parts,
        "rnn-bench run quick --only kind=pair_norms",
    )


def _view(values: pd.DataFrame, name: str, group: str, facts: dict[str, object]) -> View:
    at = thinned(len(values), MOST_TIMES)
    times = values.index.to_numpy(float)[at]
    drawn = np.clip(values.reindex(columns=values.index).to_numpy(float)[np.ix_(at, at)], -_LIMIT, _LIMIT)
    trace = heat_map(
        times.tolist(), times.tolist(), drawn, colour_scale("PuOr_r"), (-_LIMIT, _LIMIT),
        "log10 of the norm of dh_s/dh_t", "from t = %{x} to s = %{y}: log10 norm %{z:.2f}",
    )  # fmt: skip
    square = {
        "autorange": "reversed",
        "scaleanchor": "x",
        "constrain": "domain",
        "showgrid": False,
        "zeroline": False,
    }
    chart = layout(
        "t (steps)", "s (steps)", yaxis=square, xaxis={"constrain": "domain", "showgrid": False, "zeroline": False}
    )  # fmt: skip
    summary = (
        f"Heat map of {name}: over the whole sequence log10 of the norm is {facts['log10 norm over the whole sequence']:.3g}; "
        f"{facts['pairs under 1e-3']:.0%} of pairs lie under 1e-3, {facts['pairs over 1e3']:.0%} over 1e3."
    )
    return View(name, [trace], chart, summary, group=group)


def _facts(net: pd.DataFrame) -> dict[str, object]:
    norms = net["log10_spectral_norm"]
    ends = net[
        (net["later_time"] == net["later_time"].max()) & (net["earlier_time"] == net["earlier_time"].min())
    ]
    return {
        "seed": int(net["seed"].iloc[0]),
        "log10 norm over the whole sequence": float(ends["log10_spectral_norm"].iloc[0]),
        "largest log10 norm": float(norms.max()),
        "pairs under 1e-3": float((norms < -3).mean()),
        "pairs over 1e3": float((norms > 3).mean()),
    }
