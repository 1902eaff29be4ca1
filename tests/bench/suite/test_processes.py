"""Cases with a dtype or a process of their own, and that all others keep the ids they were published with."""

from dataclasses import replace

import pandas as pd
import pytest

from bench import suite
from bench.cases import KINDS
from bench.errors import UsageError
from bench.machine import Environment
from bench.running.folders import result_folders

HERE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float32")
COMMITTED = [
    folder for folder in result_folders() if folder.name in ("cpu", "scaling", "theory", "quick", "peers")
]
CASE = '[[exactness]]\ncell = "gru"\n'


@pytest.fixture
def loaded(tmp_path):
    def load(text):
        path = tmp_path / "own.toml"
        path.write_text(text, encoding="utf-8")
        return suite.load(str(path))

    return load


def test_a_case_of_its_own_dtype_is_the_case_of_a_run_in_that_dtype(loaded):
    (plain,) = loaded(CASE).cases
    single, double = loaded(CASE + 'dtype = ["float32", "float64"]\n').cases
    assert (single.dtype, double.dtype) == ("float32", "float64")
    assert double.own(HERE).dtype == "float64"
    in_float64 = replace(HERE, dtype="float64")
    assert double.case_id(HERE) == double.case_id(in_float64) == plain.case_id(in_float64)
    assert single.case_id(HERE) == single.case_id(in_float64) == plain.case_id(HERE)
    assert single.match_id() == double.match_id() == plain.match_id()


def test_a_fresh_process_is_another_case(loaded):
    shared, fresh = loaded(CASE + 'process = ["shared", "fresh"]\n').cases
    (plain,) = loaded(CASE).cases
    assert shared.case_id(HERE) == plain.case_id(HERE) != fresh.case_id(HERE)


def test_an_estimate_does_not_change_a_case(loaded):
    (plain,), (estimated,) = loaded(CASE).cases, loaded(CASE + "estimate_s = 9\n").cases
    assert estimated.estimate_s == 9
    assert estimated.case_id(HERE) == plain.case_id(HERE)


def test_in_children(loaded):
    assert not loaded(CASE).in_children
    assert loaded(CASE + 'dtype = "float32"\n').in_children
    assert loaded(CASE + 'process = "fresh"\n').in_children


def test_only_knows_dtype_and_process(loaded):
    both = loaded(CASE + 'dtype = ["float32", "float64"]\nprocess = ["shared", "fresh"]\n')
    assert len(both.only("dtype=float64").cases) == 2
    assert [case.process for case in both.only("dtype=float64,process=fresh").cases] == ["fresh"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('dtype = "float16"', "dtype must be a known name, got 'float16'"),
        ('process = "new"', "process must be a known name, got 'new'"),
        ("estimate_s = 0", "estimate_s must be a positive number"),
    ],
)
def test_a_wrong_key_is_told(line, told, loaded):
    with pytest.raises(UsageError, match=told):
        loaded(CASE + line + "\n")


def test_a_later_parameter_counts_only_where_it_is_not_at_its_default():
    parameters = {"cell": "gru", "hidden_size": 8}
    plain = suite.Case("timings", parameters, (0,))
    defaults = {each.name: each.default for each in KINDS["timings"].PARAMETERS if each.later}
    assert {"operation", "method", "batch_size", "networks"} <= set(defaults)
    assert suite.Case("timings", parameters | defaults, (0,)).match_id() == plain.match_id()
    assert (
        suite.Case("timings", parameters | defaults | {"batch_size": 2}, (0,)).match_id() != plain.match_id()
    )


@pytest.mark.parametrize("folder", COMMITTED, ids=lambda folder: folder.name)
def test_committed_results_are_still_those_of_their_suite(folder):
    """Of what the suite has still; a case that was taken out of it may have left rows."""
    own = {case.match_id() for case in suite.load(folder.name).cases}
    kinds = {"timings", "lyapunov", "exactness", "decay", "agreement"}
    found = {
        match_id
        for kind in kinds
        if (folder / f"{kind}.csv").is_file()
        for match_id in pd.read_csv(folder / f"{kind}.csv")["match_id"]
    }
    assert found
    assert found <= own
