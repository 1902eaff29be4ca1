import csv
import math
from importlib import util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax.tasks import Forecasting, packaged_files, packaged_series
from rnn_jax.tasks.forecasting import FORECASTS, windows
from rnn_jax.tasks.packaged_series import CO2, SUNSPOTS, TAYLOR, Series, load
from rnn_jax.tasks.task import evaluation_task

KEY = jax.random.key(4)
LENGTHS = {"sunspots": 22, "co2": 104, "taylor": 144, "taylor_weekly": 384}
WINDOWS = {
    "sunspots": (184, 83),
    "co2": (1_123, 635),
    "taylor": (2_631, 1_163),
    "taylor_weekly": (2_391, 1_163),
}


def series_or_skip(series):
    if util.find_spec(series.package) is None:
        pytest.skip(f"{series.distribution}, which ships the series, is not installed")
    return series


@pytest.fixture(params=FORECASTS)
def variant(request):
    series_or_skip(FORECASTS[request.param].series)
    return request.param


def column_of(series):
    """A statsmodels series read in another way than the code does."""
    path = Path(util.find_spec(series_or_skip(series).package).origin).parent / series.path
    with path.open(newline="") as lines:
        return [float(row[1]) if row[1] else math.nan for row in list(csv.reader(lines))[1:]]


def test_series_are_those_of_the_files():
    sunspots, co2 = load(series_or_skip(SUNSPOTS)), load(CO2)
    np.testing.assert_array_equal(sunspots, column_of(SUNSPOTS))
    np.testing.assert_array_equal(co2, column_of(CO2))
    assert (sunspots[0], sunspots[-1], np.isnan(co2).sum()) == (5.0, 2.9, 59)
    # As `pmdarima.datasets.load_taylor` documents.
    taylor = load(series_or_skip(TAYLOR))
    assert taylor[:6].tolist() == [22262, 21756, 22247, 22759, 22549, 22313]
    assert (len(taylor), taylor[-1]) == (4_032, 23132)


def test_parts_are_split_by_time_and_counted(variant):
    length, forecast = LENGTHS[variant], FORECASTS[variant]
    starts = windows(variant, length).starts
    assert (len(starts["training"]), len(starts["test"])) == WINDOWS[variant]
    cut = int(0.7 * forecast.series.observations)
    ahead = np.array(forecast.horizons)
    trained = starts["training"].max() + length - 1 + ahead
    asked = starts["test"].min() + length - 1 + ahead
    assert trained.max() < cut <= asked.min()
    assert starts["test"].max() + length - 1 + ahead.max() < forecast.series.observations


def test_a_window_is_what_a_hand_would_cut_out(variant):
    length, forecast = LENGTHS[variant], FORECASTS[variant]
    task = Forecasting(length, variant, part="test")
    batch, data, raw = task.examples(jnp.float64), windows(variant, length), load(forecast.series)
    start = int(data.starts["test"][17])
    last = start + length - 1
    read = raw[start : last + 1]
    known = ~np.isnan(read)
    seen = np.asarray(batch.inputs)[17, :, 0]
    slope, level = np.polyfit(read[known], seen[known], 1)
    np.testing.assert_allclose(seen[known], slope * read[known] + level, atol=1e-4)
    assert slope > 0
    assert (abs(seen[0]) < 1e-6) == forecast.relative
    by_hand = [raw[last + h] - raw[last + h - forecast.season] for h in forecast.horizons]
    np.testing.assert_allclose(
        np.asarray(batch.targets)[17, 0] * data.target_scale, by_hand, rtol=1e-4, atol=1e-3
    )


def test_scales_are_those_of_the_training_part_alone(variant, monkeypatch):
    length, forecast = LENGTHS[variant], FORECASTS[variant]
    before = Forecasting(length, variant).examples(jnp.float64)
    assert float(jnp.mean(jnp.square(before.targets))) == pytest.approx(1, rel=1e-5)
    changed = load(forecast.series).copy()
    changed[int(0.7 * len(changed)) :] *= 3
    monkeypatch.setattr("rnn_jax.tasks.forecasting.load", lambda series: changed)
    windows.cache_clear()
    try:
        after = Forecasting(length, variant).examples(jnp.float64)
    finally:
        windows.cache_clear()
    np.testing.assert_array_equal(before.inputs, after.inputs)
    np.testing.assert_array_equal(before.targets, after.targets)


def test_a_missing_value_is_read_as_the_one_before_it_and_never_asked_for():
    raw = load(series_or_skip(CO2))
    data = windows("co2", 104)
    hole = int(np.flatnonzero(np.isnan(raw))[10])
    while np.isnan(raw[hole - 1]):
        hole -= 1
    assert data.values[hole] == data.values[hole - 1]
    last = data.starts["training"] + 103
    horizons = np.array(FORECASTS["co2"].horizons)
    asked = last[:, None] + horizons
    assert not np.isnan(raw[asked]).any()
    assert not np.isnan(raw[asked - 52]).any()
    every = np.arange(103, int(0.7 * len(raw)) - 52)
    left_out = np.setdiff1d(every, last)
    assert all(
        np.isnan(np.concatenate([raw[at + horizons], raw[at + horizons - 52]])).any() for at in left_out
    )
    assert len(left_out) > 100


