"""Picture of all pairs of times: the norm of dh_s/dh_t as a heat map."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
from matplotlib.figure import Figure

from bench.plots.style import columns_of
from bench.schema.net_names import cell_name
from bench.store import Store

_PANELS_AT_MOST = 12
_LIMIT = 6.0


def pairs(store: Store) -> Figure | None:
    """A panel a net, its first seed: row s, column t, colour log10 of the spectral norm of dh_s/dh_t."""
    if "pair_norms" not in store.kinds():
        return None
    norms = store.read("pair_norms")
    first = norms[norms["seed"] == norms.groupby("case_id")["seed"].transform("min")]
    nets = [net for _, net in first.groupby("case_id", sort=False)][:_PANELS_AT_MOST]
    if not nets:
        return None
    columns = columns_of(len(nets))
    rows = -(-len(nets) // columns)
    figure = Figure(figsize=(3.1 * columns + 1.0, 2.9 * rows + 0.7))
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in panels[len(nets) :]:
        unused.remove()
    image = None
    for place, (axes, net) in enumerate(zip(panels, nets, strict=False)):
        values = net.pivot(index="later_time", columns="earlier_time", values="log10_spectral_norm")
        times = values.index.to_numpy(float)
        # -inf, an exact zero, is off the scale as the smallest norms are.
        shown = np.clip(values.to_numpy(float), -_LIMIT, _LIMIT)
        image = axes.pcolormesh(
            times,
            times,
            np.ma.masked_invalid(shown),
            cmap="PuOr_r",
            vmin=-_LIMIT,
            vmax=_LIMIT,
            rasterized=True,
        )
        one = net.iloc[0]
        axes.set(title=f"{cell_name(one)}, gain {one['gain']:g}", xlabel="t (steps)", aspect="equal")
        axes.title.set_fontsize(9)
        axes.grid(False)
        axes.invert_yaxis()
        if place % columns == 0:
            axes.set_ylabel("s (steps)")
    bar = figure.colorbar(image, ax=panels[: len(nets)], shrink=0.8, extend="both")
    bar.set_label("log10 of the norm of dh_s/dh_t")
    figure.suptitle("How far the gradient reaches, from every time s back to every time t", fontsize=11)
    return figure
