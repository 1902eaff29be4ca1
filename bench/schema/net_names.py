"""What a net is called: its cell, and what tells it from others or is unusual about it."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from collections.abc import Sequence

import pandas as pd

_USUAL = {"layers": 1, "input_deviation": float("nan")}
"""What need not be told of a net."""


def varying_columns(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Those of the columns that hold more than one value, or one that is unusual."""
    values = {name: frame[name].unique() for name in columns}
    return [
        name for name in columns if len(values[name]) > 1 or any(_is_unusual(name, v) for v in values[name])
    ]


def unusual_columns(table: pd.DataFrame) -> dict[str, str]:
    """Those columns of a derived table that it has only where they tell something, each with a name of few characters."""
    return {
        name: short
        for name, short in {"layers": "layers", "input_deviation": "W_in"}.items()
        if name in table
    }


def cell_name(row: object) -> str:
    """The cell, and what is unusual about it, such as "gru, layers 2"."""
    more = pd.Series(
        {name: getattr(row, name) for name in _USUAL if _is_unusual(name, getattr(row, name, None))}
    )
    return ", ".join(part for part in (row.cell, setting_label(more, list(more.index))) if part)


def _is_unusual(name: str, value: object) -> bool:
    return name in _USUAL and bool(pd.notna(value)) and value != _USUAL[name]


def setting_label(row: pd.Series, columns: Sequence[str]) -> str:
    """The values of a row, each with its name unless it is a text."""
    values = [(name, row[name]) for name in columns if pd.notna(row[name])]
    return ", ".join(
        str(v) if isinstance(v, str) else f"{name.replace('_', ' ')} {v:g}" for name, v in values
    )
