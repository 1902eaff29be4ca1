"""Forecasts of real time series, against the seasonal-naive forecast."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import checked_draw
from rnn_jax.tasks.fixed_examples import checked_part, drawn
from rnn_jax.tasks.packaged_files import release
from rnn_jax.tasks.packaged_series import CO2, SUNSPOTS, TAYLOR, Series, load
from rnn_jax.tasks.task import Batch, checked_variant, mean_squared_error

TRAINING_SHARE = 0.7


@dataclass(frozen=True)
class Forecast:
    """What is forecast of a series.

    Attributes:
        series: where it lies.
        season: its period, in steps.
        horizons: how many steps ahead, up to a season at most.
        relative: True where values are read relative to the first one of the window, as the level of a
            series with a trend leaves the range of its training part.
        solved_from: the skill from which it counts as solved.
    """

    series: Series
    season: int
    horizons: tuple[int, ...]
    relative: bool
    solved_from: float


FORECASTS = {
    "sunspots": Forecast(SUNSPOTS, 11, (1, 2, 3, 5, 8, 11), False, 0.15),
    "co2": Forecast(CO2, 52, (1, 2, 4, 8, 13, 26, 39, 52), True, 0.88),
    "taylor": Forecast(TAYLOR, 48, (1, 2, 4, 8, 16, 24, 48), False, 0.75),
    "taylor_weekly": Forecast(TAYLOR, 336, (1, 2, 4, 8, 16, 24, 48), False, 0.65),
}


@dataclass(frozen=True)
class Windows:
    """The windows of both parts: where each begins, and how values and targets are scaled.

    Attributes:
        values: the series, standardised, a missing one replaced by the one before it, shape (time,).
        starts: first step of every window, by part.
        targets: of every window, shape (windows, horizons), by part, in `target_scale`.
        target_scale: root mean square error of the seasonal-naive forecast on the training part, in
            the series's own unit.
    """

    values: np.ndarray
    starts: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    target_scale: float


@dataclass(frozen=True)
class Forecasting:
    """Say how a real series will differ from the seasonal-naive forecast, some steps ahead of the last one.

    The seasonal-naive forecast of y at h steps ahead is the value a season before: y_(T+h-season), h no more than
    a season. The targets are what is added to it, y_(T+h) - y_(T+h-season), for several h at once after the last
    step, so that an output of zero is that forecast and the loss of zero is the baseline. What is read are the last
    `length` values, one a step, a whole season at least: whoever forgets a season cannot tell what to correct.

    The variants:

    * "sunspots": yearly, 1700 to 2008, season 11 (the mean solar cycle), 1 to 11 years ahead.
    * "co2": weekly at Mauna Loa, 1958 to 2001, season 52, 1 to 52 weeks ahead. Values are read relative to the
      first of the window. A missing value is read as the one before it; a window with a missing target, or a
      target whose reference is missing, is left out.
    * "taylor": half-hourly electricity demand in England and Wales, 5 June to 27 August 2000, season 48, a day;
      half an hour to a day ahead. A day is no good season on Saturdays and Mondays.
    * "taylor_weekly": the same with season 336, a week; half an hour to a day ahead.

    Data are split by time. Windows of the training part lie in the first 0.7 of the series with all that they
    read and all that they ask for; what a held-out window asks for lies in the rest, what it reads may lie before.
    Means and scales are those of the training part: values have standard deviation 1, the seasonal-naive forecast
    a mean square error of 1. Windows overlap: there are far fewer independent ones than windows.

    Accuracy is skill, 1 - (squared error) / (squared error of the seasonal-naive forecast), over all horizons
    together, and 0 where that is negative. Solved from a skill a little under that of ridge regression with its best
    context (11, 104, 144 and 384 steps): 0.15, 0.88, 0.75, 0.65. The baseline is the seasonal-naive error.

    Sunspots and CO2 come with statsmodels (BSD-3-Clause), which states that the data are in the public domain;
    the demand comes with pmdarima (MIT), provided by James W. Taylor.

    Attributes:
        part: "training", from which windows are drawn with replacement, or "test", which gives each window as
            often as any other (but for a remainder), in random order.

    References:
        Hyndman & Athanasopoulos 2021, Forecasting: principles and practice, 3rd edition, section 5.2 (the
        seasonal-naive method); Murphy 1988 (skill). Data: National Geophysical Data Center (sunspots); Keeling &
        Whorf 2004 (CO2); Taylor 2003, J. Operational Research Society 54, 799-805 (demand).
    """

    length: int
    variant: str = "sunspots"
    part: str = "training"

    VARIANTS = tuple(FORECASTS)
    name = "forecasting"
    metric = "skill_over_seasonal_naive"
    target_steps = 1
    input_size = 1
    data_regime = "fixed"

    def __post_init__(self) -> None:
        checked_variant(self, self.VARIANTS, shortest=1)
        forecast = FORECASTS[self.variant]
        longest = int(TRAINING_SHARE * forecast.series.observations) - 2 * forecast.season
        if not forecast.season <= self.length <= longest:
            raise ValueError(
                f"length of {self.name} {self.variant} must be from {forecast.season}, a season, to {longest}, "
                f"got {self.length}"
            )
        checked_part(self)

    @property
    def forecast(self) -> Forecast:
        """What is forecast: season, horizons, unit."""
        return FORECASTS[self.variant]

    @property
    def sequence_length(self) -> int:
        """T, the values read."""
        return self.length

    @property
    def output_size(self) -> int:
        """A number for each horizon."""
        return len(self.forecast.horizons)

    @property
    def data_source(self) -> str:
        """The package that ships the data, and its version."""
        return release(self.forecast.series.distribution)

    def evaluation_task(self) -> "Forecasting":
        """The same task on the later part."""
        return replace(self, part="test")

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` windows; targets have shape (batch, 1, horizons).

        Raises:
            ModuleNotFoundError: the package that ships the series is not installed.
        """
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        count = len(windows(self.variant, self.length).starts[self.part])
        return self._batch(drawn(key, batch_size, count, self.part), dtype)

    def examples(self, dtype: Any = None) -> Batch:
        """Every window of the part once, in order of time."""
        count = len(windows(self.variant, self.length).starts[self.part])
        return self._batch(jnp.arange(count, dtype=jnp.int32), float_dtype(dtype))

    def _batch(self, chosen: Array, dtype: Any) -> Batch:
        data = windows(self.variant, self.length)
        starts = jnp.asarray(data.starts[self.part], jnp.int32)[chosen]
        steps = jnp.arange(self.length, dtype=jnp.int32)
        inputs = jnp.asarray(data.values, jnp.float32)[starts[:, None] + steps[None]]
        if self.forecast.relative:
            inputs = inputs - inputs[:, :1]
        targets = jnp.asarray(data.targets[self.part], jnp.float32)[chosen]
        return Batch(
            inputs=inputs[..., None].astype(dtype),
            targets=targets[:, None].astype(dtype),
            mask=jnp.ones((len(chosen), 1), bool),
        )

    def loss(self, outputs: Array, batch: Batch) -> Array:
        """Mean over examples and horizons of the squared error; about 1 for the seasonal-naive forecast."""
        return mean_squared_error(outputs, batch)

    def accuracy(self, outputs: Array, batch: Batch) -> Array:
        """The share of the seasonal-naive forecast's squared error that is gone; 0 where it is larger."""
        naive = mean_squared_error(jnp.zeros_like(batch.targets), batch)
        return jnp.maximum(0, 1 - mean_squared_error(outputs, batch) / naive)

    def is_solved(self, loss: Array, accuracy: Array) -> Array:
        """Skill as that of ridge regression: see the class."""
        return accuracy >= self.forecast.solved_from

    def baseline(self, key: Array) -> Float[Array, ""]:
        """The loss of the seasonal-naive forecast over all windows of the part."""
        return jnp.mean(jnp.square(self.examples(jnp.float32).targets))

    def plain_outputs(self) -> dict[str, Array]:
        """What plain forecasts would put out on `examples()`, shape (windows, 1, horizons), by name.

        "seasonal_naive"; "seasonal_naive_with_drift", which adds the mean change over a season in the training
        part; "last_value", which says that nothing changes.
        """
        data, forecast = windows(self.variant, self.length), self.forecast
        targets = data.targets[self.part]
        drift = np.broadcast_to(data.targets["training"].mean(axis=0), targets.shape)
        values = load(forecast.series)
        filled = _filled(values)
        last = data.starts[self.part] + self.length - 1
        ahead = np.array(forecast.horizons)
        persistence = filled[last][:, None] - values[last[:, None] + ahead - forecast.season]
        plain = {
            "seasonal_naive": np.zeros_like(targets),
            "seasonal_naive_with_drift": drift,
            "last_value": persistence / data.target_scale,
        }
        return {name: jnp.asarray(each, jnp.float32)[:, None] for name, each in plain.items()}

    def scores(self, outputs: Array, batch: Batch) -> list[tuple[str, int | None, float]]:
        """Quantity, horizon in steps (None: all together) and value, for outputs on a batch.

        "root_mean_squared_error" is in the series's unit, by horizon; "skill" is as the accuracy, but may be
        negative.
        """
        error = np.square(np.asarray(outputs, np.float64) - np.asarray(batch.targets, np.float64))[:, 0]
        naive = np.square(np.asarray(batch.targets, np.float64))
        scale = windows(self.variant, self.length).target_scale
        by_horizon = scale * np.sqrt(error.mean(axis=0))
        return [
            ("skill", None, float(1 - error.mean() / naive.mean())),
            *(
                ("root_mean_squared_error", horizon, float(each))
                for horizon, each in zip(self.forecast.horizons, by_horizon, strict=True)
            ),
        ]


