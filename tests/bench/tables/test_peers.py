"""The table of ours beside the rivals: a wrong answer never has a time, and so never a win."""

import math

import pandas as pd
import pytest

from bench import plots
from bench.cli import terminal
from bench.deriving import derived
from bench.tables import peers as peer_table


@pytest.fixture
def folder(row, folder_of):
    """`folder(answers, times)`: answers by implementation, as rows of agreement.csv, and seconds by round."""

    def make(answers, times, **setting):
        return folder_of(
            agreement=[
                row(
                    "agreement",
                    implementation=name,
                    **({"agrees": True, "deviation": 0.001} | answer),
                    **setting,
                )
                for name, rows in answers.items()
                for answer in rows
            ],
            timings=[
                row("timings", implementation=name, round=number, run_s=run_s, **setting)
                for name, samples in times.items()
                for number, run_s in enumerate(samples)
            ],
        )

    return make


def table_of(store):
    return peer_table.peers(store.read("agreement"), store.read("timings")).set_index("implementation")


def test_ratios_are_of_the_same_round(folder):
    # A slow second half hits both: the ratio is 3 in each round but one.
    store = folder(
        {"rnn_jax": [{}], "other": [{}]},
        {"rnn_jax": [1.0, 2.0, 10.0, 20.0, 30.0], "other": [3.0, 6.0, 30.0, 80.0, 90.0]},
    )
    told = table_of(store)
    assert list(told.index) == ["rnn_jax", "other"]
    assert told.loc["other", "ratio"] == 3.0
    assert (told.loc["other", "ratio_lower_quartile"], told.loc["other", "ratio_upper_quartile"]) == (
        3.0,
        3.0,
    )
    assert (told.loc["other", "median_s"], told.loc["other", "rnn_jax_s"]) == (30.0, 10.0)
    assert told.loc["rnn_jax", "ratio"] == 1.0
    assert set(told["verdict"]) == {"agrees"}


def test_a_wrong_answer_has_no_time_even_where_one_was_taken(folder):
    wrong = {"agrees": False, "deviation": math.inf, "note": "from lag 7: -inf instead of -90"}
    store = folder({"rnn_jax": [{}], "other": [wrong]}, {"rnn_jax": [1.0], "other": [9.0]})
    other = table_of(store).loc["other"]
    assert other["verdict"] == "wrong by inf in log_norm, from lag 7: -inf instead of -90"
    assert math.isnan(other["ratio"])
    assert math.isnan(other["median_s"])
    assert other["rounds"] == 0


def test_one_wrong_quantity_is_enough_and_the_worst_is_told(folder):
    quantities = [
        {"quantity": "exponents", "deviation": 0.02, "tolerance": 0.05},
        {"quantity": "logdet_residual", "deviation": 0.113, "tolerance": 0.001, "agrees": False},
    ]
    told = table_of(folder({"rnn_jax": [{}], "other": quantities}, {"rnn_jax": [1.0], "other": [9.0]}))
    assert told.loc["other", "verdict"] == "wrong by 0.113 in logdet_residual"
    assert told.loc["other", "logdet_residual"] == 0.113
    assert math.isnan(told.loc["other", "ratio"])


@pytest.mark.parametrize("note", ["not run: takes too long", "failed: RuntimeError: out of memory"])
def test_what_was_not_compared_says_why_and_has_no_time(note, folder):
    blank = {"quantity": "", "deviation": None, "tolerance": None, "agrees": None, "note": note}
    other = table_of(folder({"rnn_jax": [{}], "other": [blank]}, {"rnn_jax": [1.0], "other": [9.0]})).loc[
        "other"
    ]
    assert other["verdict"] == note
    assert math.isnan(other["ratio"])


def test_ours_wrong_leaves_no_ratio_at_all(folder):
    wrong = {"agrees": False, "deviation": 1.0}
    told = table_of(folder({"rnn_jax": [wrong], "other": [{}]}, {"other": [9.0]}))
    assert told.loc["rnn_jax", "verdict"].startswith("wrong by 1")
    assert told["ratio"].isna().all()


def test_cases_are_never_mixed(row, folder_of):
    def rows(kind, case, size, **more):
        return row(kind, case_id=case, hidden_size=size, agrees=True, deviation=0.0, **more) if kind == "agreement" else (
            row(kind, case_id=case, hidden_size=size, **more)
        )  # fmt: skip

    store = folder_of(
        agreement=[
            rows("agreement", c, n, implementation=i)
            for c, n in (("a", 4), ("b", 8))
            for i in ("rnn_jax", "other")
        ],
        timings=[
            rows("timings", case, size, implementation=name, run_s=run_s)
            for case, size, ours, other in (("a", 4, 1.0, 2.0), ("b", 8, 1.0, 10.0))
            for name, run_s in (("rnn_jax", ours), ("other", other))
        ],
    )
    told = peer_table.peers(store.read("agreement"), store.read("timings"))
    others = told[told["implementation"] == "other"].set_index("hidden_size")["ratio"]
    assert others.to_dict() == {4: 2.0, 8: 10.0}


def test_a_folder_has_the_table_the_terminal_the_rivals_and_the_picture_a_cross(folder):
    wrong = {"agrees": False, "deviation": 0.4}
    blank = {"quantity": "", "deviation": None, "tolerance": None, "agrees": None}
    answers = {
        "rnn_jax": [{}],
        "bare": [blank | {"note": "lower limit"}],
        "quick": [{}],
        "wrong": [wrong],
        "broken": [blank | {"note": "failed: RuntimeError"}],
        "long": [blank | {"note": "not run: long"}],
    }
    store = folder(answers, {"rnn_jax": [1.0], "quick": [0.5], "bare": [0.1]})
    derived.derive(store)
    assert "wrong by 0.4 in log_norm" in (store.folder / "tables" / "peers.md").read_text(encoding="utf-8")
    shown = [
        table for title, table in terminal.terminal_tables(store.folder) if title.startswith("Beside others")
    ]
    assert list(shown[0]["whose"]) == ["broken", "quick", "wrong"]
    summary = pd.read_csv(store.folder / "tables" / "peers_summary.csv").set_index("implementation")
    counts = summary[["settings", "agrees", "wrong", "failed"]].T.to_dict("list")
    assert counts == {"broken": [1, 0, 0, 1], "quick": [1, 1, 0, 0], "wrong": [1, 0, 1, 0]}
    assert summary.loc["quick", ["smallest_ratio", "largest_ratio"]].tolist() == [0.5, 0.5]
    svg = (store.folder / "figures" / "peers.svg").read_text(encoding="utf-8")
    for words in ("quick", "wrong", "time / time of rnn_jax", "jacobian_chain", "T=100 n=4"):
        assert words in svg


def test_no_agreement_draws_nothing(row, folder_of):
    assert plots.draw(folder_of(timings=[row("timings")])) == []
