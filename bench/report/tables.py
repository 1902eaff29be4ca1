"""Tables of results as HTML."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
import pandas as pd

from bench.report.content import Table
from bench.report.escaping import text
from bench.report.verdicts import html_verdict

_ROWS_BEFORE_SCROLLING = 15
_LONG_NAME, _LONG_TEXT = 18, 40
"""Letters from which a column has room to break its name or its texts into lines."""


def html_table(table: Table, name: str) -> str:
    """A table in a box of its own that scrolls, folded away unless it is to be open.

    Args:
        name: a word, unique in the page.
    """
    frame, constant = without_constants(table.frame)
    shared = "".join(f"; {text(_words(column))}: {text(_cell(value))}" for column, value in constant.items())
    rows = f"{len(frame)} row{'' if len(frame) == 1 else 's'}"
    note = f'<span class="note">{rows}{shared}</span>'
    numeric = {column: pd.api.types.is_numeric_dtype(frame[column]) for column in frame.columns}
    head = "".join(_head(column, numeric[column]) for column in frame.columns)
    body = "".join(
        "<tr>" + "".join(_td(value, column, numeric[column], first=place == 0)
                         for place, (column, value) in enumerate(zip(frame.columns, row, strict=True))) + "</tr>"
        for row in frame.itertuples(index=False)
    )  # fmt: skip
    tall = " tall" if len(frame) > _ROWS_BEFORE_SCROLLING else ""
    box = (
        f'<div class="scroll{tall}" role="region" aria-labelledby="{name}-caption" tabindex="0">'
        f'<table><caption id="{name}-caption"><span>{text(table.caption)}</span> {note}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    if table.is_open:
        return f'<div class="table">{box}</div>'
    return f'<details class="table"><summary>{text(table.caption)} ({rows})</summary>{box}</details>'


def without_constants(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, object]]:
    """The columns that tell rows apart, and the one value of each of the others; empty ones are left out."""
    if len(frame) < 2:
        return frame.dropna(axis="columns", how="all"), {}
    alike = [column for column in frame.columns if len(frame[column].unique()) == 1]
    if len(alike) == len(frame.columns):
        return frame, {}
    constant = {column: frame[column].iloc[0] for column in alike}
    constants = {column: value for column, value in constant.items() if _cell(value) != ""}
    return frame.drop(columns=alike), constants


def _head(column: object, numeric: bool) -> str:
    words = _words(column)
    kinds = [kind for kind, is_so in (("number", numeric), ("long", len(words) >= _LONG_NAME)) if is_so]
    return f'<th scope="col" class="{" ".join(kinds)}">{text(words)}</th>'


def _td(value: object, column: object, numeric: bool, *, first: bool) -> str:
    written = text(_cell(value))
    if "verdict" in str(column):
        written = html_verdict(_cell(value))
    elif isinstance(value, str) and value.startswith("rnn-bench "):
        written = f"<code>{written}</code>"
    if first:
        return f'<th scope="row"{_kind(numeric)}>{written}</th>'
    return f"<td{_kind(numeric, value)}>{written}</td>"


def _kind(numeric: bool, value: object = None) -> str:
    """The class of a cell: numbers stand to the right, long texts wrap."""
    if numeric:
        return ' class="number"'
    return ' class="long"' if isinstance(value, str) and len(value) >= _LONG_TEXT else ""


def _words(column: object) -> str:
    return str(column).replace("_", " ")


def _cell(value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
