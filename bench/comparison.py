"""A comparison of two result folders, kept as a folder of tables and a picture."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import pandas as pd

from bench.compare import compared
from bench.errors import UsageError
from bench.plots import comparison as picture
from bench.plots.style import STYLE, save
from bench.store import read_machine, write_csv, write_text
from bench.tables import markdown

FILE = "comparison.json"


def keep(left: Path, right: Path, folder: Path) -> list[Path]:
    """Writes what `compared` gives, and which two folders it is of, so that `derive` can make it again.

    Returns:
        the files written.

    Raises:
        UsageError: as `compared`, or `folder` is a file or holds results.
    """
    if folder.is_file() or (folder / "machine.json").is_file():
        raise UsageError(f"--out {folder} is a file or holds results; choose a folder of its own")
    compared(left, right)  # first of all: what cannot be compared leaves no folder
    pair = {"left": left, "right": right}
    text = json.dumps({side: Path(os.path.relpath(path, folder)).as_posix() for side, path in pair.items()})
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / FILE, text + "\n")
    return [folder / FILE, *derive(folder)]


def derive(folder: Path) -> list[Path]:
    """Writes the tables and the picture of a kept comparison from the CSV files of its two folders.

    Raises:
        UsageError: `folder` keeps no comparison, or one of the two is no longer there.
    """
    written = []
    left, right = sides(folder)
    joined = dict(tables(folder))
    for name, table in joined.items():
        written += [folder / f"{name}.csv", folder / f"{name}.md"]
        write_csv(folder / f"{name}.csv", table)
        write_text(folder / f"{name}.md", markdown(table))
    if "times" in joined:
        facts = [read_machine(side)["identity"] for side in (left, right)]
        names = [f"{each.get('machine', '?')}, {each.get('dtype', '?')}" for each in facts]
        with mpl.rc_context(STYLE):
            written += save(picture.times(joined["times"], *names), folder / "times")
    return written


def tables(folder: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """The tables of a kept comparison, by name."""
    yield from compared(*sides(folder)).items()


def is_kept(folder: Path) -> bool:
    """Whether a folder keeps a comparison."""
    return (folder / FILE).is_file()


def kept(root: Path) -> list[Path]:
    """Every folder below `root` that keeps one, in alphabetical order."""
    return sorted(path.parent for path in root.glob(f"**/{FILE}"))


def sides(folder: Path) -> tuple[Path, Path]:
    """The left and the right result folder of a kept comparison.

    Raises:
        UsageError: `folder` keeps none, or its file is damaged.
    """
    try:
        pair = json.loads((folder / FILE).read_text(encoding="utf-8"))
        left, right = (Path(os.path.normpath(folder / pair[side])) for side in ("left", "right"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{folder} keeps no comparison ({type(error).__name__} in {FILE}); "
            "make it again: rnn-bench compare LEFT RIGHT --out FOLDER"
        ) from error
    return left, right
