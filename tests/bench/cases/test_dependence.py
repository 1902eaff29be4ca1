"""What cases of real data write: plain scores, the dependence, and scores of a net beside them."""

from dataclasses import replace
from importlib.util import find_spec

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from bench.cases import dependence
from bench.cases.held_out import net_rows, plain_rows
from bench.measuring.dependence import dependence_steps, questions, reference_losses
from bench.schema import DEPENDENCE, HELD_OUT_SCORES
from bench.suite.case import Case
from rnn_jax.tasks import Adding, Forecasting
from rnn_jax.training.model import Model

pytestmark = pytest.mark.skipif(find_spec("statsmodels") is None, reason="statsmodels is not installed")
SUNSPOTS = {"task": "forecasting", "variant": None, "task_length": 11, "contexts": 30}


def scores(rows, predictor):
    return {
        (row["quantity"], row["horizon_steps"]): row["score"] for row in rows if row["predictor"] == predictor
    }


def test_a_net_that_puts_out_nothing_is_the_seasonal_naive_forecast_and_its_bias_a_drift(jax_promotes):
    task = Forecasting(11)
    cell = rj.cells.create("elman_tanh", 1, 2, key=jax.random.key(0), dtype=jnp.float32)
    model = Model.create(cell, task.output_size, key=jax.random.key(1))
    silent = replace(model, weight=jnp.zeros_like(model.weight))
    drift = replace(silent, bias=jnp.mean(task.examples(jnp.float32).targets, axis=(0, 1)))
    plain = plain_rows(task)
    for net, name in ((silent, "seasonal_naive"), (drift, "seasonal_naive_with_drift")):
        rows = net_rows(task, net)
        assert scores(rows, "net") == pytest.approx(scores(plain, name), rel=1e-5, abs=1e-6)
        assert {row["horizon_steps"]: row["unit"] for row in rows} == {None: ""} | dict.fromkeys(
            (1, 2, 3, 5, 8, 11), "sunspot number"
        )
        assert {(row["training_examples"], row["held_out_examples"]) for row in rows} == {(195, 83)}
    assert net_rows(Adding(10), model) == []


def test_a_case_says_how_far_back_sunspots_depend_and_how_plain_forecasts_fare(environment):
    case = Case("dependence", dependence.resolved(SUNSPOTS), (0,))
    rows = dependence.run(case, environment, "mine", lambda what, fraction: None)
    assert set(rows) == {DEPENDENCE.kind, HELD_OUT_SCORES.kind}
    for kind, file in ((DEPENDENCE.kind, DEPENDENCE), (HELD_OUT_SCORES.kind, HELD_OUT_SCORES)):
        assert {name for row in rows[kind] for name in row} <= {each.name for each in file.all_columns}
    steps = np.array([row["context_steps"] for row in rows[DEPENDENCE.kind]])
    losses = np.array([row["reference_loss"] for row in rows[DEPENDENCE.kind]])
    assert steps.tolist() == list(range(12))
    # The last cycle began eleven years ago: what was then cannot be done without.
    assert dependence_steps(steps[1:], losses) == 11
    assert rows[DEPENDENCE.kind][0]["data_source"].startswith("statsmodels ")
    assert scores(rows[HELD_OUT_SCORES.kind], "seasonal_naive")["skill", None] == 0


def test_a_wrong_variant_is_refused_before_anything_runs():
    with pytest.raises(ValueError, match="variant of forecasting must be one of"):
        dependence.resolved(SUNSPOTS | {"variant": "seven"})


@pytest.mark.parametrize(
    ("variant", "context"), [("sunspots", 11), ("co2", 104), ("taylor", 144), ("taylor_weekly", 384)]
)
def test_a_forecast_counts_as_solved_a_little_under_what_ridge_regression_gets(variant, context):
    task = Forecasting(context, variant)
    if find_spec(task.forecast.series.package) is None:
        pytest.skip("the package that ships the series is not installed")
    training, held_out = (
        questions(each.examples(jnp.float32), task.output_size) for each in (task, task.evaluation_task())
    )
    loss = reference_losses(training, held_out, np.array([context]))[1]
    skill = 1 - loss / np.mean(np.square(held_out.answers))
    assert task.forecast.solved_from < skill < task.forecast.solved_from + 0.04
