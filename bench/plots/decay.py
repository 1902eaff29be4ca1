"""Pictures of norms against lag."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.plots.labels import NORM, setting_name, verdict_counts
from bench.plots.style import COLOURS, LINES, columns_of, panels_of
from bench.plots.training import fullest_setting
from bench.schema.net_names import setting_label, varying_columns
from bench.statistics.grouping import OPTIONS
from bench.store import Store

REACH = -3.0
_MOST = 12.5
"""Decades up and down that are drawn at most."""
_LONG = 2000
"""From so many steps on, lags are shown by their logarithm; up to there an exponential decay is a straight line."""
NET = ["gain", *OPTIONS, "input_size", "input_scale", "sequence_length"]
"""What tells one net from another of the same cell."""


def decay(store: Store) -> Figure | None:
    """log10 spectral norm against lag, a panel a cell and a line a gain."""
    if "gradient_norms" not in store.kinds():
        return None
    norms = store.read("gradient_norms")
    norms = norms[(norms["weights"] == "initial") & (norms["input_kind"] == "white_noise")]
    if norms.empty:
        return None
    cells = sorted(norms["cell"].unique())
    figure, panels = panels_of(len(cells), shared_y=True)
    one_length = len(norms["sequence_length"].unique()) == 1
    for axes, cell in zip(panels, cells, strict=True):
        of_cell = norms[norms["cell"] == cell]
        nets = list(of_cell.groupby(NET, dropna=False, sort=True))
        varying = varying_columns(of_cell, NET[1:])
        for (_, of_net), colour, line in zip(nets, cycle(COLOURS), cycle(LINES), strict=False):
            lags, middle, least, most = over_runs(of_net, "log10_spectral_norm")
            label = (
                setting_label(of_net.iloc[0], ["gain", *varying]) or "as given"
            )  # somebody's own cell has no gain
            axes.fill_between(lags, least, most, color=colour, alpha=0.2, linewidth=0)
            axes.plot(lags, middle, color=colour, linestyle=line, linewidth=1.8, label=label)
        axes.axhline(REACH, color="0.4", linewidth=0.8)
        length = "" if one_length else f", T = {_range(of_cell['sequence_length'])}"
        axes.set(title=f"{cell}{length}", ylim=(-_MOST, _MOST), xlabel="lag T − t (steps)")
        if of_cell["lag"].max() > _LONG:
            axes.set_xscale("symlog", linthresh=1.0)
            axes.set_xlim(0, of_cell["lag"].max())
        axes.legend(fontsize=8, loc="best")
    for axes in panels[:: columns_of(len(cells))]:
        axes.set_ylabel(NORM)
    figure.suptitle(
        "How far the gradient reaches: median over seeds and sequences, band from least to most\n"
        f"grey: a norm of 1e-3; cut at 1e±{_MOST:g}, beyond which lines go on",
        fontsize=11,
    )
    return figure


def limits(drawn: list[np.ndarray]) -> tuple[float, float]:
    """Of the axis of log10 norms: all that is drawn and the grey line, but no more than `_MOST` decades up or down."""
    values = np.concatenate([np.ravel(each) for each in drawn]) if drawn else np.zeros(0)
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if values.size else (0.0, 0.0)
    return max(-_MOST, min(low, REACH) - 0.5), min(_MOST, max(high, 0.0) + 0.5)


def trained_decay(store: Store) -> Figure | None:
    """log10 spectral norm against lag before and after training, a panel a setting."""
    if not {"gradient_norms", "task_accuracy"} <= set(store.kinds()):
        return None
    norms, accuracy = store.read("gradient_norms"), store.read("task_accuracy")
    longest = fullest_setting(accuracy)
    settings = longest.drop_duplicates("case_id")
    if settings.empty:
        return None
    figure, panels = panels_of(len(settings), shared_y=True)
    drawn = []
    for axes, setting in zip(panels, settings.itertuples(), strict=True):
        for weights, colour, line in (("initial", COLOURS[0], "--"), ("trained", COLOURS[1], "-")):
            of_case = norms[(norms["case_id"] == setting.case_id) & (norms["weights"] == weights)]
            lags, middle, least, most = over_runs(of_case, "log10_spectral_norm")
            drawn += [least, most]
            axes.fill_between(lags, least, most, color=colour, alpha=0.2, linewidth=0)
            axes.plot(lags, middle, color=colour, linestyle=line, linewidth=1.8, label=weights)
        axes.axhline(REACH, color="0.4", linewidth=0.8)
        verdicts = longest[longest["case_id"] == setting.case_id]["verdict"]
        axes.set(title=f"{setting_name(setting)}\n{verdict_counts(verdicts)}", xlabel="lag T − t (steps)")
        axes.title.set_fontsize(9)
        axes.legend(fontsize=8)
    for axes in panels[:: columns_of(len(settings))]:
        axes.set(ylabel=NORM, ylim=limits(drawn))
    first = settings.iloc[0]
    figure.suptitle(
        f"Before and after training on {first['task']} ({first['variant']}), T = {first['task_length']}; grey: a norm of 1e-3",
        fontsize=11,
    )
    return figure


def _range(values: pd.Series) -> str:
    least, most = values.min(), values.max()
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"


def over_runs(norms: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Median, least and most at each lag; an exact zero lies below every axis."""
    by_lag = norms.assign(value=norms[column].replace(-np.inf, -1e9)).groupby("lag")["value"]
    middle = by_lag.median()
    return (
        middle.index.to_numpy(float),
        middle.to_numpy(float),
        by_lag.min().to_numpy(float),
        by_lag.max().to_numpy(float),
    )
