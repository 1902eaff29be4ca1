"""The remedy grid of runs made up."""

import math

import pytest

from bench.tables.remedy_grid import remedy_grid


@pytest.fixture
def table(row, folder_of):
    """`table(none=[share removed, one a seed], leaky=...)`: None is a seed that diverged, 0.9 and more are solved."""

    def make(*, also=(), **shares):
        rows = [
            row(
                "task_accuracy", case_id=remedy, remedy=remedy, seed=seed, baseline_loss=4.0,
                remedy_strength=None if remedy == "none" else 1.0,
                loss=None if share is None else 4.0 * (1 - share), accuracy=share, reach_before_steps=10.0 + seed,
                verdict="diverged" if share is None else "solved" if share >= 0.9 else "better_than_baseline",
            )
            for remedy, of_seeds in shares.items()
            for seed, share in enumerate(of_seeds)
        ]  # fmt: skip
        told = remedy_grid(folder_of(task_accuracy=[*rows, *also]).read("task_accuracy"))
        return told.set_index("remedy") if len(told) else told

    return make


def test_differences_are_from_plain_training_of_the_same_seed(table):
    told = table(none=[0.2, 0.9, 0.0], leaky=[0.3, 0.95, 0.9], skip=[0.1, 0.4, 0.5])
    assert told.index.tolist() == ["none", "leaky", "skip"]
    leaky = told.loc["leaky"]
    assert leaky["removed_share"] == pytest.approx(0.9)
    assert leaky["loss_over_baseline"] == pytest.approx(0.1)
    # Medians differ by 0.7; the seeds themselves by 0.1, 0.05 and 0.9.
    assert leaky["removed_share_difference"] == pytest.approx(0.1)
    assert leaky["removed_share_difference_least"] == pytest.approx(0.05)
    assert leaky["removed_share_difference_most"] == pytest.approx(0.9)
    assert (leaky["solved"], leaky["solved_difference"]) == (2, 1)
    assert told.loc["skip", "solved_difference"] == -1
    assert told.loc["none", "removed_share_difference"] == 0
    assert leaky["reach_before_steps"] == 11


def test_a_seed_that_diverged_counts_as_the_worst(table):
    told = table(none=[0.2, 0.3, 0.5], leaky=[None, 0.8, 0.6], skip=[None, None, 0.9])
    assert told.loc["leaky", "removed_share"] == pytest.approx(0.6)
    assert told.loc["leaky", "accuracy"] == pytest.approx(0.6)
    assert told.loc["leaky", "diverged"] == 1
    assert math.isnan(told.loc["skip", "removed_share"]), "most of them diverged"
    assert math.isnan(told.loc["skip", "accuracy"])


def test_half_of_an_even_number_that_diverged_has_no_median(table):
    told = table(none=[0.2] * 4, leaky=[None, None, 0.8, 0.8], skip=[None, 0.4, 0.6, 0.8])
    assert math.isnan(told.loc["leaky", "removed_share"])
    assert told.loc["skip", "removed_share"] == pytest.approx(0.5)


def test_a_grid_has_plain_training_and_two_remedies(table):
    assert table(none=[0.5], leaky=[0.5]).empty
    assert table(leaky=[0.5], skip=[0.5], layer_norm=[0.5]).empty
    assert len(table(none=[0.5], leaky=[0.5], skip=[0.5])) == 3


@pytest.mark.parametrize(
    "change",
    [{"task_length": 50}, {"cell": "gru"}, {"optimizer": "sgd"}, {"step_budget": 9}, {"hidden_size": 9}],
    ids=lambda change: next(iter(change)),
)
def test_other_settings_are_not_compared(change, table, row):
    other = row("task_accuracy", case_id="other", remedy="layer_norm", remedy_strength=1.0, **change)
    told = table(none=[0.5], leaky=[0.5], skip=[0.5], also=[other])
    assert told.index.tolist() == ["none", "leaky", "skip"]
