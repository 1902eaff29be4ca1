"""Verdicts and scores of runs that are known."""

import math

import pytest

from bench.tables.accuracy_summary import accuracy_summary
from bench.tables.trained_runs import VERDICTS

from .rows import only_row


@pytest.fixture
def accuracy(row, folder_of):
    def read(*rows):
        return folder_of(task_accuracy=[row("task_accuracy", **each) for each in rows]).read("task_accuracy")

    return read


def test_accuracy_summary_counts_verdicts_and_takes_medians(accuracy):
    outcomes = [
        ("solved", 1.0, 300, None),
        ("solved", 0.9, 500, None),
        ("at_baseline", 0.1, None, None),
        ("diverged", None, None, 17),
        ("better_than_baseline", 0.5, None, None),
    ]
    told = only_row(
        accuracy_summary(
            accuracy(
                *(
                    {
                        "seed": seed,
                        "verdict": verdict,
                        "accuracy": score,
                        "steps_to_solve": steps,
                        "first_nonfinite_step": nonfinite,
                    }
                    for seed, (verdict, score, steps, nonfinite) in enumerate(outcomes)
                )
            )
        )
    )
    assert told["seeds"] == 5
    assert [told[name] for name in VERDICTS] == [2, 1, 1, 1]
    assert told["accuracy"] == pytest.approx(0.7), "the median of those that have one"
    assert (told["accuracy_least"], told["accuracy_most"]) == (0.1, 1.0)
    assert told["steps_to_solve"] == 400
    assert told["first_nonfinite_step"] == 17


def test_accuracy_summary_of_seeds_that_all_diverged(accuracy):
    told = only_row(
        accuracy_summary(
            accuracy(*({"seed": s, "verdict": "diverged", "accuracy": None, "loss": None} for s in (0, 1)))
        )
    )
    assert told["diverged"] == 2
    assert math.isnan(told["accuracy"])
    assert math.isnan(told["first_nonfinite_step"])


def test_accuracy_summary_counts_a_seed_once_though_two_numbers_of_seeds_were_run(accuracy):
    first = [{"case_id": "two seeds", "seed": seed} for seed in (0, 1)]
    later = [{"case_id": "three seeds", "seed": seed} for seed in (0, 1, 2)]
    told = only_row(accuracy_summary(accuracy(*first, *later)))
    assert (told["seeds"], told["solved"]) == (3, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"cell": "gru"},
        {"gain": 2.0},
        {"task_length": 20},
        {"variant": "mean"},
        {"remedy": "clip_by_value", "remedy_strength": 1.0},
        {"remedy_strength": 2.0},
        {"optimizer": "sgd"},
        {"learning_rate": 0.1},
        {"step_budget": 7},
        {"forget_bias": 5.0},
        {"dt": 0.1},
        {"batch_size": 7},
    ],
    ids=lambda change: next(iter(change)),
)
def test_accuracy_summary_never_mixes_two_settings(change, accuracy):
    one = {"cell": "lstm", "forget_bias": 1.0, "remedy": "clip_by_norm", "remedy_strength": 1.0}
    told = accuracy_summary(accuracy(one, one | {"case_id": "other", "verdict": "diverged"} | change))
    assert sorted(told["solved"]) == [0, 1]
