"""Frameworks that are imported only where they are needed."""

from importlib import import_module
from typing import Any


def framework(module: str, caller: str) -> Any:
    """The module, imported now.

    Raises:
        ImportError: its package is not installed. An error inside an installed package is left alone.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ImportError(
            f"{caller} needs the package {package}, which is not installed: pip install {package}",
            name=package,
        ) from error


def no_known_state(cell: Any, mend: str = "") -> ValueError:
    """What to say where a cell's h_0 is asked for that its framework does not define."""
    return ValueError(
        f"the initial state of a {type(cell).__name__} is not known here; pass the state h_0 yourself in "
        f"place of step.initial_state(){mend}"
    )


def no_known_output(cell: Any, mend: str = "") -> ValueError:
    """What to say where a cell's visible part is asked for that its framework does not define."""
    return ValueError(
        f"the visible part of the state of a {type(cell).__name__} is not known here; pass a function of "
        f"the state as output= in place of step.output{mend}"
    )
