"""Pictures of a result folder, as SVG and PNG: legible in print, told apart without colour."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.store import Store, write_bytes

# Okabe & Ito 2008: distinct for all common forms of colour blindness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
_LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_STYLE = {
    "svg.hashsalt": "rnn_jax",  # the same data give the same bytes
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
_REACH = -3.0
PICTURES = ("decay", "trained_decay", "accuracy", "training_loss")
SUFFIXES = (".svg", ".png")
_NET = [
    "gain",
    "initialization",
    "forget_bias",
    "hidden_size",
    "input_size",
    "input_scale",
    "sequence_length",
]
_TRAINED = [
    "gain",
    "initialization",
    "forget_bias",
    "hidden_size",
    "optimizer",
    "learning_rate",
    "batch_size",
]


def draw(store: Store) -> list[Path]:
    """Draws every picture that the folder's CSV files allow, and returns the files written."""
    makers = {
        "decay": _decay,
        "trained_decay": _trained_decay,
        "accuracy": _accuracy,
        "training_loss": _training_loss,
    }
    written = []
    with mpl.rc_context(_STYLE):
        for name, make in makers.items():
            figure = make(store)
            if figure is not None:
                written += _save(figure, store.folder / "figures" / name)
    return written


def _decay(store: Store) -> Figure | None:
    """log10 spectral norm against lag, a panel a cell and a line a gain."""
    if "gradient_norms" not in store.kinds():
        return None
    norms = store.read("gradient_norms")
    norms = norms[(norms["weights"] == "initial") & (norms["input_kind"] == "white_noise")]
    if norms.empty:
        return None
    cells = _in_order(norms["cell"])
    figure, panels = _panels(len(cells), shared_y=True)
    low, high = -12.5, 12.5
    for axes, cell in zip(panels, cells, strict=True):
        of_cell = norms[norms["cell"] == cell]
        nets = list(of_cell.groupby(_NET, dropna=False, sort=True))
        varying = _varying(of_cell, _NET[1:])
        for (_, of_net), colour, line in zip(nets, cycle(COLOURS), cycle(_LINES), strict=False):
            lags, middle, least, most = _over_runs(of_net, "log10_spectral_norm")
            label = _told(of_net.iloc[0], ["gain", *varying])
            axes.fill_between(lags, least, most, color=colour, alpha=0.2, linewidth=0)
            axes.plot(lags, middle, color=colour, linestyle=line, linewidth=1.8, label=label)
        axes.axhline(_REACH, color="0.4", linewidth=0.8)
        axes.set(title=cell, ylim=(low, high), xlabel="lag T − t (steps)")
        axes.legend(fontsize=8, loc="best")
    for axes in panels[:: _columns(len(cells))]:
        axes.set_ylabel("log10 of the norm of dh_T/dh_t")
    figure.suptitle(
        "How far the gradient reaches: median over seeds and sequences, band from least to most; grey: a norm of 1e-3",
        fontsize=11,
    )
    return figure


def _trained_decay(store: Store) -> Figure | None:
    """log10 spectral norm against lag before and after training, a panel a setting."""
    if not {"gradient_norms", "task_accuracy"} <= set(store.kinds()):
        return None
    norms, accuracy = store.read("gradient_norms"), store.read("task_accuracy")
    longest = _fullest_setting(accuracy)
    settings = longest.drop_duplicates("case_id")
    if settings.empty:
        return None
    figure, panels = _panels(len(settings), shared_y=True)
    for axes, setting in zip(panels, settings.itertuples(), strict=True):
        for weights, colour, line in (("initial", COLOURS[0], "--"), ("trained", COLOURS[1], "-")):
            of_case = norms[(norms["case_id"] == setting.case_id) & (norms["weights"] == weights)]
            lags, middle, least, most = _over_runs(of_case, "log10_spectral_norm")
            axes.fill_between(lags, least, most, color=colour, alpha=0.2, linewidth=0)
            axes.plot(lags, middle, color=colour, linestyle=line, linewidth=1.8, label=weights)
        axes.axhline(_REACH, color="0.4", linewidth=0.8)
        verdicts = longest[longest["case_id"] == setting.case_id]["verdict"]
        axes.set(
            title=f"{_setting(setting)}\n{_counts(verdicts)}", ylim=(-12.5, 12.5), xlabel="lag T − t (steps)"
        )
        axes.title.set_fontsize(9)
        axes.legend(fontsize=8)
    for axes in panels[:: _columns(len(settings))]:
        axes.set_ylabel("log10 of the norm of dh_T/dh_t")
    first = settings.iloc[0]
    figure.suptitle(
        f"Before and after training on {first['task']} ({first['variant']}), T = {first['task_length']}; grey: a norm of 1e-3",
        fontsize=11,
    )
    return figure


