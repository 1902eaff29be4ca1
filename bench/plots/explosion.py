"""Picture of runs that ended in NaN or inf: how they got there, and the batch that did it."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots.labels import line_name
from bench.plots.style import COLOURS, LINES, MARKERS
from bench.store import Store

_SETTINGS_AT_MOST = 3
_CURVES = (("loss", "training loss"), ("gradient_norm", "gradient norm"))


def explosion(store: Store) -> Figure | None:
    """A row a setting, its seed that lasted longest: the training curve beside the chains of the last batch."""
    if not {"explosions", "training_curves"} <= set(store.kinds()):
        return None
    seen, curves = store.read("explosions"), store.read("training_curves")
    # Those that trained for longest have a story.
    lasted = seen.drop_duplicates(["case_id", "seed"]).sort_values("step", ascending=False, kind="stable")
    shown = lasted.drop_duplicates("case_id").head(_SETTINGS_AT_MOST)
    if shown.empty:
        return None
    figure = Figure(figsize=(9.6, 3.3 * len(shown) + 0.6))
    grid = figure.subplots(len(shown), 2, squeeze=False)
    for (left, right), run in zip(grid, shown.itertuples(), strict=True):
        _draw_curves(left, curves[(curves["case_id"] == run.case_id) & (curves["seed"] == run.seed)], run)
        _draw_chains(right, seen[(seen["case_id"] == run.case_id) & (seen["seed"] == run.seed)], run)
    figure.suptitle("Explosions: training up to the step that was not finite, and the batch of that step")
    return figure


def _draw_curves(axes: Axes, curve: pd.DataFrame, run: object) -> None:
    steps, drawn = curve["step"].to_numpy(float), False
    for (column, label), colour, marker in zip(_CURVES, COLOURS, MARKERS, strict=False):
        values = curve[column].to_numpy(float)
        finite = np.isfinite(values) & (values > 0)
        if finite.any():
            axes.plot(steps[finite], values[finite], color=colour, marker=marker, markersize=4, label=label)
            drawn = True
    axes.axvline(run.step, color="0.2", linestyle="--", linewidth=1.2, label=f"{run.quantity} not finite")
    axes.set(
        xlim=(0, run.step * 1.04 + 0.5), xlabel="training step",
        title=f"{line_name(run)}, gain {run.gain:g}, seed {run.seed}\n"
        f"{run.task}, T = {run.sequence_length}: {run.quantity} not finite at step {run.step}",
    )  # fmt: skip
    axes.title.set_fontsize(9)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if drawn:
        axes.set_yscale("log")
        axes.legend(fontsize=8, loc="upper left")
    else:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no finite number\nbefore it", transform=axes.transAxes, ha="center", va="center")


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
        ylabel="log10 of the norm of dh_T/dh_t",
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