@cache
def windows(variant: str, length: int) -> Windows:
    """The windows of both parts of one series."""
    forecast = FORECASTS[variant]
    raw = load(forecast.series)
    values, ahead = _filled(raw), np.array(forecast.horizons)
    cut = int(TRAINING_SHARE * len(raw))
    first, furthest = length - 1, ahead.max()
    # By the last step read: all that is asked for lies before the cut, or none of it.
    lasts = {
        "training": np.arange(first, cut - furthest),
        "test": np.arange(max(first, cut - ahead.min()), len(raw) - furthest),
    }
    changes = {
        part: raw[last[:, None] + ahead] - raw[last[:, None] + ahead - forecast.season]
        for part, last in lasts.items()
    }
    known = {part: ~np.isnan(change).any(axis=1) for part, change in changes.items()}
    starts = {part: (last - first)[known[part]] for part, last in lasts.items()}
    scale = float(np.sqrt(np.mean(np.square(changes["training"][known["training"]]))))
    seen = values[:cut]
    if forecast.relative:
        read = np.lib.stride_tricks.sliding_window_view(seen, length)
        mean, deviation = 0.0, (read - read[:, :1]).std()
    else:
        mean, deviation = seen.mean(), seen.std()
    return Windows(
        values=(values - mean) / deviation,
        starts=starts,
        targets={part: change[known[part]] / scale for part, change in changes.items()},
        target_scale=scale,
    )


def _filled(values: np.ndarray) -> np.ndarray:
    """Each missing value replaced by the last one before it, so that none comes from the future."""
    last_known = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(len(values))))
    return values[last_known]
