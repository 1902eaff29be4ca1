"""A rival is held to the answer before it is timed."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from bench import peers as rivals
from bench.cases import KINDS, peers
from bench.machine import Environment
from bench.peers import ours, reference
from bench.peers.contender import Contender
from bench.schema import RESULT_FILES
from bench.suite.case import Case

DOUBLE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float64")
SINGLE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float32")


def case(operation, **chosen):
    parameters = {each.name: each.default for each in peers.PARAMETERS}
    small = {"cell": "elman_tanh", "hidden_size": 4, "sequence_length": 30, "rounds": 3}
    return Case("peers", peers.resolved(parameters | {"operation": operation} | small | chosen), (0,))


def quiet(what, fraction):
    assert 0 <= fraction <= 1


def rival(name, answer, **more):
    return Contender(name, "1.0", "some method", lambda: jnp.zeros(()), answer, **more)


def measured_beside(monkeypatch, *contenders, operation="jacobian_chain", **chosen):
    """Rows by implementation, of a case whose rivals are these."""
    monkeypatch.setattr(rivals, "contenders", lambda problem: contenders)
    monkeypatch.setattr(rivals, "require", lambda operation: None)
    told = peers.run(case(operation, **chosen), DOUBLE, "tiny", quiet)
    return tuple(
        {name: [row for row in told[kind] if row["implementation"] == name] for name in
         {row["implementation"] for row in told["agreement"]}}
        for kind in ("agreement", "timings")
    )  # fmt: skip


def right_answer():
    problem, _, _ = peers.chain_problem(case("jacobian_chain"), DOUBLE, "tiny")
    return reference.chain_log_norms(problem.cell, np.asarray(problem.xs))


def test_a_rival_that_is_right_is_timed_in_every_round(monkeypatch):
    agreement, timings = measured_beside(monkeypatch, rival("right", lambda: {"log_norm": right_answer()}))
    assert [row["agrees"] for row in agreement["right"]] == [True]
    assert [row["round"] for row in timings["right"]] == [0, 1, 2]
    assert [row["round"] for row in timings["rnn_jax"]] == [0, 1, 2]
    assert len(timings["bare_products"]) == 3
    (own,) = agreement["rnn_jax"]
    assert own["agrees"]
    assert 0 < own["deviation"] < 1e-12, "held to NumPy, not to itself"


@pytest.mark.costly
@pytest.mark.parametrize(
    ("change", "deviation"),
    [
        (lambda logs: logs + 0.5, 0.5),
        (lambda logs: np.where(np.arange(len(logs)) > 20, -np.inf, logs), math.inf),
        (lambda logs: np.full_like(logs, np.nan), math.inf),
        (lambda logs: logs[:-1], math.inf),
        (lambda logs: logs[::-1], None),
    ],
    ids=["offset", "underflow", "nan", "one lag short", "reversed"],
)
def test_a_wrong_rival_is_told_by_how_much_and_never_timed(change, deviation, monkeypatch):
    wrong = rival("wrong", lambda: {"log_norm": change(right_answer())})
    agreement, timings = measured_beside(monkeypatch, wrong)
    (row,) = agreement["wrong"]
    assert row["agrees"] is False or not row["agrees"]
    assert row["deviation"] > row["tolerance"]
    if deviation is not None:
        assert row["deviation"] == pytest.approx(deviation)
    assert timings["wrong"] == []
    assert len(timings["rnn_jax"]) == 3


def test_a_rival_that_breaks_leaves_the_others(monkeypatch):
    def breaks():
        raise RuntimeError("out of\nmemory")

    agreement, timings = measured_beside(monkeypatch, rival("broken", breaks))
    (row,) = agreement["broken"]
    assert row["note"] == "failed: RuntimeError: out of"
    assert timings["broken"] == []
    assert len(timings["rnn_jax"]) == 3


def test_a_rival_that_is_not_run_says_why(monkeypatch):
    def never():
        raise AssertionError("asked for an answer")

    agreement, timings = measured_beside(monkeypatch, rival("slow", never, not_run="takes a day"))
    assert agreement["slow"][0]["note"] == "not run: takes a day"
    assert timings["slow"] == []


def test_ours_is_not_taken_on_trust(monkeypatch):
    real = ours.contenders

    def off_by_a_lag(problem):
        own, *limits = real(problem)
        shifted = np.roll(own.answer()["log_norm"], 1)
        return (Contender("rnn_jax", "0", "", own.call, lambda: {"log_norm": shifted}), *limits)

    monkeypatch.setattr(ours, "contenders", off_by_a_lag)
    agreement, timings = measured_beside(monkeypatch, rival("right", lambda: {"log_norm": right_answer()}))
    assert not agreement["rnn_jax"][0]["agrees"]
    assert agreement["right"][0]["agrees"]
    assert timings["rnn_jax"] == []


def test_a_spectrum_that_lost_its_small_exponents_is_wrong(monkeypatch):
    """As from factoring too seldom: the first exponents are right, the last sit on a floor."""
    seen = {}

    def remembering(problem):
        own = ours.contenders(problem)[0].answer()
        seen.update(own)
        lost = np.maximum(own["exponents"], own["exponents"][0] - 0.3)
        return [
            rival("lost", lambda: {"exponents": lost, "states": own["states"]}),
            rival("right", lambda: own),
        ]

    monkeypatch.setattr(rivals, "contenders", remembering)
    monkeypatch.setattr(rivals, "require", lambda operation: None)
    spectrum = case("lyapunov_spectrum", gain=2.0, sequence_length=440)
    told = peers.run(spectrum, DOUBLE, "tiny", quiet)
    agrees = {(row["implementation"], row["quantity"]): row["agrees"] for row in told["agreement"]}
    assert not agrees["lost", "logdet_residual"]
    assert agrees["right", "logdet_residual"]
    assert agrees["rnn_jax", "exponents"]
    assert {row["implementation"] for row in told["timings"]} == {"rnn_jax", "right"}


def test_a_training_rival_with_another_gradient_is_wrong(monkeypatch, jax_promotes):
    def two(problem):
        own = ours.contenders(problem)[0].answer()
        bent = own | {"gradient": own["gradient"] * 1.01}
        return [rival("bent", lambda: bent), rival("right", lambda: own)]

    monkeypatch.setattr(rivals, "contenders", two)
    monkeypatch.setattr(rivals, "require", lambda operation: None)
    told = peers.run(case("training_step", cell="lstm", batch_size=2), DOUBLE, "tiny", quiet)
    bent = {row["quantity"]: row for row in told["agreement"] if row["implementation"] == "bent"}
    assert bent["gradient"]["deviation"] == pytest.approx(0.01)
    assert [bent[name]["agrees"] for name in ("loss", "gradient", "update")] == [True, False, True]
    assert {row["implementation"] for row in told["timings"]} == {"rnn_jax", "right"}
    assert {row["batch_size"] for rows in told.values() for row in rows} == {2}


@pytest.mark.costly
@pytest.mark.parametrize("operation", sorted(peers.CELLS))
def test_rows_have_only_known_columns(operation, monkeypatch, jax_promotes):
    monkeypatch.setattr(rivals, "contenders", lambda problem: [])
    monkeypatch.setattr(rivals, "require", lambda operation: None)
    length = {"sequence_length": 60} if operation == "lyapunov_spectrum" else {}
    told = peers.run(case(operation, **length), DOUBLE, "tiny", quiet)
    for name, rows in told.items():
        columns = {column.name for column in RESULT_FILES[name].all_columns}
        common = columns - {column.name for column in RESULT_FILES[name].columns}
        for row in rows:
            assert set(row) <= columns, name
            assert row["operation"] == operation
            assert (row["hidden_size"], row["seed"], row["suite"]) == (4, 0, "tiny")
        assert common - {"input_size", "input_scale"} <= set(rows[0])


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"operation": "jacobian_chain", "cell": "lstm"}, "cell of jacobian_chain must be one of elman_tanh"),
        ({"operation": "training_step", "cell": "irnn"}, "cell of training_step"),
        ({"operation": "lyapunov_spectrum", "batch_size": 2}, "batch_size is for training_step"),
    ],
)
def test_what_no_rival_can_do_is_refused(chosen, told):
    with pytest.raises(ValueError, match=told):
        case(**chosen)


def test_a_missing_rival_fails_the_case_with_the_command(monkeypatch):
    monkeypatch.setattr(rivals, "find_spec", lambda name: None)
    for operation in peers.CELLS:
        with pytest.raises(ModuleNotFoundError, match="pip install"):
            KINDS["peers"].run(case(operation), SINGLE, "tiny", quiet)


def test_a_spectrum_is_measured_in_float64_whatever_the_run(monkeypatch):
    pytest.importorskip("lyapax", reason="lyapax comes with the extra `peers`")
    asked = case("lyapunov_spectrum", gain=2.0, sequence_length=220)
    told = peers.run(asked, SINGLE, "tiny", quiet)
    for rows in told.values():
        assert {row["dtype"] for row in rows} == {"float64"}
        assert {row["case_id"] for row in rows} == {asked.case_id(SINGLE)}
    assert {row["implementation"] for row in told["timings"]} == {"rnn_jax", "lyapax", "lyapax_each_step"}
