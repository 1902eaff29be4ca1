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
_WHOLE = 20
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
    """A table of dictionaries with the same keys.

    Where its columns do not fit the terminal, those that are alike in all rows stand in a line above; where that is
    not enough, it is a list.

    Args:
        rows: the dictionaries.
        title: stands above them.
        most: how many are shown; all if None.
    """
    if not rows:
        return
    console = console_of()
    shown = rows[:most]
    texts = {name: [text_of(row[name]) for row in shown] for name in rows[0]}
    for line in wrapped(title, console.width) if title else []:
        console.print(line, style="bold", markup=False, soft_wrap=True)
    widths = _widths(texts, console.width)
    if widths is None and len(rows) > 1:
        alike = [name for name in texts if len({text_of(row[name]) for row in rows}) == 1]
        fewer = {name: column for name, column in texts.items() if name not in alike}
        widths = _widths(fewer, console.width)
        if widths is not None:
            _print_pairs(console, {name: texts[name][0] for name in alike}, "in all rows: ")
            texts = fewer
    if widths is None:
        for row in zip(*texts.values(), strict=True):
            _print_pairs(console, dict(zip(texts, row, strict=True)))
    else:
        table = Table(box=None, pad_edge=False, header_style="bold" if title is None else "")
        for name, width in widths.items():
            numeric = all(isinstance(row[name], int | float) for row in rows)
            table.add_column(str(name), justify="right" if numeric else "left", width=width)
        for row in zip(*texts.values(), strict=True):
            table.add_row(*map(Text, row))
        console.print(table)
    if len(rows) > len(shown):
        more = len(rows) - len(shown)
        console.print(f"... and {more} more row{'' if more == 1 else 's'}", highlight=False)
    console.print()


def _widths(texts: Mapping[Any, Sequence[str]], width: int) -> dict[Any, int] | None:
    """How wide each column is, so that all fit and no word is broken; None where that cannot be."""
    columns = {name: [str(name), *column] for name, column in texts.items()}
    least = {
        name: max(len(word) for text in column for word in _words(text)) for name, column in columns.items()
    }
    chosen = {name: max(map(len, column)) for name, column in columns.items()}
    spare = width - _GAP * (len(columns) - 1)
    if not columns or sum(least.values()) > spare:
        return None
    while sum(chosen.values()) > spare:  # the widest of those that can give way gives way
        widest = max(chosen, key=lambda name: (chosen[name] > least[name], chosen[name]))
        chosen[widest] -= 1
    return chosen


def _words(text: str) -> list[str]:
    """What of a text stays in one line: words, and a short value whole, such as an interval."""
    return [text] if text[:1].isdigit() and len(text) <= _WHOLE else [*text.split(), ""]


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


def _print_pairs(console: Console, row: Mapping[Any, str], before: str = "") -> None:
    """A row as `name value` pairs, those without a value left out."""
    pairs = "; ".join(f"{name} {text}" for name, text in row.items() if text)
    for line in wrapped(before + pairs, console.width) if pairs else []:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
