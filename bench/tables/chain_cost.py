"""What a chain costs beside the bare product loop, and how that grows with T and n."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
import pandas as pd

from bench.statistics import grouping
from bench.statistics.grouping import grouped

LEAST_LENGTH, LEAST_SIZE = 10_000, 128
"""Below them what a call costs, or what a product costs beside its arithmetic, hides the law."""


def chain_cost(timings: pd.DataFrame) -> pd.DataFrame:
    """Time of a chain over the time of the bare product loop, by pairs of the same round."""
    sizes = ["input_size", "hidden_size", "state_size", "sequence_length", "lag_count"]
    keys = [*(name for name in grouping.NET if name not in sizes), *sizes, "method", "dtype"]
    chains = timings[timings["operation"] == "jacobian_chain"]
    of = dict(list(chains.groupby("implementation")))
    if not {"rnn_jax", "bare_products"} <= of.keys():
        return pd.DataFrame(columns=keys)
    wide = of["rnn_jax"]
    none = of["bare_products"].iloc[:0]
    for name, suffix in (("bare_products", "_bare"), ("own_products", "_own")):
        times = of.get(name, none)[["case_id", "process", "round", "run_s"]]
        wide = wide.merge(times, on=["case_id", "process", "round"], how="left", suffixes=("", suffix))
    # A Jacobian that is dense throughout has no product of its own but the bare one.
    wide["run_s_own"] = wide["run_s_own"].fillna(wide["run_s_bare"])
    wide["ratio"] = wide["run_s"] / wide["run_s_bare"]
    wide["ratio_own"] = wide["run_s"] / wide["run_s_own"]

    def summary(group: pd.DataFrame) -> pd.Series:
        return pd.Series(
            {
                "rounds": len(group),
                "processes": group["process"].nunique(),
                "chain_s": group["run_s"].median(),
                "bare_products_s": group["run_s_bare"].median(),
                "ratio": group["ratio"].median(),
                "ratio_least": group["ratio"].min(),
                "ratio_most": group["ratio"].max(),
                "ratio_to_own_products": group["ratio_own"].median(),
                "peak_megabytes": group["peak_bytes"].max() / 1e6,
            }
        )

    return grouped(wide, keys, summary)


def chain_scaling(timings: pd.DataFrame) -> pd.DataFrame:
    """How the time of a chain grows with T and with n: exponents of a power law, least squares of logs."""
    columns = ["cell", "varied", "fixed", "from", "to", "points", "chain_exponent", "bare_products_exponent"]
    cost = chain_cost(timings)
    if cost.empty:
        return pd.DataFrame(columns=columns)
    rows = []
    for varied, fixed, least in (
        ("sequence_length", "state_size", LEAST_LENGTH),
        ("state_size", "sequence_length", LEAST_SIZE),
    ):
        large = cost[(cost[varied] >= least) & (cost["lag_count"] < cost["sequence_length"])]
        for (cell, value, dtype), group in large.groupby(["cell", fixed, "dtype"]):
            if group[varied].nunique() < 2:
                continue
            logs = np.log(group[varied].astype(float))
            chain, bare = (
                np.polyfit(logs, np.log(group[name]), 1)[0] for name in ("chain_s", "bare_products_s")
            )
            settings = f"{fixed}={value}, {dtype}"
            ends = group[varied].min(), group[varied].max()
            rows.append([cell, varied, settings, *ends, len(group), chain, bare])
    return pd.DataFrame(rows, columns=columns)
