"""Effective lengths of runs made up to have them."""

import pytest

from bench.tables.effective_length import effective_length


@pytest.fixture
def table(row, folder_of):
    """`table({length: verdicts, one a seed}, ...)`: each mapping is the runs of one remedy."""

    def make(*of_remedies, **more):
        rows = [
            row(
                "task_accuracy", case_id=f"{remedy}{length}", remedy=remedy, task_length=length, seed=seed,
                verdict={"s": "solved", "b": "better_than_baseline", "a": "at_baseline", "d": "diverged"}[verdict],
                **more,
            )
            for remedy, lengths in zip(("none", "leaky", "skip"), of_remedies, strict=False)
            for length, verdicts in lengths.items()
            for seed, verdict in enumerate(verdicts)
        ]  # fmt: skip
        return effective_length(folder_of(task_accuracy=rows).read("task_accuracy"))

    return make


@pytest.mark.parametrize(
    ("lengths", "solved", "better"),
    [
        ({25: "sss", 50: "ssb", 100: "sbb"}, (50, False, ""), (100, True, "")),
        ({25: "sss", 50: "sss", 100: "sss"}, (100, True, ""), (100, True, "")),
        ({25: "saa", 50: "baa", 100: "add"}, (0, False, ""), (0, False, "")),
        ({25: "sss", 50: "saa", 100: "sss"}, (25, False, "100"), (25, False, "100")),
        ({25: "sba", 50: "sss", 100: "sbd"}, (0, False, "50"), (100, True, "")),
    ],
)
def test_the_effective_length_ends_at_the_first_that_is_not_learnt(lengths, solved, better, table):
    (told,) = table(lengths).itertuples()
    assert (told.solved_length, told.solved_at_least, told.solved_beyond) == solved
    assert (told.better_length, told.better_at_least, told.better_beyond) == better
    assert told.lengths == "25 50 100"
    assert told.majority == "2 of 3"


def test_half_of_the_seeds_is_no_majority(table):
    (told,) = table({25: "ssaa", 50: "aaaa", 100: "aaaa"}).itertuples()
    assert (told.solved_length, told.majority) == (0, "3 of 4")


def test_one_length_alone_has_no_row(table):
    told = table({25: "sss"}, {25: "sss", 50: "aaa"})
    assert told["remedy"].tolist() == ["leaky"]
    assert table({25: "s"}).empty


def test_remedies_stand_in_the_order_of_the_registry(table):
    lengths = {25: "s", 50: "s", 100: "s"}
    assert table(lengths, lengths, lengths)["remedy"].tolist() == ["none", "leaky", "skip"]


def test_nets_that_are_to_explode_are_left_out(table):
    assert table({25: "s", 50: "s", 100: "s"}, optimizer="sgd").empty


def test_rates_and_budgets_are_listed(row, folder_of):
    rows = [
        row("task_accuracy", case_id=str(length), task_length=length, learning_rate=rate, step_budget=budget)
        for length, rate, budget in ((100, 8e-3, 500), (25, 5e-4, 1000), (50, 8e-3, 1000))
    ]
    (told,) = effective_length(folder_of(task_accuracy=rows).read("task_accuracy")).itertuples()
    assert (told.learning_rates, told.step_budgets) == ("0.0005 0.008", "500 1000")
