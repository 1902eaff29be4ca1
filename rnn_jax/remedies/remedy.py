"""What a remedy is."""

from collections.abc import Callable
from dataclasses import dataclass

import optax


@dataclass(frozen=True)
class Remedy:
    """A change meant to help a gradient to travel.

    Attributes:
        name: as it stands in suites and CSV files.
        strength: its one number, such as a threshold; None where it has none.
        adapt_optimizer: from the optimiser given to `train` to the one used.
    """

    name: str
    strength: float | None
    adapt_optimizer: Callable[[optax.GradientTransformation], optax.GradientTransformation]


def none() -> Remedy:
    """No remedy: plain training."""
    return Remedy("none", None, lambda optimizer: optimizer)
