"""What all pictures share: colours, lines, marks, panels and how a picture is saved."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.store import write_bytes

# Okabe & Ito 2008: distinct for all common forms of colour blindness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
STYLE: dict[Any, Any] = {
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
SUFFIXES = (".svg", ".png")


def columns_of(count: int) -> int:
    """Into how many columns so many panels go."""
    return min(count, 4 if count > 6 or count == 4 else 3)


def panels_of(count: int, *, shared_y: bool) -> tuple[Figure, list[Axes]]:
    """A figure and its panels, row by row."""
    columns = columns_of(count)
    rows = -(-count // columns)
    figure = Figure(figsize=(3.6 * columns + 0.6, 3.1 * rows + 0.6))
    grid = figure.subplots(rows, columns, sharey=shared_y, squeeze=False)
    flat = list(grid.flat)
    for unused in flat[count:]:
        unused.remove()
    return figure, flat[:count]


def save(figure: Figure, path: Path) -> Iterator[Path]:
    """Writes a picture once for each of SUFFIXES, the same bytes from the same data."""
    for suffix, metadata in ((".svg", {"Date": None}), (".png", {"Software": None})):
        picture = BytesIO()
        figure.savefig(picture, format=suffix[1:], dpi=110, metadata=metadata)
        write_bytes(path.with_suffix(suffix), picture.getvalue())
        yield path.with_suffix(suffix)
