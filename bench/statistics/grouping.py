"""One row a group of rows: how derived tables summarise runs and samples."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportCallIssue=false

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from bench.schema import COMMON

NET = ["cell", "layers", "initialization", "gain", "forget_bias", "dt", "input_deviation", "hidden_size"]
"""What tells one cell from another."""

OPTIONS = [name for name in NET if name not in ("cell", "gain")]
"""What may tell cells of one name and gain apart."""


def median_is_bound(censored: Any, count: Any) -> Any:
    """Whether a median of so many values, of which some are only known to be larger, is a lower bound itself.

    Of an even number of values it is the mean of two: one of these is enough.
    """
    return censored * 2 >= count


def without_usual_columns(table: pd.DataFrame) -> pd.DataFrame:
    """A table without those common columns that came later and that none of its rows has, nor layers where all have one."""
    news = [column.name for column in COMMON if column.later and column.name in table]
    told_by_none = [name for name in news if table[name].isna().all()]
    if "layers" in table and (table["layers"].isna() | (table["layers"] == 1)).all():
        told_by_none.append("layers")
    return table.drop(columns=told_by_none)


def grouped(
    frame: pd.DataFrame,
    keys: Sequence[str],
    summary: Callable[[pd.DataFrame], Mapping[str, Any] | pd.Series],
) -> pd.DataFrame:
    """The keys of each group, in ascending order, and beside them what `summary` says of its rows.

    An empty key is a group of its own. Where there are no rows the table has the keys as its columns.
    """
    rows = [
        dict(zip(keys, values, strict=True)) | dict(summary(group))
        for values, group in frame.groupby(list(keys), dropna=False, sort=True)
    ]
    return pd.DataFrame(rows).infer_objects() if rows else pd.DataFrame(columns=list(keys))
