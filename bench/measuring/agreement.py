"""Whether two implementations give the same numbers, and by how much they do not."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Agreement:
    """One quantity of one implementation held against the reference.

    Attributes:
        quantity: its name.
        deviation: distance from the reference, as the quantity's measure says; inf where the shapes
            differ or one of the two is not finite where the other is.
        tolerance: the largest deviation that rounding explains.
        note: where they part, in few words, or nothing.
    """

    quantity: str
    deviation: float
    tolerance: float
    note: str = ""

    @property
    def agrees(self) -> bool:
        """False also where the deviation is NaN."""
        return self.deviation <= self.tolerance


Measure = Callable[[np.ndarray, np.ndarray], tuple[float, str]]


def largest_difference(reference: np.ndarray, other: np.ndarray) -> tuple[float, str]:
    """The largest absolute difference."""
    return float(np.max(_differences(reference, other))), ""


def by_lag(tolerance: float) -> Measure:
    """The largest absolute difference of numbers by lag, where it is, and from which lag on it is too large."""

    def measure(reference: np.ndarray, other: np.ndarray) -> tuple[float, str]:
        differences = _differences(reference, other)
        too_large = np.flatnonzero(~(differences <= tolerance))
        note = ""
        if too_large.size:
            worst = int(np.argmax(differences))
            note = f"from lag {too_large[0]} on; at lag {worst} {other[worst]:.4g} instead of {reference[worst]:.4g}"
        return float(np.max(differences)), note

    return measure


def relative_distance(reference: np.ndarray, other: np.ndarray) -> tuple[float, str]:
    """Euclidean distance over the norm of the reference; 0 where both are exactly zero, as a rectified net's chain can be."""
    distance, size = np.linalg.norm(other - reference), np.linalg.norm(reference)
    return float(0.0 if distance == 0 else distance / size if size > 0 else np.inf), ""


def compared(
    quantity: str, reference: ArrayLike, other: ArrayLike, measure: Measure, tolerance: float
) -> Agreement:
    """Holds one answer against the reference."""
    expected, got = np.asarray(reference, np.float64), np.asarray(other, np.float64)
    if expected.shape != got.shape:
        return Agreement(quantity, np.inf, tolerance, f"shape {got.shape} instead of {expected.shape}")
    deviation, note = measure(expected, got)
    return Agreement(quantity, np.inf if np.isnan(deviation) else deviation, tolerance, note)


def _differences(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Absolute differences; equal infinities do not differ, and NaN is infinitely far from anything."""
    with np.errstate(invalid="ignore"):
        differences = np.where(other == reference, 0.0, np.abs(other - reference))
    return np.nan_to_num(differences, nan=np.inf, posinf=np.inf)
