"""At which lags a chain is measured."""

import numpy as np


def geometric_lags(length: int, count: int) -> np.ndarray:
    """Lag 0 and at most `count` lags up to `length`, spaced geometrically, without repeats."""
    return np.unique(np.concatenate([[0], np.geomspace(1, length, count).round().astype(int)]))
