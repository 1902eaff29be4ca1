"""Ceilings and shares of rows whose rates are round numbers."""

import math

import pytest

from bench import plots, tables
from bench.tables import ceilings, roofline


@pytest.fixture
def measured(row, folder_of):
    """A device of 100 GFLOP/s in float32, 50 in float64, 10 GB/s and a microsecond an iteration, and a folder of it."""

    def ceiling(quantity, run_s, **chosen):
        chosen = {"size": 1000, "flop": 0.0, "bytes_moved": 0.0, "dtype": "float32"} | chosen
        return [
            row("ceilings", quantity=quantity, run_s=slow * run_s, round=number, cell="", **chosen)
            for number, slow in enumerate((3.0, 1.0, 2.0))
        ]

    def make(*timings):
        rows = [
            *ceiling("matrix_product", 0.02, flop=2e9),
            *ceiling("matrix_product", 0.5, flop=2e9, size=10),
            *ceiling("matrix_product", 0.04, flop=2e9, dtype="float64"),
            *ceiling("matrix_product", 0.01, flop=2e9, matmul_precision="tensorfloat32"),
            *ceiling("copy", 0.1, bytes_moved=1e9),
            *ceiling("scan_iterations", 1e-3, size=1000),
        ]
        return folder_of(ceilings=rows, timings=list(timings))

    return make


@pytest.fixture
def timing(row):
    def make(run_s, **chosen):
        plain = {
            "operation": "trajectory", "hidden_size": 100, "state_size": 100, "input_size": 1, "batch_size": 1,
            "sequence_length": 1000, "seed_count": 1, "lag_count": None, "method": None, "flop": 1e9,
        }  # fmt: skip
        return row("timings", run_s=run_s, **(plain | chosen))

    return make


def test_ceilings_are_the_best_of_all_sizes_and_rounds(measured):
    found = ceilings.ceilings_of(measured().read("ceilings"))
    assert found.flop_per_s == {
        ("float32", "highest"): pytest.approx(1e11),
        ("float64", "highest"): pytest.approx(5e10),
        ("float32", "tensorfloat32"): pytest.approx(2e11),
    }
    assert found.bytes_per_s == pytest.approx(1e10)
    assert found.iteration_s == pytest.approx(1e-6)


@pytest.mark.parametrize("missing", ["matrix_product", "copy", "scan_iterations"])
def test_no_ceilings_without_all_three(missing, measured):
    frame = measured().read("ceilings")
    assert ceilings.ceilings_of(frame[frame["quantity"] != missing]) is None


def test_the_ceiling_table_has_units(measured):
    table = ceilings.ceiling_table(measured().read("ceilings")).set_index(
        ["ceiling", "dtype", "matmul_precision"]
    )
    assert table.loc[("matrix_product", "float32", "highest"), "value"] == pytest.approx(100)
    assert table.loc[("copy", "", ""), "value"] == pytest.approx(10)
    assert table.loc[("scan_iteration", "", ""), "value"] == pytest.approx(1)


def only(store):
    (line,) = roofline.roofline(store.read("timings"), store.read("ceilings")).itertuples()
    return line


def test_the_share_is_of_the_median_time(measured, timing):
    line = only(measured(*(timing(run_s, round=number) for number, run_s in enumerate((0.2, 0.9, 0.05)))))
    assert line.time_s == 0.2
    assert line.gflop_per_s == pytest.approx(5)
    # 1000 x 101 numbers and 10,200 weights in 4 bytes: 2249 flop a byte, far right of the ridge at 10.
    assert line.flop_per_byte == pytest.approx(1e9 / 4 / (101_000 + 10_200))
    assert line.ceiling_gflop_per_s == pytest.approx(100)
    assert line.share == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("chosen", "bound_by", "ceiling"),
    [
        ({"flop": 1e9}, "compute", 100),  # 10 ms, beside 44 us and 1 ms
        ({"flop": 1e5}, "launches", 2.249),  # 1 us, 44 us, 1 ms
        ({"flop": 1e5, "batch_size": 10_000}, "bandwidth", None),  # 404 ms
        ({"flop": 1e9, "dtype": "float64"}, "compute", 50),
    ],
)
def test_what_binds(chosen, bound_by, ceiling, measured, timing):
    line = only(measured(timing(0.5, **chosen)))
    assert line.bound_by == bound_by
    if ceiling is not None:
        assert line.ceiling_gflop_per_s == pytest.approx(ceiling, rel=1e-3)


def test_rivals_and_arithmetic_without_a_ceiling_are_left_out(measured, timing):
    store = measured(
        timing(0.1, implementation="bare_products"),
        timing(0.1, matmul_precision="BF16_BF16_F32"),
        timing(0.1, flop=None),
    )
    assert roofline.roofline(store.read("timings"), store.read("ceilings")).empty
    assert "roofline" not in dict(tables.tables(store))


def test_the_picture_has_a_panel_a_dtype_and_a_mark_an_operation(measured, timing):
    store = measured(
        timing(0.1), timing(0.1, hidden_size=50, state_size=50), timing(0.1, dtype="float64"),
        timing(0.1, operation="jacobian_chain", lag_count=7, method="blocked"),
    )  # fmt: skip
    figure = plots.roofline(store)
    single, double = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["float32", "float64"]
    labels = [text.get_text() for text in single.get_legend().get_texts()]
    assert labels == ["highest: 100 GFLOP/s", "tensorfloat32: 200 GFLOP/s", "jacobian_chain", "trajectory"]
    assert "jacobian_chain" not in [text.get_text() for text in double.get_legend().get_texts()]
    assert {text.get_text() for text in single.texts} == {"50", "100"}
    line = single.get_lines()[0]
    x, y = line.get_xdata()[0], line.get_ydata()[0]
    assert y == pytest.approx(10 * x), "left of the ridge: bandwidth times intensity"
    assert math.isclose(line.get_ydata()[-1], 100)


def test_the_best_mark_of_another_method_or_cell_says_what_is_other(measured, timing):
    store = measured(
        timing(0.1, method="blocked"), timing(0.4, method="sequential"), timing(0.5, method="sequential", sequence_length=500),
        timing(0.2, cell="gru", method="blocked"), timing(1.0, hidden_size=50, state_size=50, method="blocked"),
    )  # fmt: skip
    told = {text.get_text(): text.xy[1] for text in plots.roofline(store).axes[0].texts}
    assert set(told) == {"100", "sequential", "gru", "50"}
    assert told["sequential"] == pytest.approx(told["100"] / 4)
    assert told["gru"] == pytest.approx(told["100"] / 2)


def test_no_picture_without_ceilings(timing, folder_of):
    assert plots.roofline(folder_of(timings=[timing(0.1)])) is None
