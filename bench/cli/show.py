"""Printing for people: short lines and tables that fit a terminal."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

MOST_ROWS = 40
_GAP = 2
_NO_LIMIT = 1000  # of what is no terminal: a cut table in a log is worth nothing


def say(line: str, *, error: bool = False) -> None:
    """One line on standard output or standard error; a terminal's width breaks it between words."""
    console = console_of(error)
    for part in wrapped(line, console.width) if console.is_terminal else [line]:
        console.print(part, markup=False, highlight=False, soft_wrap=True)


def wrapped(line: str, width: int, indent: str = "  ") -> list[str]:
    """A line in pieces of at most `width` characters, broken between words alone: a path stays whole."""
    own = line[: len(line) - len(line.lstrip())]
    pieces = textwrap.wrap(
        line.strip(),
        width,
        initial_indent=own,
        subsequent_indent=own + indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return pieces or [""]


def print_rows(
    rows: Sequence[Mapping[Any, Any]], title: str | None = None, most: int | None = MOST_ROWS
) -> None:
    """A table of dictionaries with the same keys; a list where its columns do not fit the terminal.

    Args:
        rows: the dictionaries.
        title: stands above them.
        most: how many are shown; all if None.
    """
    if not rows:
        return
    console = console_of()
    shown = rows[:most]
    texts = [[text_of(value) for value in row.values()] for row in shown]
    columns = [[str(name), *(row[place] for row in texts)] for place, name in enumerate(rows[0])]
    widths = _widths(columns, console.width)
    for line in wrapped(title, console.width) if title else []:
        console.print(line, style="bold", markup=False, soft_wrap=True)
    if widths is None:
        _print_list(console, list(rows[0]), texts)
    else:
        table = Table(box=None, pad_edge=False, header_style="bold" if title is None else "")
        for name, width in zip(rows[0], widths, strict=True):
            numeric = all(isinstance(row[name], int | float) for row in rows)
            table.add_column(str(name), justify="right" if numeric else "left", width=width)
        for row in texts:
            table.add_row(*map(Text, row))
        console.print(table)
    if len(rows) > len(shown):
        console.print(f"... and {len(rows) - len(shown)} more rows", highlight=False)
    console.print()


def _widths(columns: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """How wide each column is, so that all fit and no word is broken; None where that cannot be."""
    least = [max(len(word) for text in column for word in [*text.split(), ""]) for column in columns]
    chosen = [max(map(len, column)) for column in columns]
    spare = width - _GAP * (len(columns) - 1)
    if sum(least) > spare:
        return None
    while sum(chosen) > spare:  # the widest of those that can give way gives way
        widest = max(range(len(chosen)), key=lambda place: (chosen[place] > least[place], chosen[place]))
        chosen[widest] -= 1
    return chosen


def show_tables(folder: Path) -> None:
    """The derived tables of a result folder, in the columns that matter most."""
    from bench.cli.terminal import terminal_tables

    for title, frame in terminal_tables(folder):
        print_rows(frame.to_dict("records"), title)


def duration(seconds: float | None) -> str:
    """A time as a person says it; empty where it is not known."""
    if seconds is None or seconds != seconds:
        return ""
    if seconds < 1:
        return "under 1 s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 120 * 60 else f"{seconds / 3600:.1f} h"


def text_of(value: Any) -> str:
    """A value in a table: four digits, nothing where there is none."""
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return str(value)


def console_of(error: bool = False) -> Console:
    """Standard output, or standard error, as wide as its terminal; without a limit where it is none."""
    console = Console(stderr=error, highlight=False)
    return console if console.is_terminal else Console(stderr=error, highlight=False, width=_NO_LIMIT)


def _print_list(console: Console, names: Sequence[Any], rows: Sequence[Sequence[str]]) -> None:
    """Each row as `name value` pairs, those without a value left out."""
    for row in rows:
        pairs = [f"{name} {text}" for name, text in zip(names, row, strict=True) if text]
        for line in wrapped("; ".join(pairs), console.width):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
