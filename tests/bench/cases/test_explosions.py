"""What a case of training leaves of a seed that went non-finite."""

import math

import pytest

from bench.cases import task_accuracy
from bench.machine import Environment
from bench.schema import RESULT_FILES
from bench.suite.case import Case
from rnn_jax.lags import geometric_lags

SINGLE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float32")


def rows_of(seeds=(0,), **chosen):
    """The rows of a net trained to add twenty steps apart."""
    parameters = {each.name: each.default for each in task_accuracy.PARAMETERS}
    setting = {"cell": "lstm", "task": "adding", "task_length": 20} | chosen
    case = Case("task_accuracy", task_accuracy.resolved(parameters | setting), seeds)
    return task_accuracy.run(case, SINGLE, "tiny", lambda what, fraction: None)


def test_a_seed_that_went_non_finite_leaves_the_chains_of_the_batch_that_did_it(jax_promotes):
    chosen = {
        "cell": "elman_identity",
        "seeds": (0, 1),
        "hidden_size": 4,
        "optimizer": "sgd",
        "learning_rate": 0.5,
        "batch_size": 6,
        "step_budget": 60,
        "evaluate_every": 60,
        "lags": 5,
        "sequences": 2,
    }
    rows = rows_of(**chosen)
    outcomes = {row["seed"]: row for row in rows["task_accuracy"]}
    broken = [seed for seed, row in outcomes.items() if row["first_nonfinite_step"] is not None]
    assert broken
    assert sorted({row["seed"] for row in rows["explosions"]}) == broken
    lags = geometric_lags(20, 5).tolist()
    for seed in broken:
        of_seed = [row for row in rows["explosions"] if row["seed"] == seed]
        assert [(row["rank"], row["lag"]) for row in of_seed] == [
            (rank, lag) for rank in range(4) for lag in lags
        ]
        assert {row["step"] for row in of_seed} == {outcomes[seed]["first_nonfinite_step"]}
        assert {row["quantity"] for row in of_seed} == {outcomes[seed]["first_nonfinite_quantity"]}
        assert len({row["sequence"] for row in of_seed}) == 4
        for row in of_seed:
            assert set(row) == {column.name for column in RESULT_FILES["explosions"].all_columns}
            if row["lag"] == 0:
                assert row["log10_spectral_norm"] == pytest.approx(0, abs=1e-6)
                assert row["log10_frobenius_norm"] == pytest.approx(math.log10(2), abs=1e-6)


@pytest.mark.slow
def test_seeds_that_stayed_finite_leave_none(jax_promotes):
    rows = rows_of(
        hidden_size=4,
        batch_size=4,
        step_budget=2,
        evaluate_every=2,
        sequences=2,
        lags=3,
    )
    assert "explosions" not in rows
