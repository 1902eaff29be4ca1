"""Picture of runs that ended in NaN or inf: how they got there, and the batch that did it."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots.labels import NORM, line_name
from bench.plots.style import COLOURS, LINES, MARKERS
from bench.schema.net_names import cell_name
from bench.store import Store

_ROWS_AT_MOST = 3
_CURVES = (("loss", "training loss"), ("gradient_norm", "gradient norm"))


def explosion(store: Store) -> Figure | None:
    """A row a setting, its seed that lasted longest: the training curve beside the chains of the last batch.

    Settings whose seed broke at the same step with the same chains are one row.
    """
    if not {"explosions", "training_curves"} <= set(store.kinds()):
        return None
    seen, curves = store.read("explosions"), store.read("training_curves")
    # Those that trained for longest have a story.
    lasted = seen.drop_duplicates(["case_id", "seed"]).sort_values("step", ascending=False, kind="stable")
    alike: dict[tuple, list] = {}
    for run in lasted.drop_duplicates("case_id").itertuples():
        chains = _of(seen, run)
        norms = chains["log10_spectral_norm"].round(6).astype(str)  # NaN and inf too are equal to themselves
        same = (cell_name(run), run.gain, run.task, run.sequence_length, run.seed, run.step, run.quantity)
        alike.setdefault((*same, *norms), []).append(run)
    shown = list(alike.values())[:_ROWS_AT_MOST]
    if not shown:
        return None
    figure = Figure(figsize=(9.6, 3.3 * len(shown) + 0.9))
    grid = figure.subplots(len(shown), 2, squeeze=False)
    for (left, right), runs in zip(grid, shown, strict=True):
        _draw_curves(left, _of(curves, runs[0]), runs)
        _draw_chains(right, _of(seen, runs[0]), runs[0])
    of_all = f"{sum(map(len, shown))} of {sum(map(len, alike.values()))} settings that broke"
    figure.suptitle(
        f"Explosions: training up to the step that was not finite, and the batch of that step\n{of_all}"
    )
    return figure


def _of(rows: pd.DataFrame, run: object) -> pd.DataFrame:
    return rows[(rows["case_id"] == run.case_id) & (rows["seed"] == run.seed)]


def _names(runs: list) -> str:
    """The settings of runs that are one row: the cell and what else they have in common, and each remedy."""
    if len(runs) == 1:
        return line_name(runs[0], named=cell_name(runs[0]))
    remedies = ", ".join(sorted({line_name(run).removeprefix(f"{run.cell}, ") for run in runs}))
    return "\n".join([f"{cell_name(runs[0])} with any of", *textwrap.wrap(remedies, 60)])


def _draw_curves(axes: Axes, curve: pd.DataFrame, runs: list) -> None:
    run = runs[0]
    steps, drawn = curve["step"].to_numpy(float), False
    for (column, label), colour, marker in zip(_CURVES, COLOURS, MARKERS, strict=False):
        values = curve[column].to_numpy(float)
        finite = np.isfinite(values) & (values > 0)
        if finite.sum() > 1:  # one point is no curve
            axes.plot(steps[finite], values[finite], color=colour, marker=marker, markersize=4, label=label)
            drawn = True
    axes.axvline(run.step, color="0.2", linestyle="--", linewidth=1.2, label=f"{run.quantity} not finite")
    axes.set(
        xlim=(0, run.step * 1.04 + 0.5), xlabel="training step",
        title=f"{_names(runs)}, gain {run.gain:g}, seed {run.seed}\n"
        f"{run.task}, T = {run.sequence_length}: {run.quantity} not finite at step {run.step}",
    )  # fmt: skip
    axes.title.set_fontsize(9)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if drawn:
        axes.set_yscale("log")
        axes.legend(fontsize=8, loc="upper left")
    else:
        axes.set_yticks([])
        axes.text(
            0.3,
            0.5,
            "no curve: it broke\nbefore there was one",
            transform=axes.transAxes,
            ha="center",
            va="center",
        )


def _draw_chains(axes: Axes, norms: pd.DataFrame, run: object) -> None:
    after = norms[norms["lag"] > 0].sort_values(["rank", "lag"], kind="stable")
    values = after["log10_spectral_norm"]
    for (_, of_sequence), colour, line in zip(after.groupby("rank", sort=True), COLOURS, LINES, strict=False):
        finite = of_sequence[np.isfinite(of_sequence["log10_spectral_norm"])]
        axes.plot(
            finite["lag"].to_numpy(float), finite["log10_spectral_norm"].to_numpy(float),
            color=colour, linestyle=line, label=f"sequence {of_sequence['sequence'].iloc[0]}",
        )  # fmt: skip
    axes.axhline(0, color="0.4", linewidth=0.8)
    axes.set(
        xscale="log", xlim=(0.9, 1.1 * max(norms["lag"].max(), 1)), xlabel="lag T − t (steps)",
        ylabel=NORM,
        title=f"worst sequences of the batch of step {run.step}\nunder the last finite weights",
    )  # fmt: skip
    axes.title.set_fontsize(9)
    if np.isfinite(values).any():
        axes.legend(fontsize=8, loc="best")
    else:
        axes.set_yticks([])
        what = (
            "exactly 0 at every lag:\nevery unit is saturated"
            if (values == -np.inf).all()
            else "not a number"
        )
        axes.text(0.5, 0.6, what, transform=axes.transAxes, ha="center", va="center")
