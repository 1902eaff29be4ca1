"""Where two machines change places."""

import math

import pandas as pd
import pytest

from bench.statistics.crossover import crossovers


def times(ratios, axis="state_size", **more):
    """Rows of the table of joined times: the ratio at each size of one axis."""
    fixed = {
        "operation": "jacobian_chain",
        "implementation": "rnn_jax",
        "cell": "lstm",
        "dtype": "float32",
        "every_lag": True,
        "state_size": 64,
        "sequence_length": 1000,
        "batch_size": 1,
        "seed_count": 1,
        "verdict": "too few samples",
    } | more
    return pd.DataFrame([fixed | {axis: size, "ratio": ratio} for size, ratio in ratios.items()])


def only(table):
    assert len(table) == 1
    return table.iloc[0]


def test_the_crossing_is_interpolated_between_the_sizes_on_either_side():
    # Ratios fall as 64 / n: they cross 1 at n = 64 exactly, whatever was measured on either side.
    found = only(crossovers(times({16: 4.0, 32: 2.0, 256: 0.25, 1024: 0.0625})))
    assert (found["faster"], found["throughout"]) == ("right", False)
    assert found["from_size"] == pytest.approx(64.0)
    assert (found["smallest"], found["largest"]) == (16, 1024)
    assert (found["ratio_at_smallest"], found["ratio_at_largest"]) == (4.0, 0.0625)


def test_what_counts_is_the_last_change_of_places():
    found = only(crossovers(times({8: 0.5, 16: 2.0, 64: 0.5})))
    assert found["faster"] == "right"
    assert found["from_size"] == pytest.approx(32.0)


def test_the_left_one_may_win_at_the_large_end():
    found = only(crossovers(times({8: 0.5, 32: 2.0})))
    assert (found["faster"], found["throughout"]) == ("left", False)
    assert found["from_size"] == pytest.approx(16.0)


@pytest.mark.parametrize(("ratio", "faster"), [(0.5, "right"), (3.0, "left")])
def test_one_that_is_faster_at_every_size_is_so_throughout(ratio, faster):
    found = only(crossovers(times({8: ratio, 32: ratio})))
    assert (found["faster"], found["throughout"], found["from_size"]) == (faster, True, 8.0)


@pytest.mark.parametrize("smallest", [1.0, 0.5, 3.0])
def test_of_two_equal_ones_neither_is_faster(smallest):
    assert crossovers(times({8: smallest, 32: 1.0})).empty


def test_every_size_that_varies_alone_has_a_row():
    by_length = times({100: 2.0, 10_000: 0.5}, axis="sequence_length")
    by_batch = times({8: 2.0, 64: 0.25}, axis="batch_size", operation="training_step")
    table = crossovers(pd.concat([by_length, by_batch])).set_index("varied")
    assert set(table.index) == {"sequence_length", "batch_size"}
    assert table.loc["sequence_length", "from_size"] == pytest.approx(1000.0)
    assert table.loc["batch_size", "from_size"] == pytest.approx(8 * math.sqrt(8) ** (2 / 3))
    assert table.loc["batch_size", "fixed"] == "state_size=64, sequence_length=1000, seed_count=1"


def test_settings_are_not_mixed():
    table = crossovers(pd.concat([times({8: 2.0, 32: 0.5}), times({8: 0.1, 32: 0.1}, cell="gru")]))
    assert table.set_index("cell")["throughout"].to_dict() == {"gru": True, "lstm": False}


def test_one_size_alone_crosses_nothing():
    assert crossovers(times({64: 0.5})).empty


def test_each_dtype_has_a_crossing_of_its_own():
    """A GPU's float64 can be as quick as its float32 where a CPU's is half: they are never averaged."""
    both = pd.concat([times({16: 2.0, 64: 0.5}), times({16: 8.0, 64: 2.0}, dtype="float64")])
    found = crossovers(both).set_index("dtype")
    assert found["faster"].to_dict() == {"float32": "right", "float64": "left"}


def test_it_says_how_many_sizes_could_be_judged():
    rows = times({8: 2.0, 32: 0.9, 64: 0.5})
    assert only(crossovers(rows))[["sizes", "judged"]].to_list() == [3, 0]
    rows["verdict"] = ["slower", "same", "too few samples"]
    assert only(crossovers(rows))[["sizes", "judged"]].to_list() == [3, 2]
