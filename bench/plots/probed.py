"""The picture of a probe: somebody's own cell beside the usual ones."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from matplotlib.figure import Figure

from bench.plots.decay import REACH, limits, over_runs
from bench.plots.labels import NORM
from bench.plots.style import COLOURS, LINES, columns_of, panels_of
from bench.schema.net_names import setting_label
from bench.store import Store

_SETTING = ["hidden_size", "input_size", "input_scale", "sequence_length", "dtype"]


def probed(store: Store) -> Figure | None:
    """log10 spectral norm against lag of a cell of one's own, beside the usual ones."""
    if "gradient_norms" not in store.kinds():
        return None
    norms = store.read("gradient_norms")
    norms = norms[(norms["weights"] == "initial") & norms["cell"].str.contains(":", na=False).groupby(
        [norms[name] for name in _SETTING], dropna=False
    ).transform("any")]  # fmt: skip
    if norms.empty:
        return None
    settings = list(norms.groupby(_SETTING, dropna=False, sort=True))
    figure, panels = panels_of(len(settings), shared_y=True)
    if len(settings) == 1:
        figure.set_size_inches(7.2, 4.8)
    drawn = []
    for axes, (_, of_setting) in zip(panels, settings, strict=True):
        cells = sorted(of_setting["cell"].unique(), key=lambda cell: (":" not in cell, cell))
        for place, cell in enumerate(cells):
            of_cell = of_setting[of_setting["cell"] == cell]
            lags, middle, least, most = over_runs(of_cell, "log10_spectral_norm")
            name = cell.lstrip("_")
            if not of_cell["log10_spectral_norm"].notna().any():
                name += " (not finite: nothing to draw)"
            elif of_cell["log10_spectral_norm"].isna().any():
                name += " (not finite at some lags)"
            colour, line = COLOURS[place % len(COLOURS)], LINES[place % len(LINES)]
            drawn += [least, most]
            axes.fill_between(lags, least, most, color=colour, alpha=0.15, linewidth=0)
            axes.plot(
                lags, middle, color=colour, linestyle=line, linewidth=3.0 if ":" in cell else 1.6,
                label=name, zorder=3 if ":" in cell else 2,
            )  # fmt: skip
        axes.axhline(REACH, color="0.4", linewidth=0.8)
        axes.set_xscale("symlog", linthresh=1.0)
        title = setting_label(of_setting.iloc[0], ["hidden_size", "sequence_length", "input_scale"])
        axes.set(xlim=(0, of_setting["lag"].max()), xlabel="lag T − t (steps)", title=title)
        axes.title.set_fontsize(9)
        axes.legend(fontsize=8, loc="best")
    for axes in panels[:: columns_of(len(settings))]:
        axes.set(ylabel=NORM, ylim=limits(drawn))
    figure.suptitle(
        "Median over seeds and sequences, band from least to most; grey: a norm of 1e-3", fontsize=10
    )
    return figure