def _accuracy(store: Store) -> Figure | None:
    """Accuracy against task length, a panel a task, a line a cell and remedy."""
    if "task_accuracy" not in store.kinds():
        return None
    accuracy = store.read("task_accuracy")
    accuracy = accuracy[accuracy["optimizer"] != "sgd"]
    tasks = list(accuracy.groupby(["task", "variant"], sort=True))
    if not tasks:
        return None
    figure, panels = _panels(len(tasks), shared_y=True)
    kinds = accuracy.groupby(["cell", "remedy", "remedy_strength"], dropna=False)
    varying = [name for name in _TRAINED if any(_varying(of_kind, [name]) for _, of_kind in kinds)]
    labels = sorted({_line_name(row, varying) for row in accuracy.itertuples()})
    looks = dict(zip(labels, zip(cycle(COLOURS), cycle(_MARKERS), cycle(_LINES), strict=False), strict=False))
    for axes, ((task, variant), of_task) in zip(panels, tasks, strict=True):
        names = pd.Series([_line_name(row, varying) for row in of_task.itertuples()], index=of_task.index)
        lengths = sorted(of_task["task_length"].unique())
        drawn = sorted(names.unique())
        for place, label in enumerate(drawn):
            of_line = of_task[names == label].groupby("task_length")["accuracy"]
            middle, least, most = of_line.median(), of_line.min(), of_line.max()
            colour, marker, line = looks[label]
            shift = 1.03 ** (place - (len(drawn) - 1) / 2)  # so that equal values do not hide each other
            axes.errorbar(
                middle.index.to_numpy(float) * shift, middle.to_numpy(float),
                yerr=[(middle - least).to_numpy(float), (most - middle).to_numpy(float)],
                color=colour, marker=marker, linestyle=line, markersize=5, capsize=2, label=label,
            )  # fmt: skip
        axes.set(title=f"{task} ({variant})", xlabel="task length (steps)", xscale="log", ylim=(-0.04, 1.04))
        axes.set_xlim(lengths[0] / 1.5, lengths[-1] * 1.5)
        axes.set_xticks(lengths, [str(length) for length in lengths])
        axes.minorticks_off()
        axes.set_ylabel(_metric_label(of_task["metric"].iloc[0]))
        axes.legend(fontsize=8)
    figure.suptitle("Long-range accuracy: median over seeds, bars from least to most", fontsize=11)
    return figure


def _training_loss(store: Store) -> Figure | None:
    """Training loss of every seed, a panel a setting; a cross where a run ended in something not finite."""
    if not {"training_curves", "task_accuracy"} <= set(store.kinds()):
        return None
    curves, accuracy = store.read("training_curves"), store.read("task_accuracy")
    longest = _fullest_setting(accuracy)
    settings = longest.drop_duplicates("case_id")
    if settings.empty:
        return None
    figure, panels = _panels(len(settings), shared_y=False)
    for axes, setting in zip(panels, settings.itertuples(), strict=True):
        for seed, colour, line in zip(
            sorted(longest[longest["case_id"] == setting.case_id]["seed"]),
            cycle(COLOURS),
            cycle(_LINES),
            strict=False,
        ):
            curve = curves[(curves["case_id"] == setting.case_id) & (curves["seed"] == seed)]
            loss = curve["loss"].to_numpy(float)
            axes.plot(
                curve["step"].to_numpy(float),
                loss,
                color=colour,
                linestyle=line,
                linewidth=1.2,
                label=f"seed {seed}",
            )
            outcome = longest[(longest["case_id"] == setting.case_id) & (longest["seed"] == seed)].iloc[0]
            finite = loss[np.isfinite(loss)]
            if pd.notna(outcome["first_nonfinite_step"]) and finite.size:
                axes.plot(
                    int(outcome["first_nonfinite_step"]),
                    finite[-1],
                    "x",
                    color=colour,
                    markersize=9,
                    markeredgewidth=2.5,
                )
        axes.axhline(setting.baseline_loss, color="0.4", linewidth=0.8)
        verdicts = longest[longest["case_id"] == setting.case_id]["verdict"]
        axes.set(title=f"{_setting(setting)}\n{_counts(verdicts)}", yscale="log", xlabel="training step")
        axes.title.set_fontsize(9)
        axes.legend(fontsize=8)
    for axes in panels[:: _columns(len(settings))]:
        axes.set_ylabel("training loss")
    first = settings.iloc[0]
    figure.suptitle(
        f"Training on {first['task']} ({first['variant']}), T = {first['task_length']}; grey: best constant guess; "
        "cross: the run ended in NaN or inf",
        fontsize=11,
    )
    return figure


