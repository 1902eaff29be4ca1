"""Pictures of Lyapunov spectra beside theory."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false
# pyright: reportOptionalSubscript=false, reportOptionalMemberAccess=false

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import rnn_jax as rj
from bench.plots.style import COLOURS, LINES, MARKERS, panels_of
from bench.store import Store
from bench.tables.theory import GAUSSIAN, SETTING, predicted_spectrum, random_tanh_net

_VALUE = "exponent_nats_per_step"
_DRAWN_POINTS = 40
_GAINS_OF_A_LINE = 5
_NEAR = 0.3
"""The index fraction up to which a spectrum is drawn large."""
_THEORY = {"color": "0.15", "linewidth": 1.3, "zorder": 1}


def spectra(store: Store) -> Figure | None:
    """Whole spectra of random tanh nets over the predicted curves, a colour a gain: all of it, and about zero."""
    lyapunov = _read(store)
    largest = {} if lyapunov is None else largest_tanh_nets(lyapunov)
    if not largest:
        return None
    noises = sorted({noise for noise, _ in largest})
    figure, panels = panels_of(2 * len(noises), shared_y=False, columns=2)
    for row, noise in enumerate(noises):
        whole, near = panels[2 * row], panels[2 * row + 1]
        gains = sorted(gain for other, gain in largest if other == noise)
        for gain, colour, marker in zip(gains, cycle(COLOURS), cycle(MARKERS), strict=False):
            setting, rows = largest[noise, gain]
            _draw_spectrum(whole, setting, rows, colour, marker, upto=1.0)
            _draw_spectrum(near, setting, rows, colour, marker, upto=_NEAR)
        whole.set(
            title=f"tanh nets, {drive_name(noise)}", ylabel="exponent (nats a step)", xlim=(-0.02, 1.02)
        )
        near.set(title=f"the first {_NEAR:.0%}", xlim=(-0.02 * _NEAR, 1.02 * _NEAR))
        near.set_ylim(_near_zero([largest[noise, gain][1] for gain in gains]))
        near.axhline(0, color="0.4", linewidth=0.8)
        whole.axhline(0, color="0.4", linewidth=0.8)
        whole.legend(fontsize=8, loc="lower left")
        for axes in (whole, near):
            axes.set_xlabel("index fraction (i − 1/2) / n")
    figure.suptitle("Lyapunov spectra: marks measured, mean over seeds; lines predicted, n = ∞", fontsize=11)
    return figure


def gaussian_spectra(store: Store) -> Figure | None:
    """Exponents of Gaussian products, and how far they are from Newman's values in standard errors."""
    lyapunov = _read(store)
    products = (
        [] if lyapunov is None else [each for each in settings_of(lyapunov) if each[0]["cell"] == GAUSSIAN]
    )
    if not products:
        return None
    figure, (values, deviations) = panels_of(2, shared_y=False)
    largest = max(int(setting["state_size"]) for setting, _ in products)
    degrees = np.arange(1, largest + 1)
    values.plot(degrees, rj.theory.gaussian_exponents(largest)[::-1], **_THEORY, label="Newman 1986")
    for place, ((setting, rows), colour, marker) in enumerate(
        zip(products, cycle(COLOURS), cycle(MARKERS), strict=False)
    ):
        size = int(setting["state_size"])
        # Exponent i of d is the mean log of a chi variable of d - i + 1 degrees of freedom, whatever d.
        at = rows["index"].to_numpy(int) - 1
        scale = float(np.log(setting["gain"] * setting["input_scale"]))
        found = rows[_VALUE].to_numpy(float)
        error = rj.theory.gaussian_exponent_deviations(size) / rows["steps"].to_numpy(int)[0] ** 0.5
        look = {"color": colour, "markersize": 5, "markerfacecolor": "none"}
        # Beside each other, so that the seeds of one size do not hide those of another.
        shift = 1.06 ** (place - (len(products) - 1) / 2)
        values.plot(size - at, found - scale, marker, **look, label=f"d = {size}")
        away = (found - predicted_spectrum(setting)[at]) / error[at]
        deviations.plot((size - at) * shift, away, marker, **look)
    values.set(ylabel="exponent (nats a step), entries N(0, 1)", title="measured, every seed")
    values.legend(fontsize=8)
    deviations.axhspan(-1.96, 1.96, color="0.9", zorder=0)
    deviations.axhline(0, color="0.4", linewidth=0.8)
    reach = max(3.5, 1.1 * np.nanmax(np.abs(deviations.dataLim.intervaly)))
    deviations.set(
        ylabel="deviation (exact standard errors)", title="grey: 95% of them", ylim=(-reach, reach)
    )
    ticks = sorted(
        {1, 2, 3, 4, *(2**power for power in range(3, largest.bit_length()))} & set(degrees.tolist())
    )
    for axes in (values, deviations):
        axes.set(xlabel="degrees of freedom d − i + 1", xscale="log")
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
    figure.suptitle("Products of independent d × d Gaussian matrices", fontsize=11)
    return figure


