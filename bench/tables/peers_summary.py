"""Each rival in a line: how often it agrees, and how many times as long as ours it takes."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import pandas as pd

from bench.tables.peers import OURS, peers

_RIVAL = ["operation", "cell", "implementation", "implementation_version"]


def peers_summary(agreement: pd.DataFrame, timings: pd.DataFrame | None) -> pd.DataFrame:
    """A row for each operation, cell and rival, over all settings in which it was run.

    Args:
        agreement: agreement.csv.
        timings: timings.csv, or None where nothing was timed.

    Returns:
        in how many `settings` it was run, in how many of these it `agrees`, is `wrong` or `failed`; and where it
        agrees the smallest and the largest ratio of its time over ours, over 1 where ours is faster.
    """
    table = peers(agreement, timings)
    if table.empty:
        return table
    became = {word: table["verdict"].str.startswith(word) for word in ("agrees", "wrong", "failed")}
    was_run = became["agrees"] | became["wrong"] | became["failed"]
    table = table.assign(**became)[was_run & (table["implementation"] != OURS)]
    return (
        table.groupby(_RIVAL, sort=True, dropna=False)
        .agg(
            settings=("verdict", "size"),
            agrees=("agrees", "sum"),
            wrong=("wrong", "sum"),
            failed=("failed", "sum"),
            smallest_ratio=("ratio", "min"),
            largest_ratio=("ratio", "max"),
        )
        .reset_index()
    )
