"""Words of messages that many write."""

import inspect
from collections.abc import Callable
from typing import Any

import jax

NEEDS_A_VALUE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.TracerArrayConversionError,
)
"""What JAX raises where a function that is compiled asks a number for its value."""


def first_line(error: BaseException) -> str:
    """The first line of what an error says; the name of its class where it says nothing."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def why_it_takes_not(function: Callable, *arguments: Any) -> TypeError | None:
    """What Python says of calling a function with these; None where it takes them, or tells no signature."""
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        return error
    except ValueError:  # a builtin, or what was compiled elsewhere
        return None
    return None
