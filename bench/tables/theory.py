"""What theory says about a measured net, and the table that holds the measurement against it."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
import pandas as pd

import rnn_jax as rj
from bench.statistics.grouping import NET

SETTING = [*NET, "state_size", "input_size", "input_scale", "sequence_length", "dtype"]
GAUSSIAN = "gaussian_matrices"
_LISTED_EXPONENTS = 4


def predicted_spectrum(setting: pd.Series) -> np.ndarray | None:
    """All n exponents of a net as theory has them, or None where there is no theory.

    For a tanh net they are those of infinitely many units at the index fractions (i - 1/2) / n.
    """
    size, gain = int(setting["state_size"]), float(setting["gain"])
    if setting["cell"] == GAUSSIAN:
        return rj.theory.gaussian_exponents(size, std=gain * float(setting["input_scale"]))
    if not _has_one_layer(setting):
        return None
    if setting["cell"] == "elman_identity" and setting["initialization"] in ("orthogonal", "identity"):
        return rj.theory.orthogonal_exponents(size, gain)
    net = random_tanh_net(setting)
    return None if net is None else net.exponents((np.arange(size) + 0.5) / size)


def random_tanh_net(setting: pd.Series) -> rj.theory.RandomTanhNet | None:
    """The theory of a setting that is a random tanh net, each unit driven independently or not at all."""
    is_one = (
        setting["cell"] == "elman_tanh"
        and setting["initialization"] == "gaussian"
        and _has_one_layer(setting)
    )
    noise = float(setting["input_scale"])
    if not is_one or setting["gain"] <= 0 or (noise > 0 and setting["input_size"] < setting["hidden_size"]):
        return None
    return rj.theory.random_tanh_net(float(setting["gain"]), noise)


def _has_one_layer(setting: pd.Series) -> bool:
    """Whether the net is no stack, and its input weights are as theory has them."""
    layers = setting.get("layers", 1)  # of somebody's own cell nobody knows
    return bool(pd.isna(layers) or layers == 1) and pd.isna(setting.get("input_deviation"))


_DIGITS = 13
"""After the point, of a prediction: far under any standard error."""


def theory_table(lyapunov: pd.DataFrame) -> pd.DataFrame:
    """Measured against predicted, a row a setting and quantity.

    A quantity is measured for each seed; its standard error is over the seeds. Predictions are computed
    anew, and empty where there is no theory; for tanh nets they hold for infinitely many units, so a
    deviation of many standard errors there is the shift of a finite net.
    """
    rows = []
    for values, group in lyapunov.groupby(SETTING, dropna=False, sort=True):
        setting = pd.Series(dict(zip(SETTING, values, strict=True)))
        seeds = [of_seed for _, of_seed in group.drop_duplicates(["seed", "index"]).groupby("seed")]
        measured = [_quantities(setting, _exponents(of_seed)) for of_seed in seeds]
        predicted = _predictions(setting)
        residual = group["logdet_residual_nats_per_step"].max()
        for quantity in measured[0]:
            found = np.array([each[quantity] for each in measured])
            # Another processor ends in other last digits: what is 0 there must not be 1e-17 here.
            theirs = round(predicted.get(quantity, float("nan")), _DIGITS) + 0.0
            comparison = _held_against(found, theirs)
            rows.append(
                dict(zip(SETTING, values, strict=True))
                | {"quantity": quantity, "seeds": len(found)}
                | comparison
                | {"prediction": _kind_of_prediction(setting)}
                | {"logdet_residual_nats_per_step": residual}
            )
    return pd.DataFrame(rows).infer_objects() if rows else pd.DataFrame(columns=SETTING)


def _kind_of_prediction(setting: pd.Series) -> str:
    """Whether a prediction is exact at this size, or that of infinitely many units."""
    if random_tanh_net(setting) is not None:
        return "n = infinity"
    return "" if predicted_spectrum(setting) is None else "exact"


def _held_against(found: np.ndarray, predicted: float) -> dict[str, float]:
    measured = float(found.mean())
    with np.errstate(invalid="ignore"):  # exponents of -inf have no standard error
        stderr = float(found.std(ddof=1) / len(found) ** 0.5) if len(found) > 1 else float("nan")
    deviation = measured - predicted
    return {
        "measured": measured,
        "stderr_over_seeds": stderr,
        "predicted": predicted,
        "deviation": deviation,
        "deviation_percent": 100 * deviation / abs(predicted) if predicted else float("nan"),
        "deviation_in_stderr": deviation / stderr if stderr > 0 else float("nan"),
    }


def _quantities(setting: pd.Series, exponents: np.ndarray) -> dict[str, float]:
    """What one seed's exponents, in descending order, give."""
    size = int(setting["state_size"])
    if len(exponents) < size:
        return {"lambda_1": float(exponents[0])}
    listed = {f"lambda_{i}": float(exponents[i - 1]) for i in _listed(setting)}
    if not _has_sums(setting):
        return listed
    return listed | {
        "mean": float(exponents.mean()),
        "positive_fraction": float(np.mean(exponents > 0)),
        "entropy_rate_per_unit": float(np.maximum(exponents, 0).sum() / size),
        "kaplan_yorke_dimension_per_unit": kaplan_yorke_dimension(exponents) / size,
    }


def _predictions(setting: pd.Series) -> dict[str, float]:
    net = random_tanh_net(setting)
    if net is not None:
        return {
            "lambda_1": net.largest_exponent,
            "mean": net.mean_exponent,
            "positive_fraction": net.positive_fraction,
            "entropy_rate_per_unit": net.entropy_rate_per_unit,
            "kaplan_yorke_dimension_per_unit": net.kaplan_yorke_fraction,
        }
    exponents = predicted_spectrum(setting)
    return {} if exponents is None else _quantities(setting, exponents)


def _listed(setting: pd.Series) -> list[int]:
    """The numbers of the exponents that have a row of their own."""
    size = int(setting["state_size"])
    if _has_sums(setting) and setting["cell"] != GAUSSIAN:
        return [1]
    return list(range(1, size + 1)) if size <= _LISTED_EXPONENTS else [1, size]


def _has_sums(setting: pd.Series) -> bool:
    """Whether sums over the spectrum tell more than its exponents do: not where all of these are alike."""
    return not (
        setting["cell"] == "elman_identity" and setting["initialization"] in ("orthogonal", "identity")
    )


def kaplan_yorke_dimension(exponents: np.ndarray) -> float:
    """The dimension at which the summed exponents change sign, in float64 whatever dtype JAX has.

    References:
        Kaplan & Yorke 1979, as `rnn_jax.LyapunovSpectrum.kaplan_yorke_dimension`.
    """
    sums = np.cumsum(exponents)
    if np.isnan(sums).any():
        return float("nan")
    if sums[0] < 0:
        return 0.0
    if sums[-1] >= 0:
        return float(len(sums))
    whole = int(np.argmax(sums < 0))
    return float(whole + sums[whole - 1] / -exponents[whole])


def _exponents(of_seed: pd.DataFrame) -> np.ndarray:
    return of_seed.sort_values("index")["exponent_nats_per_step"].to_numpy(float)
