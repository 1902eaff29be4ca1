"""Files that installed Python packages ship: nothing is downloaded, and no package is imported."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np


def package_folder(package: str, distribution: str, content: str) -> Path:
    """Where an installed package lies.

    Importing the package itself would import all that it depends on.

    Args:
        package: the import name.
        distribution: the name that pip knows, for the message.
        content: what is wanted of it, in the plural, for the message.

    Raises:
        ModuleNotFoundError: the package is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            f"these {content} come with {distribution}, which is not installed: pip install 'rnn-jax-bench[data]'"
        )
    return Path(spec.submodule_search_locations[0])


def release(distribution: str) -> str:
    """The distribution and its version, as in "statsmodels 0.15.0"; its name alone where none is known."""
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return distribution


def shuffled(size: int, seed: int) -> np.ndarray:
    """0..size - 1 in an order that depends on the seed alone.

    Sorted by the raw output of a PCG64 generator, which NumPy promises never to change, as it does not
    promise for `permutation`.
    """
    return np.argsort(np.random.PCG64(seed).random_raw(size), kind="stable")
