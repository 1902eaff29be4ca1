"""Timed operations do what they are named after, and say how much arithmetic that is."""

import jax
import numpy as np
import pytest

from bench.cases import KINDS
from bench.cases.operations import OPERATIONS
from bench.machine import Environment
from bench.schema import RESULT_FILES
from bench.suite.case import Case

DOUBLE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float64")


def case(operation, **chosen):
    kind = KINDS["timings"]
    parameters = {each.name: each.default for each in kind.PARAMETERS} | {"cell": "elman_tanh"}
    small = {"hidden_size": 6, "sequence_length": 40, "rounds": 3, "operation": operation}
    return Case("timings", kind.resolved(parameters | small | chosen), (0,))


def rows_of(operation, **chosen):
    return KINDS["timings"].run(case(operation, **chosen), DOUBLE, "tiny", lambda *_: None)["timings"]


@pytest.mark.costly
@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_rows_say_what_was_timed(operation, jax_promotes):
    rows = [row for row in rows_of(operation) if row["implementation"] == "rnn_jax"]
    assert [row["round"] for row in rows] == [0, 1, 2]
    columns = {column.name for column in RESULT_FILES["timings"].all_columns}
    for row in rows:
        assert set(row) <= columns
        assert (row["operation"], row["state_size"], row["seed"]) == (operation, 6, 0)
        assert (row["batch_size"], row["seed_count"]) == (1, 1)
        assert row["run_s"] > 0
        assert row["flop"] > 0


@pytest.mark.costly
@pytest.mark.parametrize(
    ("operation", "chosen", "flop"),
    [
        ("jacobian_chain", {"method": "blocked"}, 2 * 40 * 6**3),
        ("jacobian_chain", {"cell": "indrnn"}, 2 * 40 * 6),
        ("chain_at_known_states", {"cell": "lstm", "method": "blocked"}, 2 * 40 * 12 * 12 * 6),
        ("jacobian_chain", {"cell": "deltanet"}, 2 * 40 * 6**3),
        ("jacobian_chain", {"cell": "selective_ssm"}, 2 * 40 * (2 * 6 * 16) * 2**2),
        ("trajectory", {"batch_size": 5, "input_size": 2}, 2 * 40 * 5 * 6 * (6 + 2)),
        ("trajectory", {"cell": "gru"}, 2 * 40 * 3 * 6 * (6 + 1)),
        ("training_step", {"batch_size": 5}, 3 * 2 * 40 * 5 * 6 * (6 + 2)),
        ("ensemble", {"batch_size": 5, "networks": 7}, 7 * 3 * 2 * 40 * 5 * 6 * (6 + 2)),
    ],
)
def test_flop(operation, chosen, flop, jax_promotes):
    ours = [row for row in rows_of(operation, **chosen) if row["implementation"] == "rnn_jax"]
    assert {row["flop"] for row in ours} == {flop}
    if "method" in chosen:
        assert {row["method"] for row in ours} == {"blocked"}
    assert {row["seed_count"] for row in ours} == {chosen.get("networks", 1)}


@pytest.mark.parametrize(
    ("cell", "rivals"),
    [
        ("lstm", {"bare_products", "own_products"}),
        ("slstm", {"bare_products", "own_products"}),
        ("deltanet", {"own_products"}),
        ("selective_ssm", set()),
    ],
)
def test_a_chain_stands_beside_dense_products_that_somebody_would_form(cell, rivals):
    """Of 2,048 numbers they take minutes where the cell's own diagonals take milliseconds."""
    calls = OPERATIONS["jacobian_chain"](case("jacobian_chain", cell=cell), DOUBLE, "tiny").calls
    assert set(calls) == {"rnn_jax", *rivals}


def test_a_trajectory_is_the_cells_own_loop():
    chosen = case("trajectory", batch_size=3)
    made = OPERATIONS["trajectory"](chosen, DOUBLE, "tiny")
    states = np.asarray(made.calls["rnn_jax"]())
    assert states.shape == (3, 41, 6)
    assert np.abs(states[:, 0]).max() == 0
    assert len({float(each) for each in states[:, -1, 0]}) == 3, "each sequence has its own inputs"


def test_an_ensemble_trains_every_net_on_its_own(jax_promotes):
    """Net 0 of three is the one net of an ensemble of one, and no two are alike."""
    of = {
        count: OPERATIONS["ensemble"](case("ensemble", networks=count, batch_size=4), DOUBLE, "tiny")
        for count in (1, 3)
    }
    (one, _, loss, _), (three, _, losses, _) = (of[count].calls["rnn_jax"]() for count in (1, 3))
    assert losses.shape == (3,)
    assert len(set(np.asarray(losses).tolist())) == 3
    assert float(loss[0]) == pytest.approx(float(losses[0]), rel=1e-12)
    first = jax.tree.map(lambda leaf: leaf[0], three)
    np.testing.assert_allclose(first.cell.weight_hh, one.cell.weight_hh[0], rtol=1e-12)


def test_an_ensembles_step_lowers_the_loss(jax_promotes):
    """The step is Adam's: weights move by the learning rate at most, and against the gradient."""
    made = OPERATIONS["ensemble"](case("ensemble", networks=2, batch_size=4), DOUBLE, "tiny")
    model, _, _, gradient = made.calls["rnn_jax"]()
    again, *_ = made.calls["rnn_jax"]()
    np.testing.assert_array_equal(model.bias, again.bias)  # a call does not change what the next starts from
    np.testing.assert_allclose(np.asarray(model.bias), -2e-3 * np.sign(gradient.bias), rtol=1e-3)


@pytest.mark.parametrize(
    ("operation", "chosen", "told"),
    [
        ("training_step", {"lags": 5}, "lags is for jacobian_chain"),
        ("trajectory", {"method": "blocked"}, "method is for jacobian_chain"),
        ("jacobian_chain", {"batch_size": 2}, "batch_size is for trajectory"),
        ("training_step", {"networks": 2}, "networks is for ensemble"),
        ("lyapunov_spectrum", {"cell": "lstm"}, "cell of lyapunov_spectrum must be one of elman_tanh"),
        (
            "lyapunov_spectrum",
            {"sequence_length": 20},
            "sequence_length of lyapunov_spectrum must be at least 30",
        ),
    ],
)
def test_what_an_operation_does_not_have_is_told(operation, chosen, told):
    with pytest.raises(ValueError, match=told):
        case(operation, **chosen)


def test_spectra_are_timed_when_asked():
    kind = KINDS["spectra"]
    parameters = {each.name: each.default for each in kind.PARAMETERS}
    small = {"cell": "elman_tanh", "gain": 2.0, "hidden_size": 5, "sequence_length": 60, "qr_interval": 2}
    for rounds in (0, 2):
        timed = Case("spectra", kind.resolved(parameters | small | {"rounds": rounds}), (0, 1))
        rows = kind.run(timed, DOUBLE, "tiny", lambda *_: None)
        assert [(row["seed"], row["round"]) for row in rows["timings"]] == [
            (seed, number) for seed in (0, 1) for number in range(rounds)
        ]
        assert len(rows["lyapunov"]) == 10
    for row in rows["timings"]:
        # A product a step, and 30 factorizations that form R and Q: 8 n^3 / 3 each.
        assert row["flop"] == pytest.approx(2 * 60 * 5**3 + 30 * 8 * 5**3 / 3)
        assert row["run_s"] > 0
        assert set(row) <= {column.name for column in RESULT_FILES["timings"].all_columns}
    assert rows["timings"][1]["compile_s"] == 0, "the second call compiles nothing"
