"""Derived tables of real tasks: scores beside plain predictors, error by horizon, reach beside dependence."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import pandas as pd

from bench.measuring.dependence import dependence_steps, is_censored
from bench.store import Store

BASELINES = {
    "forecasting": ("skill", "seasonal_naive"),
    "language_identification": ("accuracy", "most_frequent_class"),
    "translation": ("exact_match", "copy_of_source"),
}
"""By task: the quantity that counts, and the predictor that everybody would try first."""
_DATA = ["task", "variant", "task_length"]
_NET = [*_DATA, "cell", "hidden_size", "gain", "remedy", "optimizer", "learning_rate", "dtype"]
REAL_USES = [
    *_NET, "seeds", "quantity", "score", "score_least", "score_most", "baseline", "baseline_score", "best_plain",
    "best_plain_score", "sequence_length", "dependence_steps", "dependence_censored", "reach_before_steps",
    "reach_after_steps", "reach_censored_seeds", "training_examples", "held_out_examples", "data_source",
]  # fmt: skip
FORECAST_HORIZONS = [
    "variant", "task_length", "predictor", "hidden_size", "dtype", "horizon_steps", "seeds", "error", "error_least",
    "error_most", "seasonal_naive_error", "ratio", "unit",
]  # fmt: skip


def real_uses(store: Store) -> pd.DataFrame:
    """Each net on each real task: its score over seeds, plain scores, its reach and the data's dependence in steps.

    `score` is on every held-out example once, `reach` as in decay.csv, `dependence` as in `bench/measuring/dependence.py`. Nets
    on tasks of a fixed set of images have the accuracy at their last evaluation, and no plain predictor.
    """
    if "task_accuracy" not in store.kinds():
        return pd.DataFrame(columns=REAL_USES)
    accuracy = store.read("task_accuracy")
    accuracy = accuracy[accuracy["data_regime"] == "fixed"].drop_duplicates([*_NET, "seed"])
    scores = store.read("held_out_scores") if "held_out_scores" in store.kinds() else None
    far = dependences(store)
    rows = []
    for values, group in accuracy.groupby(_NET, dropna=False, sort=True):
        row = dict(zip(_NET, values, strict=True)) | {"seeds": len(group)}
        rows.append(row | _reach(group) | _scores(row, group, scores) | far.get(tuple(values[:3]), {}))
    return pd.DataFrame(rows, columns=REAL_USES).infer_objects()


def forecast_horizons(scores: pd.DataFrame) -> pd.DataFrame:
    """Root mean square error of each net and plain forecast, by horizon, beside the seasonal-naive one's."""
    errors = scores[scores["quantity"] == "root_mean_squared_error"]
    net = errors["predictor"] == "net"
    remedies = errors["remedy"].where(net & (errors["remedy"] != "none"))
    names = errors["predictor"].where(~net, errors["cell"])
    named = errors.assign(predictor=names.where(remedies.isna(), names + ", " + remedies.fillna("")))
    naive = named[named["predictor"] == "seasonal_naive"].drop_duplicates([*_DATA, "horizon_steps"])
    known = naive.set_index([*_DATA, "horizon_steps"])["score"]
    keys = ["task", "variant", "task_length", "predictor", "hidden_size", "dtype", "horizon_steps"]
    rows = []
    for values, group in named.drop_duplicates([*keys, "seed"]).groupby(keys, dropna=False, sort=True):
        row = dict(zip(keys, values, strict=True))
        own = known.get((row["task"], row["variant"], row["task_length"], row["horizon_steps"]), float("nan"))
        error = group["score"]
        rows.append(
            row
            | {
                "seeds": len(group),
                "error": error.median(),
                "error_least": error.min(),
                "error_most": error.max(),
                "seasonal_naive_error": own,
                "ratio": error.median() / own,
                "unit": group["unit"].iloc[0],
            }
        )
    return pd.DataFrame(rows, columns=FORECAST_HORIZONS).infer_objects()


def dependences(store: Store) -> dict[tuple, dict[str, object]]:
    """How far back each data set depends, by task, variant and length."""
    if "dependence" not in store.kinds():
        return {}
    found = {}
    for values, group in store.read("dependence").groupby(_DATA):
        ordered = group.drop_duplicates("context_steps").sort_values("context_steps")
        steps = ordered["context_steps"].to_numpy(int)[1:]
        losses = ordered["reference_loss"].to_numpy(float)
        found[tuple(values)] = {
            "dependence_steps": dependence_steps(steps, losses),
            "dependence_censored": is_censored(steps, losses),
        }
    return found


def _reach(group: pd.DataFrame) -> dict[str, object]:
    return {
        "sequence_length": group["sequence_length"].iloc[0],
        "reach_before_steps": group["reach_before_steps"].median(),
        "reach_after_steps": group["reach_after_steps"].median(),
        "reach_censored_seeds": int(group["reach_after_censored"].sum()),
    }


def _scores(row: dict[str, object], group: pd.DataFrame, scores: pd.DataFrame | None) -> dict[str, object]:
    if scores is None or row["task"] not in BASELINES:
        own = group["accuracy"]
        return {
            "quantity": group["metric"].iloc[0],
            "score": own.median(),
            "score_least": own.min(),
            "score_most": own.max(),
        }
    quantity, baseline = BASELINES[row["task"]]
    of_task = scores[
        (scores["quantity"] == quantity) & (scores[_DATA] == [row[each] for each in _DATA]).all(axis=1)
    ]
    own = of_task[of_task["case_id"].isin(group["case_id"]) & (of_task["predictor"] == "net")]
    plain = (
        of_task[of_task["predictor"] != "net"].drop_duplicates("predictor").set_index("predictor")["score"]
    )
    facts: dict[str, object] = {
        "quantity": quantity,
        "score": own["score"].median(),
        "score_least": own["score"].min(),
        "score_most": own["score"].max(),
    }
    if len(own):
        facts |= {
            name: own[name].iloc[0] for name in ("training_examples", "held_out_examples", "data_source")
        }
    if len(plain):
        facts |= {
            "baseline": baseline,
            "baseline_score": plain.get(baseline, float("nan")),
            "best_plain": plain.idxmax(),
            "best_plain_score": plain.max(),
        }
    return facts
