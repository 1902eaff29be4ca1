"""A comparison of result folders with a reference, kept as a folder of tables and pictures."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import pandas as pd

from bench.comparing.two_folders import compared
from bench.errors import UsageError
from bench.plots import comparison as picture
from bench.plots.style import STYLE, save
from bench.statistics.time_ratio import FACTOR
from bench.store import make_folder, read_machine, write_csv, write_text
from bench.tables import markdown

FILE = "comparison.json"


Joined = Mapping[str, pd.DataFrame]
"""What `compared` gives of two folders."""
Pair = tuple[Path, Path, Joined]
"""The reference, another folder, and what `compared` gives of the two."""


def keep(
    folders: Sequence[Path], out: Path, factor: float = FACTOR, joined: Sequence[Joined] | None = None
) -> list[Path]:
    """Writes what `compared` gives of each folder with the first, and of which they are, so that `derive` can make it again.

    Args:
        folders: two or more result folders, the reference first.
        out: where to.
        factor: up to which times count as the same.
        joined: what `compared` gave of each other folder with the first, in order; it is asked if None.

    Returns:
        the files written.

    Raises:
        UsageError: as `compared`, or `out` is a file or holds results.
    """
    require_own_folder(out)
    reference, *others = folders
    if joined is None:  # first of all: what cannot be compared leaves no folder
        joined = [compared(reference, other, factor) for other in others]
    named = [Path(os.path.relpath(path, out)).as_posix() for path in folders]
    make_folder(out)
    write_text(out / FILE, json.dumps({"folders": named, "factor": factor}) + "\n")
    made = [(reference, other, each) for other, each in zip(others, joined, strict=True)]
    return [out / FILE, *_written(out, made, pictures=True)]


def require_own_folder(out: Path) -> None:
    """Raises UsageError where a comparison cannot be kept in this folder."""
    if out.is_file() or (out / "machine.json").is_file():
        raise UsageError(f"--out {out} is a file or holds results; choose a folder of its own")
    there = next(each for each in (out, *out.parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UsageError(f"--out {out} cannot be made: {there} takes no files; choose another --out")


def derive(folder: Path, pictures: bool = True) -> list[Path]:
    """Writes the tables and, unless `pictures` is False, the pictures of a kept comparison from the CSV files of
    its folders.

    Raises:
        UsageError: `folder` keeps no comparison, or one of its folders is no longer there.
    """
    return _written(folder, list(pairs(folder)), pictures)


def _written(folder: Path, made: Sequence[Pair], pictures: bool) -> list[Path]:
    written = []
    for name, table in _stacked(made):
        written += [folder / f"{name}.csv", folder / f"{name}.md"]
        write_csv(folder / f"{name}.csv", table)
        write_text(folder / f"{name}.md", markdown(table))
    for number, (left, right, joined) in enumerate(made if pictures else (), start=1):
        if "times" in joined:
            one_dtype = len(joined["times"]["dtype"].unique()) == 1  # of several the lines say which they are
            names = [_called(side, one_dtype) for side in (left, right)]
            with mpl.rc_context(STYLE):
                file = "times" if number == 1 else f"times_{number}"
                written += save(picture.times(joined["times"], *names), folder / file)
    return written


def tables(folder: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """The tables of a kept comparison, by name; their first column says which folder stands on the right."""
    yield from _stacked(list(pairs(folder)))


def _stacked(made: Sequence[Pair]) -> Iterator[tuple[str, pd.DataFrame]]:
    parts: dict[str, list[pd.DataFrame]] = {}
    for label, (_, _, joined) in zip(_labels([right for _, right, _ in made]), made, strict=True):
        for name, table in joined.items():
            labelled = table.copy()
            labelled.insert(0, "right", label)
            parts.setdefault(name, []).append(labelled)
    for name, of_name in parts.items():
        yield name, pd.concat(of_name, ignore_index=True)


def pairs(folder: Path) -> Iterator[Pair]:
    """The reference, each other folder, and what `compared` gives of the two."""
    (reference, *others), factor = _content(folder)
    for other in others:
        yield reference, other, compared(reference, other, factor)


def is_comparison(folder: Path) -> bool:
    """Whether a folder keeps a comparison."""
    return (folder / FILE).is_file()


def folders_below(root: Path) -> list[Path]:
    """Every folder below `root` that keeps one, in alphabetical order."""
    return sorted(path.parent for path in root.glob(f"**/{FILE}"))


def sides(folder: Path) -> list[Path]:
    """The result folders of a kept comparison, the reference first.

    Raises:
        UsageError: `folder` keeps none, or its file is damaged.
    """
    return _content(folder)[0]


def _content(folder: Path) -> tuple[list[Path], float]:
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        named = content["folders"] if "folders" in content else [content["left"], content["right"]]
        found = [Path(os.path.normpath(folder / name)) for name in named]
        if len(found) < 2:
            raise ValueError("fewer than two folders")
        return found, float(content.get("factor", FACTOR))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{folder} keeps no comparison ({type(error).__name__} in {FILE}); "
            "make it again: rnn-bench compare REFERENCE OTHER --out FOLDER"
        ) from error


def _labels(folders: Sequence[Path]) -> list[str]:
    """Machine and name of each folder: where it lies could name a person. Numbered where two are alike."""
    plain = [f"{_called(folder, with_dtype=False)}/{folder.name}" for folder in folders]
    return [
        each if plain.count(each) == 1 else f"{each} ({1 + plain[:place].count(each)})"
        for place, each in enumerate(plain)
    ]


def _called(folder: Path, with_dtype: bool) -> str:
    identity = read_machine(folder)["identity"]
    names = ("machine", "dtype") if with_dtype else ("machine",)
    return ", ".join(str(identity.get(name, "?")) for name in names)