def test_the_seasonal_naive_forecast_is_the_baseline_by_horizon(variant):
    length, forecast = LENGTHS[variant], FORECASTS[variant]
    task = evaluation_task(Forecasting(length, variant))
    batch, raw = task.examples(), load(forecast.series)
    lasts = windows(variant, length).starts["test"] + length - 1
    scores = {
        (name, horizon): value
        for name, horizon, value in task.scores(task.plain_outputs()["seasonal_naive"], batch)
    }
    assert scores["skill", None] == 0
    for horizon in forecast.horizons:
        errors = [raw[last + horizon] - raw[last + horizon - forecast.season] for last in lasts]
        by_hand = math.sqrt(sum(error**2 for error in errors) / len(errors))
        assert scores["root_mean_squared_error", horizon] == pytest.approx(by_hand, rel=1e-4)
    assert float(task.baseline(KEY)) == pytest.approx(
        float(task.loss(jnp.zeros_like(batch.targets), batch)), rel=1e-5
    )


def test_other_plain_forecasts_are_what_they_are_called(variant):
    length, forecast = LENGTHS[variant], FORECASTS[variant]
    task = evaluation_task(Forecasting(length, variant))
    batch, raw = task.examples(), load(forecast.series)
    last = int(windows(variant, length).starts["test"][5]) + length - 1
    assert not np.isnan(raw[last])
    scale = windows(variant, length).target_scale
    plain = task.plain_outputs()
    seasonal = [raw[last + h - forecast.season] for h in forecast.horizons]
    persistent = np.asarray(plain["last_value"])[5, 0] * scale + seasonal
    np.testing.assert_allclose(persistent, raw[last], rtol=1e-5)
    # A season ahead the last value is the seasonal-naive forecast.
    if forecast.season in forecast.horizons:
        assert abs(persistent[-1] - seasonal[-1]) < 1e-9
    training = Forecasting(length, variant).examples()
    np.testing.assert_allclose(
        plain["seasonal_naive_with_drift"][0], np.asarray(training.targets).mean(axis=0), rtol=1e-4, atol=1e-6
    )
    assert task.scores(batch.targets, batch)[0][2] == 1


def test_skill_is_never_under_zero_in_training_but_is_told_in_scores():
    series_or_skip(SUNSPOTS)
    task = Forecasting(22)
    batch = task.examples()
    half, double = 0.5 * batch.targets, 3.0 * batch.targets
    assert float(task.accuracy(half, batch)) == pytest.approx(0.75)
    assert float(task.accuracy(double, batch)) == 0
    assert task.scores(double, batch)[0][2] == pytest.approx(-3)
    assert [bool(task.is_solved(jnp.array(0.0), jnp.array(skill))) for skill in (0.14, 0.16)] == [False, True]


def test_training_windows_are_drawn_and_held_out_ones_come_round():
    series_or_skip(SUNSPOTS)
    held_out = evaluation_task(Forecasting(22))
    batch = held_out.sample(KEY, 166)
    every = {tuple(row) for row in np.asarray(held_out.examples().targets)[:, 0].tolist()}
    seen = [tuple(row) for row in np.asarray(batch.targets)[:, 0].tolist()]
    assert set(seen) == every
    assert all(seen.count(row) == 2 for row in every)


def test_a_missing_package_is_named_with_its_mend(monkeypatch):
    monkeypatch.setattr(packaged_files, "find_spec", lambda name: None)
    for cache in (load, windows):
        cache.cache_clear()
    task = Forecasting(336, "taylor_weekly")  # can be named without the package
    with pytest.raises(
        ModuleNotFoundError,
        match=r"series come with pmdarima, which is not installed: pip install 'rnn-jax-bench\[data\]'",
    ):
        task.sample(KEY, 2)


def test_another_file_than_the_known_one_is_refused():
    series_or_skip(SUNSPOTS)
    other = Series("statsmodels", "statsmodels", SUNSPOTS.path, packaged_series.second_column, 17, "")
    with pytest.raises(ValueError, match="should have 17 values"):
        load(other)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((10, "sunspots"), "length of forecasting sunspots must be from 11, a season, to 194, got 10"),
        ((195, "sunspots"), "to 194, got 195"),
        ((22, "gdp"), "variant of forecasting must be one of sunspots, co2"),
        ((22, "sunspots", "validation"), "part of forecasting must be"),
    ],
)
def test_a_wrong_argument_is_named(arguments, told):
    with pytest.raises(ValueError, match=told):
        Forecasting(*arguments)
