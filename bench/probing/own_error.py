"""Errors out of somebody's own cell, each in one sentence that says where in their code."""

import os
import sys
import traceback
from pathlib import Path

import jax

from bench.errors import UsageError

_LIBRARIES = ("bench", "rnn_jax", "jax", "jaxlib", "numpy", "beartype", "jaxtyping")


def theirs(error: BaseException, what: str) -> UsageError:
    """An exception out of somebody's own code, in a sentence that says where."""
    line = next(iter(str(error).splitlines()), "").strip()
    where = _where(error)
    message = f"{type(error).__name__}{': ' if line else ''}{line}"
    if isinstance(error, SystemExit):
        message = f"it ends the program ({message})"
    return UsageError(
        f"{what}{f' in {where}' if where else ''}: {message}; --debug shows the whole traceback"
    )


def of_step(name: str, error: BaseException) -> UsageError:
    """What the library, or the step itself, says of a step."""
    cause = error.__cause__
    if isinstance(cause, jax.errors.ConcretizationTypeError):
        error = cause
    if isinstance(error, jax.errors.ConcretizationTypeError):
        where = _where(error)
        return UsageError(
            f"the step of {name} makes a Python decision on a number that is not known beforehand"
            f"{f', in {where}' if where else ''} ({type(error).__name__}); use jnp.where or jax.lax.cond there"
        )
    if isinstance(cause, jax.errors.TracerArrayConversionError):
        error = cause
    if isinstance(error, jax.errors.TracerArrayConversionError):
        where = _where(error)
        return UsageError(
            f"the step of {name} hands a traced array to NumPy{f', in {where}' if where else ''}; use jax.numpy there"
        )
    where = _where(cause) if cause is not None else _where(error)
    own = isinstance(error, ValueError | TypeError) and _innermost_is_library(error)
    if own:
        message = one_line(error)
        more = "; a step is called as step(state, x)" if "positional argument" in message else ""
        return UsageError(f"{name}: {message}{more}{f' ({where})' if where else ''}")
    return theirs(error, f"the step of {name} failed")


def _where(error: BaseException) -> str:
    """File, line and function of the innermost frame that is no library's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}, line {error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not _is_library(frame.filename):
            return f"{_shown(frame.filename)}, line {frame.lineno}, in {frame.name}"
    return ""


def _innermost_is_library(error: BaseException) -> bool:
    """Whether it was raised by a library that the step's code did not call: the library's own check of it."""
    return all(_is_library(frame.filename) for frame in traceback.extract_tb(error.__traceback__))


def _is_library(file: str) -> bool:
    if file.startswith("<"):
        return True
    path = Path(file).resolve()
    loaded = [sys.modules[name].__file__ for name in _LIBRARIES if name in sys.modules]
    if any(path.is_relative_to(Path(each).resolve().parent) for each in loaded if each):
        return True
    standard = path.is_relative_to(Path(os.__file__).resolve().parent)
    return standard and not {"site-packages", "dist-packages"} & set(path.parts)


def _shown(file: str) -> str:
    path = Path(file)
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else path.name


def one_line(error: BaseException) -> str:
    """What it says, up to the first break."""
    return next(iter(str(error).splitlines()), type(error).__name__)
