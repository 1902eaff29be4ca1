"""Time series that Python packages ship: nothing is downloaded."""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from rnn_jax.tasks.packaged_files import package_folder


def second_column(path: Path) -> np.ndarray:
    """The second column of a CSV file with a heading; NaN where it is empty."""
    lines = path.read_text(encoding="utf-8").split("\n")[1:]
    return np.array([float(line.split(",")[1] or "nan") for line in lines if line.strip()])


def longest_list(path: Path) -> np.ndarray:
    """The longest list of numbers that stands in a Python file, which is parsed and not run."""
    lists = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.List)
    ]
    return np.array(ast.literal_eval(max(lists, key=lambda node: len(node.elts))), np.float64)


@dataclass(frozen=True)
class Series:
    """A time series in an installed package.

    Attributes:
        package: the import name.
        distribution: the name that pip knows.
        path: of the file, below the package.
        read: from that file to the values.
        observations: how many there are, missing ones included.
        unit: of the values.
    """

    package: str
    distribution: str
    path: str
    read: Callable[[Path], np.ndarray]
    observations: int
    unit: str


SUNSPOTS = Series(
    "statsmodels", "statsmodels", "datasets/sunspots/sunspots.csv", second_column, 309, "sunspot number"
)
CO2 = Series("statsmodels", "statsmodels", "datasets/co2/co2.csv", second_column, 2_284, "ppm")
TAYLOR = Series("pmdarima", "pmdarima", "datasets/taylor.py", longest_list, 4_032, "MW")


@cache
def load(series: Series) -> np.ndarray:
    """The values in order of time, float64 of shape (observations,); NaN where one is missing.

    Raises:
        ModuleNotFoundError: the package is not installed.
        ValueError: its file is not the one known.
    """
    path = package_folder(series.package, series.distribution, "series") / series.path
    values = series.read(path)
    if values.shape != (series.observations,):
        raise ValueError(
            f"{path} should have {series.observations} values, got {values.shape}: another release of "
            f"{series.distribution} is needed"
        )
    values.setflags(write=False)
    return values
