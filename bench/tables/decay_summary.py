"""Rate, reach and regime of nets as they are before training."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportCallIssue=false

import pandas as pd

from bench.statistics import grouping
from bench.statistics.grouping import grouped
from bench.tables.trained_runs import REMEDY
from rnn_jax import remedies

NET = [*grouping.NET, "input_size", "input_kind", "input_scale", "sequence_length", "dtype"]


def decay_summary(decay: pd.DataFrame, trained: pd.DataFrame | None = None) -> pd.DataFrame:
    """Initial nets: rate, reach and regime of each setting, over seeds.

    Args:
        decay: rows of decay.csv.
        trained: rows of task_accuracy.csv, which tell by case and seed of which variant of its task the inputs
            are, and which remedy was used; None where nothing was trained. A remedy that makes another net of
            a cell has rows of its own; nets that begin alike and are trained differently count once.
    """
    initial, keys = decay[decay["weights"] == "initial"], NET
    if trained is not None:
        of_case = trained[["case_id", "seed", "variant", *REMEDY]].drop_duplicates(["case_id", "seed"])
        initial = initial.merge(of_case, how="left", on=["case_id", "seed"])
        changed = initial["remedy"].map(makes_another_net, na_action="ignore").eq(True)
        initial[REMEDY] = initial[REMEDY].where(changed)
        keys = [*NET, "variant", *REMEDY]

    def summary(group: pd.DataFrame) -> pd.Series:
        return pd.Series(
            {
                "seeds": len(group),
                "rate_nats_per_step": group["rate_nats_per_step"].median(),
                "rate_least": group["rate_nats_per_step"].min(),
                "rate_most": group["rate_nats_per_step"].max(),
                "rate_stderr_nats_per_step": group["rate_stderr_nats_per_step"].median(),
                "step_norm_bound_nats_per_step": group["step_norm_bound_nats_per_step"].median(),
                "reach_steps": group["reach_steps"].median(),
                "reach_censored_seeds": int(group["reach_censored"].sum()),
                "explosion_lag_steps": group["explosion_lag_steps"].median(),
                "regime": counted(group["regime"]),
                "share_beyond_half_length": group["share_beyond_half_length"].median(),
            }
        )

    return grouped(initial.drop_duplicates([*keys, "seed"]), keys, summary)


def makes_another_net(remedy: str) -> bool:
    """Whether a remedy changes the cell before training begins, as an initialisation or a layer does."""
    try:
        return remedies.create(remedy).adapt_cell is not None
    except ValueError:  # of a newer version, or edited by hand: nothing says that it leaves the net alone
        return True


def counted(texts: pd.Series) -> str:
    """One word where all agree, else each with its count."""
    counts = texts.value_counts().sort_index()
    if len(counts) == 1:
        return str(counts.index[0])
    return ", ".join(f"{text} {count}" for text, count in counts.items())
