"""What is measured of a device, and that one without some arithmetic still has the other ceilings."""

import jax
import numpy as np
import pytest

from bench.cases import KINDS, ceilings
from bench.machine import Environment
from bench.schema import RESULT_FILES
from bench.suite.case import Case

SMALL = {"largest_matrix": 16, "copy_megabytes": 1, "scan_iterations": 20, "rounds": 3}


def rows_of(dtype, **chosen):
    parameters = {each.name: each.default for each in ceilings.PARAMETERS} | SMALL | chosen
    environment = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", dtype)
    case = Case("ceilings", ceilings.resolved(parameters), (0,))
    return KINDS["ceilings"].run(case, environment, "tiny", lambda *_: None)["ceilings"]


@pytest.mark.parametrize(
    ("dtype", "arithmetics"),
    [
        (
            "float32",
            {
                ("float32", "highest"),
                ("float32", "tensorfloat32"),
                ("float32", "BF16_BF16_F32"),
                ("bfloat16", "default"),
            },
        ),
        ("float64", {("float64", "highest")}),
    ],
)
def test_a_product_in_each_arithmetic_a_copy_and_a_loop(dtype, arithmetics):
    rows = rows_of(dtype)
    columns = {column.name for column in RESULT_FILES["ceilings"].all_columns}
    assert all(set(row) <= columns for row in rows)
    products = [row for row in rows if row["quantity"] == "matrix_product"]
    # XLA may have no such product at this size on this CPU, but never lacks plain ones.
    assert {("float32", "highest"), ("float64", "highest")} & arithmetics <= {
        (row["dtype"], row["matmul_precision"]) for row in products
    }
    assert {(row["dtype"], row["matmul_precision"]) for row in products} <= arithmetics
    itemsize = {"float32": 4, "float64": 8, "bfloat16": 2}
    for row in products:
        assert (row["size"], row["flop"]) == (16, 2 * 16**3)
        assert row["bytes_moved"] == 3 * 16**2 * itemsize[row["dtype"]]
    (copied,) = {(row["size"], row["bytes_moved"]) for row in rows if row["quantity"] == "copy"}
    assert copied == (2**20 // itemsize[dtype], 2 * 2**20)
    assert {row["size"] for row in rows if row["quantity"] == "scan_iterations"} == {20}
    assert all(row["run_s"] > 0 for row in rows)
    assert {row["round"] for row in rows} == {0, 1, 2}


def test_an_arithmetic_that_the_device_lacks_is_left_out(monkeypatch):
    plain = ceilings._product

    def refuse():
        raise ValueError("The precision 'TF32' is not supported by dot_general on CPU")

    def call_of(factor, precision):
        return refuse if precision == "tensorfloat32" else plain(factor, precision)

    monkeypatch.setattr(ceilings, "_product", call_of)
    found = {row["matmul_precision"] for row in rows_of("float32")}
    assert "highest" in found
    assert "tensorfloat32" not in found


def test_any_other_error_is_the_cases(monkeypatch):
    def break_down():
        raise ValueError("shapes do not match")

    monkeypatch.setattr(ceilings, "_copy", lambda numbers, dtype: break_down)
    with pytest.raises(ValueError, match="shapes do not match"):
        rows_of("float64")


def test_a_copy_is_one_and_a_loop_runs():
    copy = ceilings._copy(4, "float64")
    first = np.asarray(copy()).tolist()
    assert first == [-1.0] * 4
    assert np.asarray(copy()).tolist() == [1.0] * 4
    # cos of cos of ... 0 ends at the Dottie number.
    assert float(jax.block_until_ready(ceilings._loop(200, "float64")())[0]) == pytest.approx(
        0.7390851332151607
    )
