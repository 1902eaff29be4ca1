"""A comparison in rows that fit eighty characters."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from bench.schema.net_names import unusual_columns

Titled = tuple[str, list[dict[Any, Any]]]
FAR = 3.0
"""Differences of more than so many standard errors are counted."""
_SIZES = {
    "cell": "cell",
    "dtype": "dtype",
    "state_size": "n",
    "sequence_length": "T",
    "batch_size": "batch",
    "seed_count": "nets",
}


def titled_rows(joined: Mapping[str, pd.DataFrame]) -> Iterator[Titled]:
    """Each table that is to be printed, with its title."""
    if "times" in joined:
        yield from _times(joined["times"])
        yield "Geometric mean of our ratios (95% interval)", _means(joined["means"])
    if "crossovers" in joined:
        yield from _crossovers(joined["crossovers"])
    if "ceilings" in joined:
        yield "What the devices can do at best", _ceilings(joined["ceilings"])
    if "precision" in joined:
        rows = _precision(joined["precision"])
        if rows:
            yield "How far a chain is from float64 on the CPU at the longest lag, log norm in nats", rows
    if "rates" in joined:
        rates = joined["rates"]
        yield f"Rate in nats a step, right minus left; {_far(rates)}", _rates(rates)
    if "exponents" in joined:
        exponents = joined["exponents"]
        summary = exponents.groupby(
            ["cell", *unusual_columns(exponents), "gain", "state_size", "input_scale"],
            as_index=False,
            dropna=False,
        ).agg(
            pairs=("difference", "size"),
            by_at_most=("difference", _largest),
            rms_in_stderr=("difference_in_stderr", lambda each: (each**2).mean() ** 0.5),
        )
        short = summary.rename(
            columns={"state_size": "n", "input_scale": "noise"} | unusual_columns(exponents)
        )
        yield (
            f"Lyapunov exponents in nats a step, right minus left; {_far(exponents)}",
            short.to_dict("records"),
        )
    if "verdicts" in joined:
        verdicts = joined["verdicts"]
        differing = verdicts[~verdicts["same_verdict"]]
        columns = {"task": "task", "task_length": "T", "cell": "cell"} | unusual_columns(verdicts)
        columns |= {"gain": "gain", "remedy": "remedy",
                "seed": "seed", "verdict_left": "left", "verdict_right": "right"}  # fmt: skip
        yield "Verdicts that differ", differing[list(columns)].rename(columns=columns).to_dict("records")


def _times(times: pd.DataFrame) -> Iterator[Titled]:
    for (operation, implementation), group in times.groupby(["operation", "implementation"], sort=True):
        varying = {name: short for name, short in _SIZES.items() if len(group[name].unique()) > 1}
        alike = ", ".join(
            f"{short}={group[name].iloc[0]}" for name, short in _SIZES.items() if name not in varying
        )
        rows = [
            {short: row[name] for name, short in varying.items()}
            | {
                "left s": f"{row['run_s_left']:.2e}",
                "ratio": f"{row['ratio']:.3g}",
                "interval": _interval(row),
                "verdict": row["verdict"],
            }
            for row in group.to_dict("records")
        ]
        yield f"Time, right over left: {operation}, {implementation}\n{alike}", rows


def _rates(rates: pd.DataFrame) -> list[dict[Any, Any]]:
    keys = (
        {"cell": "cell"}
        | unusual_columns(rates)
        | {"gain": "gain", "input_kind": "input", "weights": "weights"}
    )
    return [
        dict(zip(keys.values(), setting, strict=True))
        | {
            "by at most": f"{_largest(group['difference']):.1e}".replace("nan", ""),
            "stderr": _largest(group["difference_in_stderr"]),
            "regimes": f"{int(group['same_regime'].sum())}/{len(group)}",
        }
        for setting, group in rates.groupby(list(keys), sort=True, dropna=False)
    ]


def _ceilings(ceilings: pd.DataFrame) -> list[dict[Any, Any]]:
    return [
        {"ceiling": row["ceiling"], "dtype": row["dtype"], "precision": row["matmul_precision"]}
        | {side: f"{row[f'value_{side}']:.3g}" for side in ("left", "right")}
        | {"unit": row["unit"].split(",")[0], "ratio": f"{row['ratio']:.3g}"}
        for row in ceilings.to_dict("records")
    ]


def _precision(precision: pd.DataFrame) -> list[dict[Any, Any]]:
    named = {"cell": "cell"} | unusual_columns(precision)
    named |= {"gain": "gain", "state_size": "n", "lag": "lag", "dtype": "dtype", "matmul_precision": "precision",
              "states": "states"}  # fmt: skip
    rows = precision[precision[["log_norm_error_nats_left", "log_norm_error_nats_right"]].notna().any(axis=1)]
    return [
        {short: row[name] for name, short in named.items()}
        | {side: f"{row[f'log_norm_error_nats_{side}']:.1e}".replace("nan", "") for side in ("left", "right")}
        for row in rows.to_dict("records")
    ]


def _means(means: pd.DataFrame) -> list[dict[Any, Any]]:
    return [
        {"operation": row["operation"], "ratio": f"{row['ratio']:.3g}", "interval": _interval(row)}
        | {name: row[name] for name in ("faster", "slower", "same")}
        | {"too few": row["too few samples"]}
        for row in means.to_dict("records")
    ]


def _crossovers(crossings: pd.DataFrame) -> Iterator[Titled]:
    own = crossings[crossings["implementation"] == "rnn_jax"]
    for (operation, varied), group in own.groupby(["operation", "varied"], sort=True):
        short = _SIZES[varied]
        rows = [
            {
                "cell": row["cell"],
                "dtype": row["dtype"],
                "at": ", ".join(
                    _SIZES[part.split("=")[0]] + "=" + part.split("=")[1] for part in _telling_sizes(row)
                ),
                "faster": row["faster"],
                f"from {short}": "throughout" if row["throughout"] else f"{row['from_size']:.4g}",
                "ratios": f"{row['ratio_at_smallest']:.3g} to {row['ratio_at_largest']:.3g}",
            }
            for row in group.to_dict("records")
        ]
        judged, sizes = int(group["judged"].sum()), int(group["sizes"].sum())
        by_medians = (
            "" if judged == sizes else f"\n{judged} of {sizes} ratios judged, the others by medians alone"
        )
        yield f"{operation}: who is faster at the largest {short}, and from which on{by_medians}", rows


def _telling_sizes(row: Mapping[Any, Any]) -> list[str]:
    """The sizes that stay, without those that are one."""
    return [part for part in row["fixed"].split(", ") if not part.endswith("=1")]


def _interval(row: Mapping[Any, Any]) -> str:
    low, high = row["ratio_low"], row["ratio_high"]
    return "" if low != low else f"{low:.3g} to {high:.3g}"


def _largest(values: pd.Series) -> float:
    return float(f"{values.abs().max():.2g}")


def _far(table: pd.DataFrame) -> str:
    known = table["difference_in_stderr"].dropna().abs()
    return f"{int((known > FAR).sum())} of {len(known)} over {FAR:g} stderr"
