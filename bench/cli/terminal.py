"""The derived tables in few columns, for a terminal."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from bench.schema.net_names import unusual_columns
from bench.statistics.grouping import median_is_bound
from bench.store import Store
from bench.tables import tables
from bench.tables.gpu_targets import NOT_MEASURED
from bench.tables.peers import OURS
from bench.tables.trained_runs import VERDICTS


def terminal_tables(folder: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """The tables of a folder in the columns that fit eighty characters."""
    short = {
        "decay_summary": (
            "How far the gradient reaches (white-noise input, median over seeds; stable: within 1e-3 to 1e3 at the longest lag)",
            {"cell": "cell", "gain": "gain", "rate_nats_per_step": "rate/step", "reach_steps": "reach",
             "explosion_lag_steps": "explodes at", "regime": "regime"},
        ),
        "accuracy_summary": (
            "Long-range tasks (median over seeds; baseline: no better than without memory)",
            {"task": "task", "task_length": "T", "cell": "cell", "gain": "gain", "remedy": "remedy",
             "verdicts": "verdict", "accuracy": "accuracy", "first_nonfinite_step": "NaN at"},
        ),
        "effective_length": (
            "Longest length learnt by most seeds, and all shorter ones too",
            {"task": "task", "cell": "cell", "remedy": "remedy", "majority": "most", "solved_length": "solved",
             "better_length": "better", "lengths": "trained"},
        ),
        "explosion_remedies": (
            "A net that explodes, with each remedy (a number a seed)",
            {"cell": "cell", "gain": "gain", "task_length": "T", "remedy": "remedy", "saved": "saved",
             "learnt": "learnt", "first_nonfinite_steps": "NaN at"},
        ),
        "reach_answers": (
            "Does reach predict success?",
            {"question": "question", "answer": "answer"},
        ),
        "timing_summary": (
            "Times (median, and between what it lies: 95%)",
            {"operation": "operation", "implementation": "whose", "cell": "cell", "state_size": "n",
             "sequence_length": "T", "median_s": "median s", "between": "between", "basis": "of"},
        ),
        "chain_cost": (
            "Cost of a chain beside the bare loop of matrix products",
            {"cell": "cell", "state_size": "n", "sequence_length": "T", "method": "method", "dtype": "dtype",
             "chain_s": "chain s", "bare_products_s": "bare s", "ratio": "ratio"},
        ),
        "theory": (
            "Lyapunov exponents, measured beside theory (mean over seeds)",
            {"cell": "cell", "gain": "gain", "input_scale": "noise", "state_size": "n", "quantity": "quantity",
             "measured": "measured", "stderr_over_seeds": "stderr", "predicted": "predicted",
             "deviation_percent": "%"},
        ),
        "peers": (
            "Beside others, by interleaved rounds (time over ours: over 1, ours is faster)",
            {"operation": "operation", "cell": "cell", "batch_size": "batch", "sequence_length": "T",
             "hidden_size": "n", "implementation": "whose", "median_s": "its s", "rnn_jax_s": "our s",
             "ratio": "ratio", "verdict": "verdict"},
        ),
        "data_shares": (
            "Drawing a batch beside the training step that it is for (medians of rounds)",
            {"cell": "cell", "hidden_size": "n", "batch_size": "batch", "task": "task", "variant": "variant",
             "task_length": "length", "drawing_us": "drawing us", "training_step_us": "step us",
             "share_percent": "% of step", "share_upper_quartile_percent": "upper quartile"},
        ),
        "device_scaling": (
            "Over several devices (median of rounds)",
            {"operation": "operation", "state_size": "n", "sequence_length": "T", "seed_count": "nets",
             "devices": "devices", "run_s": "s", "speedup": "x one"},
        ),
        "ceilings": (
            "What this device can do at best",
            {"ceiling": "ceiling", "dtype": "dtype", "matmul_precision": "precision", "value": "value",
             "unit": "unit"},
        ),
        "roofline": (
            "Share of the ceiling min(matrix product, bandwidth x intensity)",
            {"operation": "operation", "cell": "cell", "method": "method", "state_size": "n",
             "sequence_length": "T", "batch_size": "batch", "seed_count": "nets", "dtype": "dtype",
             "time_s": "s", "gflop_per_s": "GFLOP/s", "share": "share", "bound_by": "bound by"},
        ),
        "precision_summary": (
            "A chain's deviation from float64 on the CPU at the longest lag, by arithmetics that differ there: of the log "
            "norm in nats, of the product relative",
            {"cell": "cell", "gain": "gain", "hidden_size": "n", "dtype": "dtype", "matmul_precision": "precision",
             "states": "states", "log_norm_error_nats": "nats", "relative_product_error": "relative"},
        ),
        "gpu_targets": (
            "What is to be reached on a GPU",
            {"figure": "figure", "dtype": "dtype", "target": "target", "measured": "measured",
             "verdict": "verdict"},
        ),
    }  # fmt: skip
    available = dict(tables(Store(folder)))
    if "peers" in available:
        available.pop("timing_summary", None)  # the same times beside others
    for name, (title, columns) in short.items():
        if name in available:
            table = available[name]
            if name == "decay_summary":
                table = table[table["input_kind"] == "white_noise"]
                censored = median_is_bound(table["reach_censored_seeds"], table["seeds"])
                reach = [f"{steps:.4g}" if steps == steps else "" for steps in table["reach_steps"]]
                shown = [
                    f">{steps}" if over and steps else steps
                    for steps, over in zip(reach, censored, strict=True)
                ]
                table = table.assign(reach_steps=shown, explosion_lag_steps=_explosions(table))
            if name == "timing_summary":
                pairs = zip(table["median_low_s"], table["median_high_s"], strict=True)
                table = table.assign(
                    between=[f"{low:.3g} {high:.3g}" if low == low else "" for low, high in pairs]
                )
                bases = table["basis"].unique()
                if len(bases) == 1:
                    title = f"{title[:-1]}; of {bases[0]})"
                    columns = {column: name for column, name in columns.items() if column != "basis"}
            if name == "accuracy_summary":
                table = table.assign(verdicts=[_verdicts(row) for row in table.to_dict("records")])
            if name == "peers":
                table = table[~table["verdict"].str.startswith(("not run", "lower limit"))]
                table = table[(table["implementation"] != OURS) | (table["verdict"] != "agrees")]
            if name == "gpu_targets" and (table["verdict"] == NOT_MEASURED).all():
                continue  # as on every CPU; the file has it
            if name == "precision_summary":
                table = table[(table["lag"] == table["sequence_length"]) & table["changes_result"]]
            named = {"cell": "cell"} | unusual_columns(table) | columns if "cell" in columns else columns
            named |= _telling(table, named)
            yield title, table[list(named)].rename(columns=named)


_TELLING = {
    "method": "method",
    "lag_count": "lags",
    "seed_count": "nets",
    "variant": "variant",
    "hidden_size": "units",
    "sequence_length": "T",
    "input_scale": "input",
    "initialization": "W",
    "forget_bias": "b_f",
    "optimizer": "optimizer",
    "learning_rate": "step size",
    "batch_size": "batch",
    "step_budget": "steps",
    "remedy_strength": "strength",
    "dtype": "dtype",
}
"""What may tell two rows apart that the columns shown do not, each with a name of few characters."""


def _telling(table: pd.DataFrame, shown: Mapping[str, str]) -> dict[str, str]:
    """Columns to be shown beside those, so that no two rows say the same of different nets."""
    settings = [name for name in shown if name in _SETTINGS]
    more: dict[str, str] = {}
    if not settings:
        return more
    told_apart = len(table[settings].drop_duplicates())
    for name, short in _TELLING.items():
        if name not in table or name in shown:
            continue
        with_it = len(table[[*settings, *more, name]].drop_duplicates())
        if with_it > told_apart:
            taken = short in {*shown.values(), *more.values()}
            more[name], told_apart = name.replace("_", " ") if taken else short, with_it
    return more


_SETTINGS = {
    "cell", "layers", "input_deviation", "gain", "task", "task_length", "remedy", "state_size", "sequence_length",
    "operation", "implementation", "method", "dtype", "quantity", "input_scale", "hidden_size", "batch_size", "states",
    "matmul_precision", "seed_count", "variant", "ceiling", "devices", "figure", "question",
}  # fmt: skip


def _explosions(decay: pd.DataFrame) -> list[str]:
    """At which lag nets explode, and of how many seeds that is the median where it is not of all."""
    some = decay["regime"].str.extract(r"exploding (\d+)", expand=False)
    return [
        "" if lag != lag else f"{lag:.4g}" if few != few else f"{lag:.4g} ({few} of {seeds})"
        for lag, few, seeds in zip(decay["explosion_lag_steps"], some, decay["seeds"], strict=True)
    ]


def _verdicts(row: Mapping[str, int]) -> str:
    """Those that seeds have, each with how many do; the one that all have, alone."""
    words = {name: name.removesuffix("_than_baseline").removeprefix("at_") for name in VERDICTS}
    found = {words[name]: row[name] for name in VERDICTS if row[name]}
    return (
        next(iter(found))
        if len(found) == 1
        else ", ".join(f"{word} {count}" for word, count in found.items())
    )
