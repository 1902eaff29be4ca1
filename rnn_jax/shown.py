"""How results print: their attributes by name, of arrays the dtype and shape.

Short vectors of NumPy are written out. Those of JAX may be traced, or still being computed on a device, and are not
read for that.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import jax
import numpy as np

_SHORT = 8
"""Numbers that a NumPy vector may have to be written out."""

_LONG = 200
"""Characters that anything else may have; a task of one's own may hold arrays."""

_Class = TypeVar("_Class", bound=type)


def brief(cls: _Class) -> _Class:
    """A dataclass whose instances print on a line, whatever the arrays in them."""
    cls.__repr__ = _summary  # pyright: ignore[reportAttributeAccessIssue]
    return cls


def _summary(instance: Any) -> str:
    shown = [f"{each.name}={_value(getattr(instance, each.name))}" for each in fields(instance) if each.repr]
    return f"{type(instance).__name__}({', '.join(shown)})"


def _value(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim < 2 and value.size <= _SHORT:
        return np.array2string(value, precision=4, separator=", ", max_line_width=10**6)
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype}{list(value.shape)}"
    if any(hasattr(leaf, "shape") for leaf in jax.tree.leaves(value)):
        inside: Callable[[Any], str] = _summary if is_dataclass(value) and _is_flat(value) else _folded
        return inside(value)
    text = repr(value)
    return text if len(text) <= _LONG else f"{' '.join(text[:_LONG].split())}..."


def _is_flat(instance: Any) -> bool:
    """Whether its arrays are attributes of its own, such as a mantissa and an exponent."""
    return all(hasattr(getattr(instance, each.name), "shape") for each in fields(instance))


def _folded(value: Any) -> str:
    """A model, a pytree of states: no more than what it is."""
    return f"{type(value).__name__}(...)"
