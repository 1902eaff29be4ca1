"""The picture of a comparison: what a mark, a bar and a line stand for."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from bench.plots import comparison
from bench.plots.style import STYLE


def times(**columns):
    """A row a size of the table of joined times."""
    fixed = {
        "operation": "jacobian_chain",
        "implementation": "rnn_jax",
        "cell": "lstm",
        "dtype": "float32",
        "sequence_length": 1000,
        "batch_size": 1,
        "seed_count": 1,
    }
    return pd.DataFrame(fixed | columns)


def axes_of(table):
    with mpl.rc_context(STYLE):
        figure = comparison.times(table, "one", "other")
    (axes,) = figure.axes
    return figure, axes


def marks(axes, filled):
    """Points of the marks that are filled, or of those that are hollow, but for the legend's."""
    found = []
    for line in axes.lines:
        is_mark = line.get_marker() not in ("None", "_", "|", None, "") and len(line.get_xdata())
        if is_mark and (line.get_markerfacecolor() != "white") == filled:
            found += list(zip(line.get_xdata(), line.get_ydata(), strict=True))
    return found


def lines(axes):
    return [line for line in axes.lines if line.get_linestyle() != "None" and len(line.get_xdata()) > 1][:-1]


@pytest.fixture
def judged_and_not():
    return times(
        state_size=[16, 64], ratio=[2.0, 0.5], ratio_low=[1.5, np.nan], ratio_high=[2.5, np.nan],
        verdict=["slower", "too few samples"],
    )  # fmt: skip


def test_what_cannot_be_judged_is_hollow_and_told(judged_and_not):
    figure, axes = axes_of(judged_and_not)
    assert marks(axes, filled=True) == [(16.0, 2.0)]
    assert marks(axes, filled=False) == [(64.0, 0.5)]
    assert "hollow: too few samples to say so" in figure.get_suptitle()


def test_where_all_is_judged_nothing_is_said_of_hollow_marks(judged_and_not):
    figure, axes = axes_of(judged_and_not.assign(ratio_low=0.4, ratio_high=2.5, verdict="same"))
    assert marks(axes, filled=False) == []
    assert "hollow" not in figure.get_suptitle()


def test_bars_are_the_intervals(judged_and_not):
    _, axes = axes_of(judged_and_not)
    (bars,) = (each for each in axes.collections if hasattr(each, "get_segments"))
    (segment,) = bars.get_segments()  # none where there is no interval
    assert segment[:, 1].tolist() == pytest.approx([1.5, 2.5])
    assert segment[0, 0] == 16.0


def test_a_line_joins_sizes_and_none_leads_from_a_lone_point(judged_and_not):
    _, axes = axes_of(judged_and_not)
    assert [list(line.get_xdata()) for line in lines(axes)] == [[16.0, 64.0]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["lstm"]
    _, axes = axes_of(judged_and_not.assign(sequence_length=[100, 200]))
    assert lines(axes) == []
