"""What counts as a whole number where an argument must be one."""

from typing import Any

import numpy as np


def is_whole(value: Any) -> bool:
    """True for an integer of Python's or NumPy's; `bool` does not count."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def checked_whole(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """The value as Python's integer; raises ValueError unless it is whole and in range, both ends allowed."""
    if not is_whole(value) or value < least or (most is not None and value > most):
        allowed = f"of at least {least}" if most is None else f"in {least}..{most}"
        raise ValueError(f"{name} must be a whole number {allowed}, got {value!r}")
    return int(value)