def edge(store: Store) -> Figure | None:
    """The largest exponent against the gain, a line a size, a panel a noise, with the predicted edge."""
    lyapunov = _read(store)
    if lyapunov is None:
        return None
    lines = edge_lines(lyapunov)
    if not lines:
        return None
    noises = sorted({group["input_scale"].iloc[0] for group in lines})
    figure, panels = panels_of(len(noises), shared_y=False)
    for axes, noise in zip(panels, noises, strict=True):
        drawn = [group for group in lines if group["input_scale"].iloc[0] == noise]
        gains = np.linspace(
            min(group["gain"].min() for group in drawn), max(group["gain"].max() for group in drawn), 200
        )
        theory = [rj.theory.random_tanh_net(float(gain), float(noise)).largest_exponent for gain in gains]
        axes.plot(gains, theory, **_THEORY, label="theory, n = ∞")
        for group, colour, marker, line in zip(
            drawn, cycle(COLOURS), cycle(MARKERS), cycle(LINES[1:]), strict=False
        ):
            by_gain = group.groupby("gain")[_VALUE]
            middle = by_gain.mean()
            axes.errorbar(
                middle.index.to_numpy(float), middle.to_numpy(float),
                yerr=[(middle - by_gain.min()).to_numpy(float), (by_gain.max() - middle).to_numpy(float)],
                color=colour, marker=marker, linestyle=line, linewidth=1.0, markersize=4.5, capsize=2,
                markerfacecolor="none", label=f"n = {group['hidden_size'].iloc[0]}",
            )  # fmt: skip
        critical = rj.theory.critical_gain(float(noise))
        axes.axhline(0, color="0.4", linewidth=0.8)
        axes.axvline(critical, color="0.4", linewidth=0.8, linestyle=":")
        axes.set(title=f"{drive_name(noise)}\nedge at gain {critical:.3g}", xlabel="gain")
        axes.legend(fontsize=8, loc="lower right")
    panels[0].set_ylabel("largest exponent (nats a step)")
    figure.suptitle("Chaos above zero: mean over seeds, bars from least to most", fontsize=11)
    return figure


def largest_tanh_nets(
    lyapunov: pd.DataFrame,
) -> dict[tuple[float, float], tuple[pd.Series, pd.DataFrame]]:
    """By noise and gain the largest random tanh net whose whole spectrum was measured: its setting and rows."""
    largest: dict[tuple[float, float], tuple[pd.Series, pd.DataFrame]] = {}
    for setting, rows in settings_of(lyapunov):
        key = (setting["input_scale"], setting["gain"])
        is_whole = random_tanh_net(setting) is not None and rows["index"].max() == setting["state_size"]
        if is_whole and (key not in largest or largest[key][0]["state_size"] < setting["state_size"]):
            largest[key] = (setting, rows)
    return largest


def edge_lines(lyapunov: pd.DataFrame) -> list[pd.DataFrame]:
    """Largest exponents of random tanh nets: those of one noise and size that have gains enough for a line."""
    first = lyapunov[lyapunov["index"] == 1].sort_values("steps", kind="stable")
    first = first[[random_tanh_net(row) is not None for _, row in first.iterrows()]]
    net = ["input_scale", "hidden_size", "gain", "seed"]
    first = first.drop_duplicates(net, keep="last")  # the longest run of each net
    return [group for _, group in first.groupby(net[:2]) if group["gain"].nunique() >= _GAINS_OF_A_LINE]


def settings_of(lyapunov: pd.DataFrame) -> list[tuple[pd.Series, pd.DataFrame]]:
    """Each net of lyapunov.csv: its setting and its rows, over all seeds."""
    return [
        (pd.Series(dict(zip(SETTING, values, strict=True))), rows)
        for values, rows in lyapunov.groupby(SETTING, dropna=False, sort=True)
    ]


def _draw_spectrum(
    axes: Axes, setting: pd.Series, rows: pd.DataFrame, colour: str, marker: str, *, upto: float
) -> None:
    size = int(setting["state_size"])
    net = random_tanh_net(setting)
    fractions = np.linspace(0, min(upto, 1 - 0.5 / size), 150)
    axes.plot(fractions, net.exponents(fractions), color=colour, linewidth=1.3)
    by_index = rows.groupby("index")[_VALUE].mean()
    at = (by_index.index.to_numpy(float) - 0.5) / size
    shown = np.flatnonzero(at <= upto)
    every = max(1, len(shown) // _DRAWN_POINTS)
    axes.plot(
        at[shown][::every], by_index.to_numpy(float)[shown][::every], marker, color=colour, markersize=4.5,
        markerfacecolor="none", label=f"gain {setting['gain']:g}, n = {size}",
    )  # fmt: skip


def drive_name(noise: float) -> str:
    """What drives a tanh net, in words."""
    return "no input" if noise == 0 else f"noise {noise:g} to each unit"


def _near_zero(nets: list[pd.DataFrame]) -> tuple[float, float]:
    """Limits that hold zero and the part of each spectrum that is drawn large."""
    heights = [0.0]
    for rows in nets:
        by_index = rows.groupby("index")[_VALUE].mean().to_numpy(float)
        heights += by_index[: max(1, int(_NEAR * len(by_index)))].tolist()
    finite = [height for height in heights if np.isfinite(height)]
    room = 0.06 * (max(finite) - min(finite)) + 0.01
    return min(finite) - room, max(finite) + room


def _read(store: Store) -> pd.DataFrame | None:
    return store.read("lyapunov") if "lyapunov" in store.kinds() else None
