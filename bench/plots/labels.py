"""The words of pictures: what a line, a panel and an axis are called."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Sequence

import pandas as pd

NORM = "log10 of the spectral norm of dh_T/dh_t"


def varying_columns(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Those of the columns that hold more than one value."""
    return [name for name in columns if len(frame[name].unique()) > 1]


def told(row: pd.Series, columns: Sequence[str]) -> str:
    """The values of a row, each with its name unless it is a text."""
    values = [(name, row[name]) for name in columns if pd.notna(row[name])]
    return ", ".join(
        str(v) if isinstance(v, str) else f"{name.replace('_', ' ')} {v:g}" for name, v in values
    )


def line_name(row: object, varying: Sequence[str] = ()) -> str:
    """Cell and remedy, and what else tells the line from the others of that cell and remedy."""
    remedy = row.remedy if row.remedy == "none" else f"{row.remedy} {row.remedy_strength:g}"
    more = told(pd.Series({name: getattr(row, name) for name in varying}), varying)
    return ", ".join(part for part in (row.cell, remedy, more) if part)


def setting_name(row: object) -> str:
    """Cell, remedy, gain and optimiser of a training case."""
    return f"{line_name(row)}\ngain {row.gain:g}, {row.optimizer} {row.learning_rate:g}"


def verdict_counts(verdicts: pd.Series) -> str:
    """How many seeds got each verdict."""
    return ", ".join(f"{count} {name}" for name, count in verdicts.value_counts().sort_index().items())


def metric_label(metric: str) -> str:
    """A task's metric in words."""
    return {
        "within_0.04_of_sum": "fraction within 0.04 of the sum",
        "within_0.04_of_product": "fraction within 0.04 of the product",
        "recall_accuracy": "fraction of symbols recalled",
        "exact_match": "fraction translated without an error",
        "skill_over_seasonal_naive": "skill over seasonal-naive (0 if worse)",
    }.get(metric, metric)
