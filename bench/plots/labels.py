"""The words of pictures: what a line, a panel and an axis are called."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Sequence

import pandas as pd

from bench.schema.net_names import cell_name, setting_label

NORM = "log10 of the spectral norm of dh_T/dh_t"


def line_name(row: object, varying: Sequence[str] = (), named: str | None = None) -> str:
    """Cell, or what it is `named`, and remedy, and what else tells the line from the others of that cell and remedy."""
    remedy = row.remedy if row.remedy == "none" else f"{row.remedy} {row.remedy_strength:g}"
    more = setting_label(pd.Series({name: getattr(row, name) for name in varying}), varying)
    return ", ".join(part for part in (named or row.cell, remedy, more) if part)


def setting_name(row: object) -> str:
    """Cell, remedy, gain and optimiser of a training case."""
    return f"{line_name(row, named=cell_name(row))}\ngain {row.gain:g}, {row.optimizer} {row.learning_rate:g}"


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
