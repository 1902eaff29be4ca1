"""Fewer points where a screen shows no more; a caption says so."""

import numpy as np

MOST_POINTS = 200
"""Of a curve."""
MOST_TIMES = 100
"""Of a heat map, along each axis."""


def thinned(count: int, most: int) -> np.ndarray:
    """The places of at most `most` of `count` points: evenly spaced, the first and the last among them."""
    if count <= most:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, most).round().astype(int))


def note(drawn: int, measured: int, what: str) -> str:
    """A sentence for the caption; none where all is drawn."""
    return f" Drawn are at most {drawn} of {measured} {what}, evenly chosen." if drawn < measured else ""
