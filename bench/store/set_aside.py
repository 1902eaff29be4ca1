"""Keeps what a run would otherwise overwrite and could not make again."""

import os
import shutil
from pathlib import Path

from bench.errors import UsageError


def set_aside(path: Path, folder: Path, *, copy: bool = False) -> Path:
    """Moves a file into a folder, under a name that is not taken there; returns where it is now.

    Args:
        copy: leave it where it is too.

    Raises:
        UsageError: the folder or the disk does not take it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number, target = 1, folder / path.name
        while target.exists():
            number += 1
            target = folder / f"{path.stem}.{number}{path.suffix}"
        if copy:
            shutil.copyfile(path, target)
        else:
            os.replace(path, target)
    except OSError as error:
        raise UsageError(
            f"cannot set {path} aside in {folder}: {error.strerror}; it is left as it is"
        ) from error
    return target
