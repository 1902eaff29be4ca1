"""Lyapunov spectra beside theory."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from itertools import groupby

import numpy as np
import pandas as pd

import rnn_jax as rj
from bench.plots.spectra import drive_name, edge_lines, largest_tanh_nets, settings_of
from bench.report.axes import layout, level, line, log_axis
from bench.report.content import Chart, Option, Section, Switches, Table, View
from bench.report.looks import Look, looks_of
from bench.report.results import Results
from bench.report.thinning import thinned
from bench.tables.theory import GAUSSIAN, random_tanh_net

_VALUE = "exponent_nats_per_step"
_MARKS = 60
_CURVE = 120
_THEORY = Look()


def spectra(results: Results) -> Section:
    """Whole spectra, the edge of chaos and products of Gaussian matrices, each over its prediction."""
    views = []
    for folder, lyapunov in results.having("lyapunov"):
        views += [
            *_whole(lyapunov, folder.label),
            *_edge(lyapunov, folder.label),
            *_gaussian(lyapunov, folder.label),
        ]
    parts = []
    if views:
        caption = (
            "Marks are measured, means over seeds; lines are predicted: for tanh nets those of infinitely many units, for "
            f"Gaussian products Newman's of that size. At most {_MARKS} marks of a spectrum are drawn, evenly chosen. "
            "Over zero a change of the state grows: chaos."
        )
        parts = [Chart("spectra-chart", caption, views, "Show")]
    parts += [
        Table(f"Measured beside predicted: {folder.label}", table)
        for folder, table in results.with_table("theory")
    ]
    return Section(
        "spectra",
        "Spectra over theory",
        "Are the Lyapunov exponents, all of them, those that theory predicts?",
        parts,
        "rnn-bench run theory",
    )


def _whole(lyapunov: pd.DataFrame, group: str) -> list[View]:
    """A view a noise, a colour a gain."""
    views = []
    nets = sorted(largest_tanh_nets(lyapunov).items(), key=lambda each: each[0])
    for noise, of_noise in groupby(nets, key=lambda each: each[0][0]):
        pairs = [pair for _, pair in of_noise]
        names = [f"gain {setting['gain']:g}, n = {setting['state_size']}" for setting, _ in pairs]
        looks = looks_of(names, dashes=("solid",))
        traces, sentences = [], []
        for place, ((setting, rows), name) in enumerate(zip(pairs, names, strict=True)):
            size = int(setting["state_size"])
            fractions = np.linspace(0, 1 - 0.5 / size, _CURVE)
            mean = rows.groupby("index")[_VALUE].mean()
            at = thinned(len(mean), _MARKS)
            measured = mean.to_numpy(float)
            predicted = random_tanh_net(setting).exponents(fractions)  # pyright: ignore[reportOptionalMemberAccess]
            look = looks[name]
            traces += [
                line(name, fractions, predicted, Look(look.colour), "predicted %{y:.4g} nats a step", meta=[place]),
                line(name, (mean.index.to_numpy(float)[at] - 0.5) / size, measured[at], Look(look.colour, look.symbol, ""),
                     "index fraction %{x:.3f}: %{y:.4g} nats a step", meta=[place]),
            ]  # fmt: skip
            sentences.append(f"{name}: largest {measured[0]:.3g}, predicted {predicted[0]:.3g}")
        chart = layout("index fraction (i − 1/2) / n", "Lyapunov exponent (nats a step)", shapes=[level(0)])
        switches = [Switches("Nets", [Option(name, looks[name]) for name in names])]
        summary = f"Lyapunov spectra of random tanh nets, {drive_name(noise)}. {'; '.join(sentences)}."
        views.append(View(f"tanh nets, {drive_name(noise)}", traces, chart, summary, switches, group))
    return views


def _edge(lyapunov: pd.DataFrame, group: str) -> list[View]:
    """A view a noise, a line a size: the largest exponent against the gain."""
    views = []
    for noise, of_noise in groupby(edge_lines(lyapunov), key=lambda each: float(each["input_scale"].iloc[0])):
        lines = list(of_noise)
        names = [f"n = {each['hidden_size'].iloc[0]}" for each in lines]
        looks = looks_of(names, dashes=("dash", "dashdot", "dot"))
        gains = np.linspace(
            min(each["gain"].min() for each in lines), max(each["gain"].max() for each in lines), _CURVE
        )
        predicted = np.array(
            [rj.theory.random_tanh_net(float(gain), noise).largest_exponent for gain in gains]
        )
        critical = rj.theory.critical_gain(noise)
        traces = [line("predicted, n = ∞", gains, predicted, _THEORY, "gain %{x:.3g}: %{y:.4g} nats a step")]
        for place, (each, name) in enumerate(zip(lines, names, strict=True)):
            by_gain = each.groupby("gain")[_VALUE]
            middle = by_gain.mean()
            traces.append(
                line(name, middle.index.to_numpy(float), middle.to_numpy(float), looks[name],
                     "gain %{x:g}: %{y:.4g} nats a step", meta=[place])
            )  # fmt: skip
        upright = {"type": "line", "x0": critical, "x1": critical, "yref": "paper", "y0": 0, "y1": 1, "layer": "below",
                   "line": {"color": "var(--ink-soft)", "width": 1, "dash": "dot"}}  # fmt: skip
        chart = layout("gain", "largest exponent (nats a step)", shapes=[level(0), upright])
        switches = [Switches("Sizes", [Option(name, looks[name]) for name in names])]
        summary = (
            f"Largest exponent of random tanh nets against the gain, {drive_name(noise)}, for {', '.join(names)}; "
            f"the predicted edge of chaos lies at gain {critical:.3g}."
        )
        views.append(View(f"edge of chaos, {drive_name(noise)}", traces, chart, summary, switches, group))
    return views


def _gaussian(lyapunov: pd.DataFrame, group: str) -> list[View]:
    """All sizes of Gaussian products in one view."""
    products = [each for each in settings_of(lyapunov) if each[0]["cell"] == GAUSSIAN]
    if not products:
        return []
    # One size may stand in several settings that differ in the length of the product.
    names = [f"d = {setting['state_size']}, {setting['sequence_length']} factors" for setting, _ in products]
    looks = looks_of(names, dashes=("",))
    largest = max(int(setting["state_size"]) for setting, _ in products)
    at = thinned(largest, _CURVE)
    predicted = np.asarray(rj.theory.gaussian_exponents(largest))[::-1][at]
    traces = [
        line("Newman 1986", at + 1.0, predicted, _THEORY, "%{x} degrees of freedom: %{y:.4g} nats a step")
    ]
    for place, ((setting, rows), name) in enumerate(zip(products, names, strict=True)):
        mean = rows.groupby("index")[_VALUE].mean() - float(np.log(setting["gain"] * setting["input_scale"]))
        chosen = thinned(len(mean), _MARKS)
        degrees = int(setting["state_size"]) - mean.index.to_numpy(float)[chosen] + 1
        traces.append(
            line(name, degrees, mean.to_numpy(float)[chosen], looks[name],
                 "%{x} degrees of freedom: %{y:.4g} nats a step", meta=[place])
        )  # fmt: skip
    chart = layout(
        "degrees of freedom d − i + 1",
        "exponent of N(0, 1) entries (nats a step)",
        xaxis=log_axis([1, largest]),
    )
    switches = [Switches("Sizes", [Option(name, looks[name]) for name in names])]
    summary = f"Exponents of products of Gaussian matrices over Newman's values, for {'; '.join(names)}."
    return [View("products of Gaussian matrices", traces, chart, summary, switches, group)]
