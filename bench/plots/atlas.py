"""The atlas as a picture: a row a cell, the colour how large the gradient still is at each lag."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.store import Store
from bench.tables.atlas import atlas as table_of
from bench.tables.atlas import is_atlas
from bench.tables.decay_summary import NET

_LIMIT = 6.0
_NEEDED = {"decay", "gradient_norms", "lyapunov"}


def atlas(store: Store) -> Figure | None:
    """Cells that keep the gradient on top, exploding ones at the bottom; a row a net."""
    if not set(store.kinds()) >= _NEEDED:
        return None
    decay, lyapunov = store.read("decay"), store.read("lyapunov")
    if not is_atlas(decay, lyapunov):
        return None
    norms = store.read("gradient_norms")
    norms = norms[(norms["weights"] == "initial") & (norms["lag"] > 0)]
    table = table_of(decay, norms, lyapunov, None)
    figure = Figure(figsize=(8.4, 0.27 * len(table) + 1.6))
    axes = figure.subplots()
    image, labels = None, []
    for place, net in enumerate(table.itertuples()):
        of_net = norms.merge(table.loc[[place], NET], on=NET)
        by_lag = of_net.groupby("lag")["log10_spectral_norm"].median()
        image = axes.pcolormesh(
            _edges(by_lag.index.to_numpy(float)),
            [place - 0.42, place + 0.42],
            np.clip(by_lag.to_numpy(float), -_LIMIT, _LIMIT)[None],
            cmap="PuOr_r",
            vmin=-_LIMIT,
            vmax=_LIMIT,
            rasterized=True,
        )
        if net.regime != "stable" and not net.reach_censored_seeds and pd.notna(net.reach_steps):
            axes.plot(net.reach_steps, place, marker="|", color="black", markersize=11, markeredgewidth=2)
        if pd.notna(net.explosion_lag_steps):
            axes.plot(
                net.explosion_lag_steps, place, marker="x", color="black", markersize=6, markeredgewidth=1.6
            )
        labels.append(f"{net.cell}, {net.hidden_size} units ({net.parameter_count:,.0f})")
    axes.set(
        xscale="log",
        xlabel="lag T - t (steps)",
        ylim=(len(table) - 0.4, -0.6),
        yticks=range(len(table)),
        title="Norm of dh_T/dh_t at initialization, white-noise input\n"
        "| reach: under 1e-3 from here on    x explosion: over 1e3",
    )
    axes.set_yticklabels(labels)
    axes.title.set_fontsize(10)
    axes.grid(False)
    bar = figure.colorbar(image, ax=axes, shrink=min(1.0, 12 / len(table)), extend="both")
    bar.set_label("log10 of the spectral norm, median")
    axes.set_ylabel("cell, units (parameters)")
    return figure


def _edges(lags: np.ndarray) -> np.ndarray:
    """Borders between lags, halfway in the logarithm."""
    logs = np.log(lags)
    middle = (logs[1:] + logs[:-1]) / 2
    return np.exp(
        np.concatenate([[logs[0] - (middle[0] - logs[0])], middle, [logs[-1] + (logs[-1] - middle[-1])]])
    )
