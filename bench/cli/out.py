"""`--out` of every verb that has one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer


def out_option(what: str, help: str) -> Any:
    """The option `--out` for the name of `what`: a folder, or a file."""
    return typer.Option(help=help, show_default=False, parser=_naming(what))


def _naming(what: str) -> Callable[[str], Path]:
    def path(text: str) -> Path:
        # As a path it would be the current folder, which is not what is meant where a shell's variable is not set.
        if not str(text):
            raise typer.BadParameter(f"must name {what}, got an empty name")
        return Path(text)

    return path
