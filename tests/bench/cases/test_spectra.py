"""The spectra case: nets whose exponents and singular values are known."""

import math
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from bench.cases import spectra
from bench.cases.cell import create_cell, seed_key, white_noise
from bench.machine import Environment
from bench.schema import RESULT_FILES
from bench.suite.case import Case

DOUBLE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float64")


def case(seeds=(0,), **chosen):
    parameters = {each.name: each.default for each in spectra.PARAMETERS}
    return Case("spectra", spectra.resolved(parameters | chosen), seeds)


def rows_of(seeds=(0,), **chosen):
    tables = spectra.run(case(seeds, **chosen), DOUBLE, "tiny", lambda what, fraction: None)
    for kind, rows in tables.items():
        for each in rows:
            assert set(each) <= {column.name for column in RESULT_FILES[kind].all_columns}
    return tables["lyapunov"], tables["singular_values"]


def exponents_of(rows, seed=0):
    return [each["exponent_nats_per_step"] for each in rows if each["seed"] == seed]


def test_a_scaled_orthogonal_net_has_equal_exponents_and_singular_values():
    chosen = {"cell": "elman_identity", "initialization": "orthogonal", "gain": 0.5, "hidden_size": 3}
    rows, values = rows_of(**chosen, sequence_length=200, singular_value_lag=150)
    assert [each["index"] for each in rows] == [1, 2, 3]
    # The orthogonal matrix was drawn in float32.
    assert exponents_of(rows) == pytest.approx([math.log(0.5)] * 3, abs=1e-6)
    assert [each["lag"] for each in values] == [150] * 3
    assert [each["log10_singular_value"] for each in values] == pytest.approx(
        [150 * math.log10(0.5)] * 3, abs=1e-4
    )
    assert all(0 <= each["log10_singular_value_error"] < 1e-9 for each in values)
    for each in rows:
        assert (each["steps"], each["state_size"], each["input_kind"], each["input_size"]) == (
            180,
            3,
            "none",
            0,
        )
        assert each["logdet_residual_nats_per_step"] < 1e-12


def test_a_diagonal_that_never_ends():
    chosen = {"cell": "elman_identity", "initialization": "identity", "gain": 1.5, "hidden_size": 2}
    rows, values = rows_of(**chosen, sequence_length=20_000, state_scale=0.0)
    assert exponents_of(rows) == pytest.approx([math.log(1.5)] * 2, rel=1e-12)
    assert values == []


def test_gaussian_matrices_follow_newman():
    steps = 4000
    rows, _ = rows_of(
        (0, 1), cell=spectra.GAUSSIAN, hidden_size=3, gain=0.5, input_scale=2.0, sequence_length=steps
    )
    error = rj.theory.gaussian_exponent_deviations(3) / math.sqrt(0.9 * steps)
    for seed in (0, 1):
        away = (np.array(exponents_of(rows, seed)) - rj.theory.gaussian_exponents(3)) / error
        assert np.abs(away).max() < 4
    assert exponents_of(rows, 0) != exponents_of(rows, 1)
    for each in rows:
        assert (each["state_size"], each["input_size"], each["input_kind"]) == (3, 9, "white_noise")
        assert each["initialization"] is None


def test_rows_are_those_of_the_library_on_the_same_inputs():
    made = case(cell="elman_tanh", gain=2.0, hidden_size=4, input_scale=0.5, sequence_length=100)
    assert made["input_size"] == 4
    rows, _ = rows_of(cell="elman_tanh", gain=2.0, hidden_size=4, input_scale=0.5, sequence_length=100)
    cell = create_cell(made, 4, seed_key(0, 0), DOUBLE)
    (xs,) = white_noise(made, 0, 1, DOUBLE)
    state, frame, sums = None, None, np.zeros(4)
    # The first state is a draw, so its Jacobian and those of the transient are left out of both.
    noise = np.asarray(xs)
    state = jnp.zeros(4)
    jacobians = np.asarray(rj.step_jacobians(cell, state, xs))
    frame = np.eye(4)
    for t in range(100):
        frame, triangle = np.linalg.qr(jacobians[t] @ frame)
        sums += np.log(np.abs(np.diag(triangle))) * (t >= 10)
    assert noise.std() == pytest.approx(0.5, rel=0.1)
    # Driven this hard, the net forgets where it started: another initial state, nearly the same exponents.
    assert exponents_of(rows)[0] == pytest.approx(np.sort(sums / 90)[::-1][0], abs=0.1)


def test_an_autonomous_net_starts_from_a_drawn_state():
    chosen = {"cell": "elman_tanh", "gain": 3.0, "hidden_size": 16, "sequence_length": 300}
    moving, resting = exponents_of(rows_of(**chosen)[0]), exponents_of(rows_of(**chosen, state_scale=0.0)[0])
    # At rest the Jacobian stays gain W: its exponents are the logs of its eigenvalues' moduli.
    weight = np.asarray(create_cell(case(**chosen), 0, seed_key(0, 0), DOUBLE).weight_hh)
    eigenvalues = np.log(np.abs(np.linalg.eigvals(weight)))
    assert np.mean(resting) == pytest.approx(eigenvalues.mean(), abs=1e-9)
    assert np.mean(moving) < np.mean(resting) - 0.3, "saturated units"


def test_only_the_first_exponents_on_request():
    rows, _ = rows_of(cell="gru", hidden_size=8, exponents=2, sequence_length=60)
    assert [each["index"] for each in rows] == [1, 2]
    assert all(math.isnan(each["logdet_residual_nats_per_step"]) for each in rows)


def test_an_lstm_has_exponents_for_both_parts_of_its_state():
    rows, _ = rows_of(cell="lstm", hidden_size=3, input_scale=0.1, input_size=1, sequence_length=60)
    assert len(rows) == 6
    assert {each["state_size"] for each in rows} == {6}


def test_singular_values_without_float64_are_told_before_anything_is_measured():
    single = replace(DOUBLE, dtype="float32")
    asked = case(cell="gru", hidden_size=8, sequence_length=60, singular_value_lag=30)
    with pytest.raises(ValueError, match='singular_value_lag needs float64: give the case dtype = "float64"'):
        spectra.run(asked, single, "tiny", lambda what, fraction: pytest.fail("it was begun"))


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"cell": "gru", "input_size": 3}, "input_size is 3 but input_scale is 0"),
        ({"cell": spectra.GAUSSIAN}, "needs input_scale"),
        ({"cell": spectra.GAUSSIAN, "input_scale": 1.0, "forget_bias": 1.0}, "has no forget_bias, got 1.0"),
        ({"cell": "gru", "sequence_length": 50, "transient": 40}, "leaves fewer than 20 of 50 steps"),
        ({"cell": "gru", "sequence_length": 50, "singular_value_lag": 51}, "exceeds the 50 steps"),
        ({"cell": "orthogonal", "initialization": "gaussian"}, "fixes initialization"),
        ({"cell": "gru", "hidden_size": 8, "exponents": 9}, "exponents is 9, but the state has 8 numbers"),
        (
            {"cell": "lstm", "hidden_size": 8, "exponents": 33, "layers": 2},
            "exponents is 33, .* has 32 numbers",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_told(chosen, told):
    with pytest.raises(ValueError, match=told):
        case(**chosen)
