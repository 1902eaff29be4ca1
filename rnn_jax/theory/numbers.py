"""What the closed forms share."""

import numpy as np


def log(number: float) -> float:
    """ln, with ln 0 = -inf."""
    return float(np.log(number)) if number > 0 else float("-inf")


def require_not_negative(name: str, value: float) -> None:
    """Raises ValueError unless 0 <= value < inf."""
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be a finite number from 0 up, got {value}")
