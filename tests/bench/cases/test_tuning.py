"""How a step size is chosen, held against losses made by hand; and training cases that choose one."""

from types import SimpleNamespace

import numpy as np
import pytest

import rnn_jax as rj
from bench.cases import task_accuracy
from bench.cases.tuning import FIRST_TUNING_SEED, chosen_rate, grid_of
from bench.machine import Environment
from bench.suite.case import Case

DOUBLE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float64")
TINY = {
    "cell": "elman_tanh", "task": "adding", "task_length": 20, "hidden_size": 3, "batch_size": 4,
    "step_budget": 8, "evaluate_every": 2, "sequences": 2, "lags": 4,
}  # fmt: skip


def case(seeds=(0,), **chosen):
    parameters = {each.name: each.default for each in task_accuracy.PARAMETERS}
    return Case("task_accuracy", task_accuracy.resolved(parameters | TINY | chosen), seeds)


def tuned(losses, seeds=2):
    """What is chosen where the runs end at these losses, one row a step size, and how they were trained."""
    asked = {}

    def trained(seed_numbers, rates, budget, what):
        asked.update(seeds=list(seed_numbers), rates=list(rates), budget=budget)
        loss = np.ravel(losses)
        return SimpleNamespace(
            final_loss=loss,
            final_accuracy=np.zeros(loss.size),
            steps_run=np.full(loss.size, budget),
            verdict=["at_baseline"] * loss.size,
        )

    made = case(learning_rate_grid="0.01 0.001 0.1", tuning_seeds=seeds, tuning_steps=5)
    return *chosen_rate(made, trained), asked


def test_a_grid_is_read_in_ascending_order():
    assert grid_of("8e-3 5e-4  0.002") == [5e-4, 2e-3, 8e-3]


@pytest.mark.parametrize("text", ["", "1e-3", "1e-3 1e-3", "1e-3 much", "0 1e-3", "-1 1", "1 inf", "1 nan"])
def test_a_grid_that_is_none_is_told(text):
    with pytest.raises(ValueError, match="learning_rate_grid must list two or more different step sizes"):
        case(learning_rate_grid=text)


def test_the_least_median_loss_is_taken_and_every_run_told():
    rate, rows, asked = tuned([[0.1, 9.0], [0.4, 0.5], [0.6, 0.6]])
    assert rate == 0.01  # medians 4.55, 0.45, 0.6: the least single loss does not count
    assert asked["rates"] == [0.001, 0.001, 0.01, 0.01, 0.1, 0.1]
    assert asked["seeds"] == [FIRST_TUNING_SEED, FIRST_TUNING_SEED + 1] * 3
    assert asked["budget"] == 5
    assert [row["loss"] for row in rows] == [0.1, 9.0, 0.4, 0.5, 0.6, 0.6]
    assert {row["learning_rate"] for row in rows if row["chosen"]} == {0.01}


def test_a_seed_that_diverged_counts_as_infinite_and_equals_go_to_the_smaller():
    assert tuned([[np.nan, np.nan], [5.0, 6.0], [5.0, 6.0]])[0] == 0.01
    assert tuned([[1.0, np.nan], [5.0, 6.0], [9.0, 9.0]])[0] == 0.01


def test_tuning_without_a_grid_is_told():
    with pytest.raises(ValueError, match="tuning_steps needs a learning_rate_grid, got tuning_steps = 5"):
        case(tuning_steps=5)


def test_a_case_trains_with_what_it_chose_and_its_tuning_changes_nothing_else(jax_promotes):
    rows = task_accuracy.run(
        case((0, 1), learning_rate_grid="1e-3 1e-2", tuning_steps=4, snapshots=2, target="urnn-adding-100-elman"),
        DOUBLE, "tiny", lambda what, fraction: None,
    )  # fmt: skip
    (rate,) = {row["learning_rate"] for row in rows["tuning"] if row["chosen"]}
    given = task_accuracy.run(case((0, 1), learning_rate=rate), DOUBLE, "tiny", lambda what, fraction: None)
    for tuned_row, given_row in zip(rows["task_accuracy"], given["task_accuracy"], strict=True):
        assert (tuned_row["learning_rate"], tuned_row["loss"]) == (rate, given_row["loss"])
        assert (tuned_row["learning_rate_grid"], tuned_row["tuning_steps"]) == ("1e-3 1e-2", 4)
        assert (tuned_row["target_id"], given_row["target_id"]) == ("urnn-adding-100-elman", None)
    assert not {row["seed"] for row in rows["tuning"]} & {row["seed"] for row in rows["task_accuracy"]}

    # Snapshots go from the initial to the last net, and agree with the case's own columns there.
    shots, first = rows["snapshots"], rows["task_accuracy"][0]
    assert [shot["step"] for shot in shots] == [0, 2, 4, 8]
    for shot, when in ((shots[0], "before"), (shots[-1], "after")):
        for name in ("rate", "largest_exponent", "second_exponent"):
            assert shot[f"{name}_nats_per_step"] == first[f"{name}_{when}_nats_per_step"]
    assert shots[-1]["loss"] == first["loss"]
    assert len({shot["rate_nats_per_step"] for shot in shots}) == 4


def test_exponents_of_a_rotation_are_the_log_of_its_gain(jax_promotes):
    """An orthogonal linear net stretches every direction alike, whatever its inputs: before training."""
    rows = task_accuracy.run(
        case(cell="elman_identity", initialization="orthogonal", gain=0.8),
        DOUBLE, "tiny", lambda what, fraction: None,
    )  # fmt: skip
    (row,) = rows["task_accuracy"]
    for which in ("largest", "second"):
        # The matrix is drawn in float32, and as orthogonal as that allows.
        assert row[f"{which}_exponent_before_nats_per_step"] == pytest.approx(np.log(0.8), abs=1e-6)
    assert row["largest_exponent_after_nats_per_step"] != pytest.approx(np.log(0.8), abs=1e-4)


def test_a_case_can_name_several_remedies():
    made = case(remedy="pascanu_omega(4)+clip_by_norm")
    assert made["remedy"] == "pascanu_omega(4)+clip_by_norm(1)"
    parameter = next(each for each in task_accuracy.PARAMETERS if each.name == "remedy")
    assert parameter.problem("pascanu_omega(4)+clip_by_norm") == ""
    assert "known name" in parameter.problem("pascanu_omega+clip")
    assert set(parameter.choices) == set(rj.remedies.REMEDIES)
