"""How far chains are from `jacrev` of the unrolled net."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import pandas as pd

from bench.statistics import grouping
from bench.statistics.grouping import grouped


def exactness_summary(exactness: pd.DataFrame) -> pd.DataFrame:
    """Largest relative distance of the chain from jacrev of the unrolled net, by cell and lag."""
    keys = [*grouping.NET, "dtype", "lag"]

    def summary(group: pd.DataFrame) -> pd.Series:
        return pd.Series(
            {
                "seeds": len(group),
                "largest_relative_error": group["relative_error"].fillna(float("inf")).max(),
            }
        )

    return grouped(exactness, keys, summary)
