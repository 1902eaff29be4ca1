"""Pictures of remedies and of reach in training, of made-up folders."""

import re

import matplotlib as mpl
import numpy as np
import pytest

from bench.plots.reach_in_training import reach_in_training
from bench.plots.reach_question import reach_predicts
from bench.plots.remedy_grid import remedy_grid
from bench.plots.style import STYLE, save
from bench.plots.training import accuracy


@pytest.fixture
def svg(tmp_path):
    """`svg(make, store)`: the picture's text, or None where there is none."""

    def draw(make, store):
        with mpl.rc_context(STYLE):
            figure = make(store)
            if figure is None:
                return None
            return next(iter(save(figure, tmp_path / "picture"))).read_text(encoding="utf-8")

    return draw


@pytest.fixture
def grid(row):
    """`grid(remedies, cells, verdict=...)`: rows of two seeds each."""

    def make(remedies=("none", "leaky", "skip"), cells=("gru", "lstm"), lengths=(25, 50), **more):
        return [
            row(
                "task_accuracy", case_id=f"{cell}{remedy}{length}", cell=cell, remedy=remedy, task_length=length,
                seed=seed, remedy_strength=None if remedy == "none" else 1.0, baseline_loss=1.0, **more,
            )
            for cell in cells
            for remedy in remedies
            for length in lengths
            for seed in (0, 1)
        ]  # fmt: skip

    return make


def words(picture):
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture)


def test_a_grid_names_remedies_cells_and_lengths_and_counts_seeds(grid, folder_of, svg):
    picture = svg(remedy_grid, folder_of(task_accuracy=grid(loss=0.1)))
    told = words(picture)
    for word in ("leaky 1", "skip 1", "gru", "lstm", "25", "50", "adding (halves)"):
        assert word in told
    assert told.count("2") == 3 * 2 * 2, "in each square the number of seeds that solved it"
    none = words(svg(remedy_grid, folder_of("unsolved", task_accuracy=grid(verdict="at_baseline"))))
    assert none.count("2") == 0


def test_a_grid_shows_what_diverged(grid, folder_of, svg):
    rows = grid(loss=0.1)
    whole = svg(remedy_grid, folder_of("whole", task_accuracy=rows))
    one = svg(
        remedy_grid,
        folder_of("one", task_accuracy=[*rows[1:], rows[0] | {"verdict": "diverged", "loss": None}]),
    )
    assert one.count("#262626") == whole.count("#262626") + 1, "a dark square: half of its seeds"


def test_without_remedies_there_is_no_grid(grid, folder_of, svg):
    assert svg(remedy_grid, folder_of(task_accuracy=grid(remedies=("none", "leaky")))) is None
    assert svg(remedy_grid, folder_of("empty")) is None


def test_too_many_lines_of_accuracy_leave_plain_training(grid, folder_of, svg):
    few = words(svg(accuracy, folder_of("few", task_accuracy=grid(lengths=(25,)))))
    assert {"gru, none", "gru, leaky 1"} <= set(few)
    remedies = ("none", "leaky", "skip", "layer_norm", "clip_by_norm", "clip_by_value", "truncated_bptt")
    many = words(svg(accuracy, folder_of("many", task_accuracy=grid(remedies=remedies, lengths=(25,)))))
    assert {"gru, none", "lstm, none"} <= set(many)
    assert not [word for word in many if "leaky" in word]


def test_reach_in_training_shows_the_longest_length_that_was_solved(row, folder_of, svg):
    runs, taken = [], []
    for length, verdict in ((25, "solved"), (50, "solved"), (100, "at_baseline")):
        told = {"case_id": f"T{length}", "task_length": length, "cell": "gru"}
        runs.append(row("task_accuracy", verdict=verdict, **told))
        taken += [row("snapshots", step=step, reach_steps=10.0 + step, **told) for step in (0, 10, 20)]
    store = folder_of(task_accuracy=runs, snapshots=taken)
    told = words(svg(reach_in_training, store))
    assert "adding (halves), T = 50" in told
    assert "gru: solved" in told
    assert svg(reach_in_training, folder_of("none", task_accuracy=runs)) is None


def test_reach_predicts_names_what_it_compares(row, folder_of, svg):
    rows = [
        row(
            "task_accuracy", case_id=f"c{n}", cell=("gru", "lstm")[n % 2], remedy_strength=float(n), remedy="leaky",
            reach_before_steps=float(n), reach_after_steps=float(n), baseline_loss=1.0, loss=0.5,
            verdict=verdict,
        )
        for n in range(24)
        for verdict in [("solved", "at_baseline", "diverged")[n % 3]]
    ]  # fmt: skip
    told = words(svg(reach_predicts, folder_of(task_accuracy=rows)))
    for word in ("before training", "after training", "gru", "lstm", "all runs", "reach share", "shortness"):
        assert word in told
    assert svg(reach_predicts, folder_of("few", task_accuracy=rows[:9])) is None


def test_marks_that_are_moved_apart_stay_where_values_can_be(row, folder_of):
    rows = [
        row(
            "task_accuracy", case_id=f"c{n}", cell="gru", remedy="leaky", remedy_strength=float(n), sequence_length=100,
            reach_before_steps=100.0, reach_after_steps=100.0, baseline_loss=1.0, loss=0.0 if n % 2 else 0.9,
            verdict=("at_baseline", "solved")[n % 2],
        )
        for n in range(24)
    ]  # fmt: skip
    figure = reach_predicts(folder_of(task_accuracy=rows))
    drawn = np.concatenate([line.get_xydata() for axes in figure.axes[:2] for line in axes.lines[:2]])
    assert len(drawn) == 2 * len(rows)
    assert 0.98 < drawn[:, 0].min() < drawn[:, 0].max() <= 1
    assert drawn[:, 1].max() <= 1
