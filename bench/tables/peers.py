"""Ours beside each rival: who agrees, and how many times as long the others take."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import pandas as pd

OURS = "rnn_jax"
SETTING = [
    "operation", "cell", "initialization", "gain", "input_scale", "batch_size", "sequence_length", "hidden_size",
    "dtype",
]  # fmt: skip


def peers(agreement: pd.DataFrame, timings: pd.DataFrame | None) -> pd.DataFrame:
    """A row for each setting and implementation, ours first.

    Args:
        agreement: agreement.csv.
        timings: timings.csv, or None where nothing was timed.

    Returns:
        `rounds` of all `processes` together; `median_s`, and ours in `rnn_jax_s`; `ratio` of its time over ours in the same round, the median and the quartiles, over 1
        where ours is faster; `deviation` of the quantity that is worst in units of its tolerance; and
        `verdict`: "agrees", "wrong by ...", or why there is none. What does not agree has no time.
    """
    rows = []
    for (*setting, case_id, implementation), group in agreement.groupby(
        [*SETTING, "case_id", "implementation"], dropna=False
    ):
        worst, verdict = _verdict(group)
        residual = group[group["quantity"] == "logdet_residual"]["deviation"]
        times = _times(timings, case_id, implementation) if verdict_is_timed(verdict) else None
        rows.append(
            dict(zip(SETTING, setting, strict=True))
            | {
                "implementation": implementation,
                "implementation_version": group["implementation_version"].iloc[0],
                "method": group["method"].iloc[0],
            }
            | _ratios(times, _times(timings, case_id, OURS))
            | {
                "quantity": worst["quantity"],
                "deviation": worst["deviation"],
                "tolerance": worst["tolerance"],
                "logdet_residual": residual.iloc[0] if len(residual) else float("nan"),
                "verdict": verdict,
            }
        )
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    table["_others"] = table["implementation"] != OURS
    return (
        table.sort_values([*SETTING, "_others", "implementation"], kind="stable", na_position="first")
        .drop(columns="_others")
        .reset_index(drop=True)
    )


def verdict_is_timed(verdict: str) -> bool:
    """False for what is wrong, broken or was not run: its time would mean nothing."""
    return verdict in ("agrees", "lower limit")


def _verdict(group: pd.DataFrame) -> tuple[pd.Series, str]:
    """The worst of an implementation's quantities, and what it says of all."""
    share = (group["deviation"] / group["tolerance"]).fillna(float("-inf"))
    worst = group.loc[share.idxmax()]
    compared = group[group["quantity"] != ""]
    if compared.empty:
        return worst, str(worst["note"])
    if compared["agrees"].fillna(False).all():
        return worst, "agrees"
    parts = [f"wrong by {worst['deviation']:.3g} in {worst['quantity']}"]
    if isinstance(worst["note"], str) and worst["note"]:
        parts.append(worst["note"])
    return worst, ", ".join(parts)


def _times(timings: pd.DataFrame | None, case_id: str, implementation: str) -> pd.Series | None:
    """Seconds a call, by process and round."""
    if timings is None:
        return None
    own = timings[(timings["case_id"] == case_id) & (timings["implementation"] == implementation)]
    return None if own.empty else own.set_index(["process", "round"])["run_s"]


def _ratios(times: pd.Series | None, ours: pd.Series | None) -> dict[str, object]:
    missing = float("nan")
    if times is None:
        names = ("median_s", "rnn_jax_s", "ratio", "ratio_lower_quartile", "ratio_upper_quartile")
        return {"rounds": 0, "processes": 0} | dict.fromkeys(names, missing)
    ratio = times / ours if ours is not None else times * missing
    return {
        "rounds": len(times),
        "processes": times.index.get_level_values("process").nunique(),
        "median_s": times.median(),
        "rnn_jax_s": ours.median() if ours is not None else missing,
        "ratio": ratio.median(),
        "ratio_lower_quartile": ratio.quantile(0.25),
        "ratio_upper_quartile": ratio.quantile(0.75),
    }