def _fullest_setting(accuracy: pd.DataFrame) -> pd.DataFrame:
    """The runs of the first task at the length that most cells and remedies were trained at."""
    of_task = accuracy[accuracy["task"] == accuracy["task"].min()]
    counts = of_task.groupby("task_length")["case_id"].nunique()
    length = counts[counts == counts.max()].index.max()
    return of_task[of_task["task_length"] == length].sort_values(
        ["optimizer", "cell", "gain", "remedy"], kind="stable"
    )


def _over_runs(norms: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Median, least and most at each lag; an exact zero lies below every axis."""
    by_lag = norms.assign(value=norms[column].replace(-np.inf, -1e9)).groupby("lag")["value"]
    middle = by_lag.median()
    return (
        middle.index.to_numpy(float),
        middle.to_numpy(float),
        by_lag.min().to_numpy(float),
        by_lag.max().to_numpy(float),
    )


def _varying(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Those of the columns that hold more than one value."""
    return [name for name in columns if len(frame[name].unique()) > 1]


def _told(row: pd.Series, columns: Sequence[str]) -> str:
    """The values of a row, each with its name unless it is a text."""
    values = [(name, row[name]) for name in columns if pd.notna(row[name])]
    return ", ".join(
        str(v) if isinstance(v, str) else f"{name.replace('_', ' ')} {v:g}" for name, v in values
    )


def _line_name(row: object, varying: Sequence[str] = ()) -> str:
    """Cell and remedy, and what else tells the line from the others of that cell and remedy."""
    remedy = row.remedy if row.remedy == "none" else f"{row.remedy} {row.remedy_strength:g}"
    more = _told(pd.Series({name: getattr(row, name) for name in varying}), varying)
    return ", ".join(part for part in (row.cell, remedy, more) if part)


def _setting(row: object) -> str:
    return f"{_line_name(row)}\ngain {row.gain:g}, {row.optimizer} {row.learning_rate:g}"


def _counts(verdicts: pd.Series) -> str:
    return ", ".join(f"{count} {name}" for name, count in verdicts.value_counts().sort_index().items())


def _metric_label(metric: str) -> str:
    return {
        "within_0.04_of_sum": "fraction within 0.04 of the sum",
        "recall_accuracy": "fraction of symbols recalled",
    }.get(metric, metric)


def _in_order(cells: pd.Series) -> Sequence[str]:
    return sorted(cells.unique())


def _columns(count: int) -> int:
    return min(count, 4 if count > 6 or count == 4 else 3)


def _panels(count: int, *, shared_y: bool) -> tuple[Figure, list[Axes]]:
    columns = _columns(count)
    rows = -(-count // columns)
    figure = Figure(figsize=(3.6 * columns + 0.6, 3.1 * rows + 0.6))
    grid = figure.subplots(rows, columns, sharey=shared_y, squeeze=False)
    flat = list(grid.flat)
    for unused in flat[count:]:
        unused.remove()
    return figure, flat[:count]


def _save(figure: Figure, path: Path) -> Iterator[Path]:
    for suffix, metadata in ((".svg", {"Date": None}), (".png", {"Software": None})):
        picture = BytesIO()
        figure.savefig(picture, format=suffix[1:], dpi=110, metadata=metadata)
        write_bytes(path.with_suffix(suffix), picture.getvalue())
        yield path.with_suffix(suffix)
