"""Printing for people: short lines and tables that fit a terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

MOST_ROWS = 40


def say(line: str) -> None:
    """One line on standard output."""
    _console().print(line, markup=False, highlight=False, soft_wrap=True)


def print_rows(rows: Sequence[Mapping[Any, Any]], title: str | None = None) -> None:
    """A table of dictionaries with the same keys."""
    if not rows:
        return
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in rows[0]:
        numeric = all(isinstance(row[name], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left")
    for row in rows[:MOST_ROWS]:
        table.add_row(*(_text(value) for value in row.values()))
    console = _console()
    console.print(table)
    if len(rows) > MOST_ROWS:
        console.print(f"... and {len(rows) - MOST_ROWS} more rows", highlight=False)
    console.print()


def show_tables(folder: Path) -> None:
    """The derived tables of a result folder, in the columns that matter most."""
    from bench.terminal import terminal_tables

    for title, frame in terminal_tables(folder):
        print_rows(frame.to_dict("records"), title)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return str(value)


def _console() -> Console:
    console = Console(highlight=False)
    # Not a terminal: there is no width to fit, and a cut table in a log is worth nothing.
    return console if console.is_terminal else Console(highlight=False, width=200)
