"""What the closed forms share."""

from typing import Any

import numpy as np


def checked_number(name: str, value: Any) -> float:
    """One real number, of whatever type or in an array of none dimensions, as float64.

    Raises:
        ValueError: it is none.
    """
    try:
        if np.ndim(value) or isinstance(value, str | bytes | bool | np.bool_) or np.iscomplexobj(value):
            raise TypeError
        return float(value)
    except TypeError as error:
        raise ValueError(f"{name} must be one real number, got {value!r}") from error


def log(number: float) -> float:
    """ln, with ln 0 = -inf."""
    return float(np.log(number)) if number > 0 else float("-inf")


def checked_not_negative(name: str, value: Any) -> float:
    """One number with 0 <= value < inf, as float64.

    Raises:
        ValueError: it is none.
    """
    number = checked_number(name, value)
    if not 0 <= number < float("inf"):
        raise ValueError(f"{name} must be a finite number from 0 up, got {value}")
    return number
