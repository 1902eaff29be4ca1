"""What the closed forms share."""

from typing import Any

import numpy as np


def require_number(name: str, value: Any) -> None:
    """Raises ValueError unless it is one real number, of Python's or NumPy's or in an array of none dimensions."""
    if np.ndim(value) or not np.issubdtype(np.asarray(value).dtype, np.number) or np.iscomplexobj(value):
        raise ValueError(f"{name} must be one real number, got {value!r}")


def log(number: float) -> float:
    """ln, with ln 0 = -inf."""
    return float(np.log(number)) if number > 0 else float("-inf")


def require_not_negative(name: str, value: float) -> None:
    """Raises ValueError unless it is one number with 0 <= value < inf."""
    require_number(name, value)
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be a finite number from 0 up, got {value}")
