"""Pictures of a result folder, as SVG and PNG: legible in print, told apart without colour."""

from collections.abc import Callable, Collection
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.errors import making
from bench.plots.atlas import atlas
from bench.plots.decay import decay, trained_decay
from bench.plots.explosion import explosion
from bench.plots.pairs import pairs
from bench.plots.peers import peer_ratios
from bench.plots.probed import probed
from bench.plots.reach_in_training import reach_in_training
from bench.plots.reach_question import reach_predicts
from bench.plots.real_uses import real_uses
from bench.plots.remedy_grid import remedy_grid
from bench.plots.roofline import roofline
from bench.plots.spectra import edge, gaussian_spectra, spectra
from bench.plots.style import STYLE, save
from bench.plots.style import SUFFIXES as SUFFIXES
from bench.plots.training import accuracy, training_loss
from bench.store import Store

# A picture is None where the folder has no data for it.
_MAKERS: dict[str, Callable[[Store], Figure | None]] = {
    "atlas": atlas,
    "decay": decay,
    "probed": probed,
    "trained_decay": trained_decay,
    "pairs": pairs,
    "accuracy": accuracy,
    "training_loss": training_loss,
    "spectra": spectra,
    "gaussian_spectra": gaussian_spectra,
    "edge": edge,
    "peers": peer_ratios,
    "explosion": explosion,
    "roofline": roofline,
    "remedy_grid": remedy_grid,
    "reach_predicts": reach_predicts,
    "reach_in_training": reach_in_training,
    "real_uses": real_uses,
}
PICTURES = tuple(_MAKERS)


def draw(store: Store, names: Collection[str] = PICTURES, folder: Path | None = None) -> list[Path]:
    """Draws the pictures that the folder's CSV files allow, and returns the files written.

    Args:
        store: the result folder.
        names: which of PICTURES; all by default.
        folder: where they go; the result folder's own `figures` if None.
    """
    written, store = [], store.each_seed_once()
    with mpl.rc_context(STYLE):
        for name in (each for each in PICTURES if each in names):
            with making(f"picture {name}", store.folder, *store.kinds()):
                figure = _MAKERS[name](store)
                if figure is not None:
                    written += save(figure, (folder or store.folder / "figures") / name)
    return written


def meaning(name: str) -> str:
    """What a picture shows, in a line."""
    return (_MAKERS[name].__doc__ or "").splitlines()[0]
