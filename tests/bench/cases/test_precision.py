"""A chain's deviation in cheaper arithmetic, held against the definition multiplied out by NumPy."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from bench.cases import KINDS, precision
from bench.machine import Environment
from bench.schema import RESULT_FILES
from bench.suite.case import Case

SINGLE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float32")
DOUBLE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float64")


def rows_of(environment=DOUBLE, **chosen):
    parameters = {each.name: each.default for each in precision.PARAMETERS}
    small = {"cell": "elman_tanh", "hidden_size": 6, "sequence_length": 50, "lags": 3}
    case = Case("precision", precision.resolved(parameters | small | chosen), (0,))
    return KINDS["precision"].run(case, environment, "tiny", lambda *_: None)["precision"]


@pytest.mark.parametrize("chunk_bytes", [1, 2**27])
def test_the_truth_of_a_scaled_rotation_is_known(chunk_bytes, monkeypatch):
    """Of an orthogonal matrix times 0.5, the product over k steps is 0.5**k times an orthogonal matrix."""
    monkeypatch.setattr(precision, "_CHUNK_BYTES", chunk_bytes)
    cell = rj.cells.create("elman_identity", 1, 4, key=jax.random.key(0), dtype=jnp.float64)
    cell = replace(cell, weight_hh=0.5 * jnp.linalg.qr(cell.weight_hh)[0])
    xs = jnp.zeros((2000, 1))
    states = rj.trajectory(cell, cell.initial_state(), xs)
    found = precision.truth(cell, xs, states, np.array([1, 7, 2000]))
    expected = np.array([1, 7, 2000]) * np.log(0.5) + np.log(2.0)
    np.testing.assert_allclose(found.log_norms, expected, rtol=1e-12, atol=1e-14)  # the first is 0
    weight = np.asarray(cell.weight_hh)
    np.testing.assert_allclose(found.products[1], np.linalg.matrix_power(weight / 0.5, 7) / 2, atol=1e-12)


@pytest.mark.parametrize("cell", ["elman_tanh", pytest.param("lstm", marks=pytest.mark.slow)])
def test_float64_is_exact_and_float32_is_not(cell):
    rows = rows_of(cell=cell)
    columns = {column.name for column in RESULT_FILES["precision"].all_columns}
    assert all(set(row) <= columns for row in rows)
    assert {row["lag"] for row in rows} == {1, 7, 50}

    def worst(name, **chosen):
        return max(abs(row[name]) for row in rows if all(row[key] == value for key, value in chosen.items()))

    for name in ("log_norm_error_nats", "relative_product_error"):
        assert worst(name, dtype="float64", states="stored") < 1e-12
        single = worst(name, dtype="float32", matmul_precision="highest")
        assert 1e-9 < single < 1e-3
    assert worst("log_norm_error_nats", dtype="float64", states="own") < 1e-10
    assert "relative_product_error" not in next(row for row in rows if row["states"] == "own")


def test_what_the_device_ignores_is_said_so():
    """A CPU has no TF32: the same numbers as at highest, bit by bit."""
    by = {}
    for row in rows_of():
        if row["states"] == "stored":
            by.setdefault((row["dtype"], row["matmul_precision"]), []).append(row)
    assert set(by) == set(precision.ARITHMETICS)
    assert all(row["changes_result"] for row in by["float32", "highest"])
    assert not any(row["changes_result"] for row in by["float32", "tensorfloat32"])
    errors = {
        name: [row["log_norm_error_nats"] for row in by["float32", name]]
        for name in ("highest", "tensorfloat32")
    }
    assert errors["highest"] == errors["tensorfloat32"]


def test_an_arithmetic_that_changes_something_is_said_so(monkeypatch):
    plain = precision.at_states

    def coarse(*arguments):
        log_norms, products, method = plain(*arguments)
        return (log_norms + 0.25 if arguments[-1] == "tensorfloat32" else log_norms), products, method

    monkeypatch.setattr(precision, "at_states", coarse)
    rows = [row for row in rows_of() if row["matmul_precision"] == "tensorfloat32"]
    assert rows
    for row in rows:
        assert row["changes_result"]
        assert row["log_norm_error_nats"] == pytest.approx(0.25, abs=1e-4)


def test_the_same_states_for_all(monkeypatch):
    """In chaos, states that each arithmetic made itself would be far apart after 400 steps."""
    chosen = {"gain": 4.0, "hidden_size": 24, "sequence_length": 400, "input_scale": 0.3}
    errors = [
        abs(row["log_norm_error_nats"])
        for row in rows_of(**chosen)
        if row["states"] == "stored" and row.get("log_norm_error_nats") is not None
    ]
    assert max(errors) < 0.1


def test_a_process_without_float64_is_told():
    with pytest.raises(ValueError, match='give the case dtype = "float64"'):
        rows_of(SINGLE)


def test_a_process_without_a_cpu_is_told(monkeypatch):
    def none(platform):
        raise RuntimeError(f"Unknown backend {platform}")

    monkeypatch.setattr(precision.jax, "devices", none)
    with pytest.raises(ValueError, match="set it to cuda,cpu"):
        precision.cpu_device()
