"""Times that are too noisy to quote, each with what to do about it; and how the verb ends."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.check import checked, noise
from bench.cli.main import app
from bench.errors import UsageError
from bench.store.files import csv_text
from bench.tables import markdown, tables


@pytest.fixture
def found(row):
    """`found(seconds by process, name=value)`: what is said of one timing."""

    def check(*processes, widest_percent=10.0, **more):
        rows = [
            row("timings", process=process, round=number, run_s=run_s, **more)
            for process, samples in enumerate(processes)
            for number, run_s in enumerate(samples)
        ]
        return [each.problem for each in noise.of_times(pd.DataFrame(rows), widest_percent)]

    return check


def quiet(level=1.0, rounds=5):
    return level * (1 + 1e-3 * np.linspace(-1, 1, rounds))


def test_quiet_times_of_three_processes_may_be_quoted(found):
    assert found(quiet(1.0), quiet(1.005), quiet(0.995)) == []


def test_too_few_processes(found):
    (told,) = found(quiet(), quiet())
    assert told.startswith("1 of 1 timings are of fewer than 3 fresh processes (2 processes)")
    (told,) = found(quiet())
    assert "(1 process)" in told


def test_too_few_rounds(found):
    (told,) = found(*[quiet(rounds=2)] * 3)
    assert "have fewer than 3 rounds" in told


def test_a_wide_interval_names_the_worst(found):
    (told,) = found(quiet(0.9), quiet(1.0), quiet(1.1))
    assert "wider than 10% of it" in told
    assert "jacobian_chain rnn_jax elman_tanh n=4 T=100" in told
    assert found(quiet(0.9), quiet(1.0), quiet(1.1), widest_percent=200.0) == []


def test_timings_of_one_size_are_told_apart_by_as_little_as_does(row):
    differing = [
        {"method": "blocked", "dtype": "float32", "matmul_precision": "highest"},
        {"method": "sequential", "dtype": "float32", "matmul_precision": "highest"},
        {"method": "blocked", "dtype": "bfloat16", "matmul_precision": "default"},
        {"method": "blocked", "dtype": "float32", "matmul_precision": "highest", "lag_count": 7},
        {
            "method": "blocked",
            "dtype": "float32",
            "matmul_precision": "highest",
            "lag_count": 7,
            "case_id": "c1",
        },
        {"state_size": 9, "method": "blocked"},
    ]
    rows = [row("timings", run_s=1.0, **each) for each in differing]
    few, *_ = noise.of_times(pd.DataFrame(rows))
    common = "jacobian_chain rnn_jax elman_tanh n=4 T=100"
    assert sorted(few.named) == [
        f"{common} lags=3 method=blocked dtype=bfloat16 case=c0",
        f"{common} lags=3 method=blocked dtype=float32 case=c0",
        f"{common} lags=3 method=sequential dtype=float32 case=c0",
        f"{common} lags=7 method=blocked dtype=float32 case=c0",
        f"{common} lags=7 method=blocked dtype=float32 case=c1",
        "jacobian_chain rnn_jax elman_tanh n=9 T=100",
    ]
    assert few.problem.endswith(f"{few.named[2]} and 3 more")


def test_a_process_that_stands_apart_is_named(found):
    told = found(quiet(1.0), quiet(1.3), quiet(1.01), widest_percent=1e9)
    assert len(told) == 1
    assert "stands apart from the others by more than 10%" in told[0]
    assert told[0].endswith("T=100 process 1")
    assert found(quiet(1.0), quiet(1.3), quiet(1.6), widest_percent=1e9) == [], "no two of them agree"


def test_a_warm_up_that_never_was_steady(found):
    (told,) = found(*[quiet()] * 3, steady=False)
    assert "not steady" in told
    assert found(*[quiet()] * 3, steady=None) == []


@pytest.fixture
def folder(folder_of, row):
    """`folder(processes)`: with its tables, and nothing to be said of it but how many processes it is of."""

    def make(processes):
        rows = [
            row("timings", process=process, round=number, run_s=float(run_s), jax_version="0.10.1", steady=True,
                compile_cache="off")
            for process in range(processes)
            for number, run_s in enumerate(quiet(1 + 1e-3 * process))
        ]  # fmt: skip
        store = folder_of(timings=rows)
        facts = json.loads((store.folder / "machine.json").read_text(encoding="utf-8"))
        facts["identity"] |= {"backend": "cpu", "device_kind": "Slow Chip", "jax_version": "0.10.1"}
        store.write_machine(facts)
        (store.folder / "tables").mkdir()
        for name, table in tables(store):
            (store.folder / "tables" / f"{name}.csv").write_text(csv_text(table), encoding="utf-8")
            (store.folder / "tables" / f"{name}.md").write_text(markdown(table), encoding="utf-8")
        return store.folder

    return make


def check(*arguments):
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def test_all_well_is_exit_code_0(folder):
    told = check(folder(3))
    assert told.exit_code == 0, told.output
    assert "all well" in told.stdout
    assert "note: case_id: suite 'tiny' is not one of the built-in suites" in told.stdout


def test_a_finding_is_exit_code_1_and_says_what_to_do(folder):
    told = check(folder(1))
    assert told.exit_code == 1, told.output
    assert "1 found" in told.stdout
    assert "set processes = 3 in the suite" in told.stdout


def test_it_may_fail_on_damage_alone(folder):
    noisy = folder(1)
    told = check(noisy, "--fail-on", "damaged")
    assert (told.exit_code, "1 found" in told.stdout) == (0, True), "it is told all the same"
    (noisy / "tables" / "timing_summary.csv").write_text("mine\n", encoding="utf-8")
    assert check(noisy, "--fail-on", "damaged").exit_code == 1
    refused = check(noisy, "--fail-on", "noisy")
    assert refused.exit_code == 2
    assert "--fail-on must be damaged, got 'noisy'" in refused.stderr


def test_json_has_every_finding(folder):
    told = check(folder(1), "--json")
    assert told.exit_code == 1
    ((one,),) = (
        [each for each in of["findings"] if each["weight"] != "note"]
        for of in json.loads(told.stdout)["folders"]
    )
    assert (one["weight"], one["file"]) == ("noisy", "timings.csv")
    assert set(one) == {"weight", "file", "problem", "mend", "named"}
    assert one["named"] == ["jacobian_chain rnn_jax elman_tanh n=4 T=100"]


def test_what_is_no_result_folder_is_told(tmp_path):
    with pytest.raises(UsageError, match="holds no result file"):
        checked(tmp_path)
    told = check(tmp_path, "--widest-percent", "0")
    assert told.exit_code == 2
    assert "--widest-percent must be a number over 0, got 0" in told.stderr
