"""Every cell at initialization, side by side: where its gradients go, and what a step costs."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import jax
import pandas as pd

import rnn_jax as rj
from bench.statistics import grouping
from bench.tables.decay_summary import NET, decay_summary
from rnn_jax.coordinates import real_size

_SETTING = [*grouping.NET, "input_size", "input_scale"]
_EXPONENTS = 3
_LEAST_CELLS = 6
_REGIMES = ("stable", "vanishing", "exploding", "not_finite")


def atlas(
    decay: pd.DataFrame, norms: pd.DataFrame, lyapunov: pd.DataFrame, timings: pd.DataFrame | None
) -> pd.DataFrame:
    """A row a net on white noise: the stable ones first, the exploding ones last.

    Norms of the whole state depend on its coordinates, such as an LSTM's c or a stabilizer; what is read from
    it does not. So the norms of dy_T/dh_t and of the gradient by an input stand beside them.

    Args:
        decay: decay.csv.
        norms: gradient_norms.csv.
        lyapunov: lyapunov.csv; nets for which no exponents were measured have none.
        timings: timings.csv, likewise, or None.

    Returns:
        medians over seeds. `parameter_count` is of the cell without a readout; `step_us` one step of one sequence;
        `jacobian_us` one step of the chain at every lag, its trajectory included; `output_norm_lag_steps` the lag at which
        the two log norms stand, the largest of which T has half.
    """
    table = decay_summary(decay[decay["input_kind"] == "white_noise"])
    if table.empty:
        return table
    chosen = table[[*NET, "seeds", "rate_nats_per_step", "rate_stderr_nats_per_step", "reach_steps",
                    "reach_censored_seeds", "explosion_lag_steps", "regime"]].copy()  # fmt: skip
    families = [rj.cells.CELLS.get(cell) for cell in chosen["cell"]]
    chosen.insert(0, "family", ["" if each is None else each.family for each in families])
    sizes = decay.drop_duplicates(NET)[[*NET, "state_size"]]
    chosen = chosen.merge(sizes, how="left", on=NET)
    chosen["parameter_count"] = [_parameter_count(row) for row in chosen.itertuples()]
    chosen = chosen.merge(_at_half(norms), how="left", on=NET).merge(
        _largest(lyapunov), how="left", on=_SETTING
    )
    if timings is not None:
        chosen = chosen.merge(_costs(timings), how="left", on=_SETTING)
    order = chosen["regime"].map(_place)
    return (
        chosen.assign(order=order, lag=chosen["explosion_lag_steps"].fillna(chosen["reach_steps"]))
        .sort_values(
            ["order", "lag", "cell", "hidden_size"], ascending=[True, False, True, True], kind="stable"
        )
        .drop(columns=["order", "lag"])
        .reset_index(drop=True)
    )


def _place(regimes: str) -> float:
    """Of a regime in the order of the atlas; where seeds differ, such as "stable 2, vanishing 1", halfway to the worst."""
    places = [place for place, regime in enumerate(_REGIMES) if regime in regimes]
    return (places[0] + places[-1]) / 2 if places else len(_REGIMES)


def is_atlas(decay: pd.DataFrame, lyapunov: pd.DataFrame) -> bool:
    """Whether a folder compares enough cells for an atlas: reach and exponents of six, on white noise."""
    noise = decay[(decay["input_kind"] == "white_noise") & (decay["weights"] == "initial")]
    return noise.merge(lyapunov[_SETTING].drop_duplicates(), on=_SETTING)["cell"].nunique() >= _LEAST_CELLS


def _parameter_count(row: object) -> int | None:
    if row.cell not in rj.cells.CELLS:
        return None
    sizes, layers = (int(row.input_size), int(row.hidden_size)), int(row.layers)
    return real_size(
        jax.eval_shape(lambda: rj.cells.create(row.cell, *sizes, key=jax.random.key(0), layers=layers))
    )


def _at_half(norms: pd.DataFrame) -> pd.DataFrame:
    """Norms of dy_T/dh_t and of the loss by x_t at the largest lag up to T/2, medians over sequences and seeds."""
    initial = norms[(norms["weights"] == "initial") & (norms["lag"] <= norms["sequence_length"] / 2)]
    last = initial[initial["lag"] == initial.groupby("case_id")["lag"].transform("max")]
    return last.groupby(NET, dropna=False, as_index=False).agg(
        output_norm_lag_steps=("lag", "max"),
        log10_output_norm=("log10_output_norm", "median"),
        log10_input_gradient_norm=("log10_input_gradient_norm", "median"),
    )


def _largest(lyapunov: pd.DataFrame) -> pd.DataFrame:
    """The largest exponents, one a column, medians over seeds."""
    first = lyapunov[lyapunov["index"] <= _EXPONENTS]
    medians = first.groupby([*_SETTING, "index"], dropna=False, as_index=False)[
        "exponent_nats_per_step"
    ].median()
    made = medians[_SETTING].drop_duplicates()
    for index in range(1, _EXPONENTS + 1):
        one = medians[medians["index"] == index].drop(columns="index")
        made = made.merge(
            one.rename(columns={"exponent_nats_per_step": f"exponent_{index}_nats_per_step"}),
            how="left",
            on=_SETTING,
        )
    return made


def _costs(timings: pd.DataFrame) -> pd.DataFrame:
    """Microseconds of a step, and of a step of the chain at every lag: medians of all samples."""
    ours = timings[(timings["implementation"] == "rnn_jax") & (timings["batch_size"] == 1)]
    at_some_lags = (ours["operation"] == "jacobian_chain") & (ours["lag_count"] <= ours["sequence_length"])
    ours = ours[~at_some_lags]
    made = ours[_SETTING].drop_duplicates()
    for name, operation in {"step_us": "trajectory", "jacobian_us": "jacobian_chain"}.items():
        of_it = ours[ours["operation"] == operation]
        cost = of_it.assign(**{name: 1e6 * of_it["run_s"] / of_it["sequence_length"]})
        made = made.merge(
            cost.groupby(_SETTING, dropna=False, as_index=False)[name].median(), how="left", on=_SETTING
        )
    return made
