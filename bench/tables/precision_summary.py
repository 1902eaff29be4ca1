"""How far chains in other arithmetics are from float64 on the CPU."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import pandas as pd

from bench.statistics.grouping import grouped
from bench.tables.decay_summary import NET


def precision_summary(precision: pd.DataFrame) -> pd.DataFrame:
    """Largest deviation of a chain from float64 on the CPU, by arithmetic and lag."""
    keys = [*NET, "matmul_precision", "states", "method", "lag"]

    def summary(group: pd.DataFrame) -> pd.Series:
        return pd.Series(
            {
                "seeds": len(group),
                "log_norm_error_nats": group["log_norm_error_nats"].abs().max(),
                "relative_product_error": group["relative_product_error"].max(),
                "changes_result": bool(group["changes_result"].any()),
            }
        )

    return grouped(precision, keys, summary)
