"""What counts as a whole number where an argument must be one."""

from typing import Any

import numpy as np


def is_whole(value: Any) -> bool:
    """True for an integer of Python's or NumPy's; `bool` does not count."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
