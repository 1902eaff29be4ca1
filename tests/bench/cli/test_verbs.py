"""The program as a user meets it: in a process of its own."""

import datetime
import json
import re
import shutil

import pandas as pd
import pytest

from bench.running import plan
from bench.running.status import status_of
from bench.schema import RESULT_FILES
from bench.store import Store

CELLS = {"elman_tanh", "lstm", "gru"}
OF_SOME = {"exactness": {"lstm", "gru"}, "lyapunov": {"elman_tanh", "lstm"}, "timings": {"lstm"}}
TINY = """
description = "Every kind of case, as small as it can be."

[[exactness]]
cell = ["lstm", "gru"]
hidden_size = 4
sequence_length = 20
seeds = 2

[[gradient_norms]]
cell = ["elman_tanh", "lstm", "gru"]
gain = 0.5
hidden_size = 4
sequence_length = 20
sequences = 3
lags = 5
seeds = 2

[[spectra]]
cell = ["elman_tanh", "lstm"]
hidden_size = 4
input_scale = 0.5
sequence_length = 50
seeds = 2

[[task_accuracy]]
task = "adding"
task_length = 10
cell = ["elman_tanh", "lstm", "gru"]
hidden_size = 4
batch_size = 8
step_budget = 20
evaluate_every = 10
sequences = 2
lags = 5
seeds = 2

[[timings]]
cell = "lstm"
hidden_size = 8
sequence_length = 50
rounds = 3
seeds = 1
"""
CASES = 11


def csv_bytes(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv"))}


def untimed(folder):
    """The CSV files as text, without the columns that hold times."""
    frames = {}
    for path in sorted(folder.glob("*.csv")):
        times = [column.name for column in RESULT_FILES[path.stem].all_columns if column.is_time]
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        frames[path.stem] = frame.drop(columns=times).to_csv(index=False)
    return frames


@pytest.fixture(scope="module")
def measured(tmp_path_factory, rnn_bench):
    """A folder in which the tiny suite was run into `out`, and what the program said."""
    here = tmp_path_factory.mktemp("measured")
    (here / "tiny.toml").write_text(TINY, encoding="utf-8")
    done = rnn_bench("run", "tiny.toml", "--out", "out", cwd=here)
    assert done.returncode == 0, done.stdout + done.stderr
    return here, done


@pytest.fixture(scope="module")
def measured_again(measured, rnn_bench):
    """The CSV files before the same suite ran again, without pictures, and what that run said."""
    here, _ = measured
    before = csv_bytes(here / "out")
    done = rnn_bench("run", "tiny.toml", "--out", "out", "--no-pictures", cwd=here)
    assert done.returncode == 0, done.stdout + done.stderr
    return before, done


@pytest.fixture(scope="module")
def measured_in_float64(measured, rnn_bench):
    here, _ = measured
    done = rnn_bench("run", "tiny.toml", "--out", "double", "--dtype", "float64", cwd=here)
    assert done.returncode == 0, done.stdout + done.stderr
    return here / "out", here / "double"


# --- a whole run


def test_a_run_writes_every_kind_of_row_for_every_cell(measured):
    here, done = measured
    store = Store(here / "out")
    assert f"cases: {CASES} measured" in done.stdout
    counts = {
        "exactness": 2 * 2 * 3,  # cells x seeds x lags 1, T/2, T
        "decay": 3 * 2 + 3 * 2 * 2,  # white noise; the task before and after
        "gradient_norms": 3 * 2 * 2 * 6 + 3 * 2 * 2 * 6,  # 2 recorded sequences; 1 recorded, before and after
        "lyapunov": (4 + 8) * 2,  # state sizes x seeds
        "task_accuracy": 3 * 2,
        "training_curves": 3 * 2 * 20,
        "timings": 3 * 3,  # rounds; an LSTM is timed beside its own products too
        "case_times": CASES,
    }
    assert store.kinds() == [kind for kind in RESULT_FILES if kind in counts]
    for kind, count in counts.items():
        frame = store.read(kind)
        assert set(frame["cell"]) == OF_SOME.get(kind, CELLS)
        assert len(frame) == count, kind
        assert set(frame["suite"]) == {"tiny"}
        assert set(frame["dtype"]) == {"float32"}


def test_a_runs_rows_agree_with_each_other(measured):
    here, _ = measured
    store = Store(here / "out")
    accuracy, decay = store.read("task_accuracy"), store.read("decay")
    for weights, column in (
        ("initial", "rate_before_nats_per_step"),
        ("trained", "rate_after_nats_per_step"),
    ):
        told = decay[decay["weights"] == weights].set_index(["case_id", "seed"])["rate_nats_per_step"]
        ours = accuracy.set_index(["case_id", "seed"])[column]
        pd.testing.assert_series_equal(ours, told.loc[ours.index], check_names=False)
    # A trained net is another net, so it is not the initial one probed twice.
    assert (accuracy["rate_before_nats_per_step"] != accuracy["rate_after_nats_per_step"]).all()
    # Training goes on to the budget or stops where it is solved.
    curves = store.read("training_curves").groupby(["case_id", "seed"])["step"].agg(["min", "max"])
    steps = accuracy.set_index(["case_id", "seed"])["steps_run"]
    assert (curves["min"] == 1).all()
    assert (curves["max"].sort_index() == steps.sort_index()).all()
    lstm = decay[decay["cell"] == "lstm"]
    assert (lstm["state_size"] == 2 * lstm["hidden_size"]).all(), "the cell state counts"


def test_lag_zero_is_the_identity_in_every_chain_of_a_run(measured):
    here, _ = measured
    norms = Store(here / "out").read("gradient_norms")
    start = norms[norms["lag"] == 0]
    assert start["log10_spectral_norm"].abs().max() < 1e-6
    farthest = norms[norms["lag"] == norms["sequence_length"]]
    assert farthest["log10_input_gradient_norm"].isna().all()
    assert norms[norms["lag"] < norms["sequence_length"]]["log10_input_gradient_norm"].notna().all()
    # The Frobenius norm lies between the spectral norm and sqrt(n) times it.
    gap = norms["log10_frobenius_norm"] - norms["log10_spectral_norm"]
    assert gap.min() > -1e-5
    assert (10 ** (2 * gap) <= norms["state_size"].astype(float) * (1 + 1e-4)).all()
    # A direction of norm 1 cannot give more than the whole output does.
    noise = norms[norms["input_kind"] == "white_noise"]
    assert (noise["log10_loss_gradient_norm"] <= noise["log10_output_norm"] + 1e-4).all()


def test_a_chain_is_exact_in_a_run(measured):
    here, _ = measured
    exactness = Store(here / "out").read("exactness")
    assert sorted(exactness["lag"].unique()) == [1, 10, 20]
    assert exactness["relative_error"].max() < 1e-5


def test_a_run_leaves_tables_pictures_and_no_temporary_files(measured):
    here, _ = measured
    out = here / "out"
    tables = {
        "decay_summary",
        "accuracy_summary",
        "chain_cost",
        "timing_summary",
        "exactness_summary",
        "theory",
        "claims",
    }
    assert {path.name for path in (out / "tables").iterdir()} == {
        f"{name}.{suffix}" for name in tables for suffix in ("csv", "md")
    }
    for name in ("decay", "trained_decay", "accuracy", "training_loss"):
        assert (out / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert b"<svg" in (out / "figures" / f"{name}.svg").read_bytes()
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]
    assert len(list((out / "shards").iterdir())) == CASES, "no sign of life is left of a run that ended"


def test_a_run_prints_its_tables_and_where_things_are(measured):
    _, done = measured
    for words in ("rate/step", "accuracy", "ratio", "CSV files: out", "tables", "pictures"):
        assert words in done.stdout
    assert re.search(r"\[1/11\] exactness", done.stderr), "progress goes to stderr"
    assert "[1/11] exactness" not in done.stdout


def test_what_cases_took_and_what_is_left_is_known(measured):
    here, _ = measured
    store = Store(here / "out")
    took = store.read("case_times")
    assert took["elapsed_s"].min() > 0
    assert set(took["case_id"]) == store.case_ids()
    found = status_of(store.folder)
    assert (found.suite, found.cases, found.done, found.left, found.runs) == ("tiny", CASES, CASES, 0, [])


def test_machine_json_is_dated_at_the_end_of_the_run(measured):
    here, _ = measured
    facts = json.loads((here / "out" / "machine.json").read_text(encoding="utf-8"))
    assert facts["volatile"]["command"] == "rnn-bench run tiny.toml --out out"
    told = datetime.datetime.fromisoformat(facts["volatile"]["finished_utc"]).timestamp()
    last = max(path.stat().st_mtime for path in (here / "out" / "shards").iterdir())
    assert told >= int(last), "finished_utc lies before the last case was finished"


def test_running_again_measures_nothing_and_leaves_the_same_bytes(measured, measured_again):
    here, _ = measured
    before, done = measured_again
    assert f"cases: 0 measured, {CASES} done before" in done.stdout
    assert f"{CASES} cases were done before" in done.stderr
    assert csv_bytes(here / "out") == before


def test_pictures_that_were_not_wanted_stay_as_they_are(measured, measured_again):
    here, _ = measured
    _, done = measured_again
    assert "pictures:  not drawn; rnn-bench plot out draws them" in done.stdout
    drawn = max(path.stat().st_mtime_ns for path in (here / "out" / "figures").iterdir())
    assert drawn < (here / "out" / "machine.json").stat().st_mtime_ns


def test_running_a_part_of_the_suite_again_keeps_the_rest(measured, measured_again, rnn_bench):
    here, _ = measured
    before, _ = measured_again
    done = rnn_bench(
        "run", "tiny.toml", "--out", "out", "--only", "cell=gru,kind=exactness", "--json", "--no-pictures",
        cwd=here,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["verb"], document["suite"], document["folder"]) == ("run", "tiny", "out")
    assert (document["cases"], document["measured"], document["done_before"]) == (1, 0, 1)
    assert (document["failed"], document["left"], document["interrupted"]) == (0, 0, False)
    assert "1 case was done before" in done.stderr, "progress goes to standard error"
    assert csv_bytes(here / "out") == before
    assert len(plan.read(here / "out").cases) == CASES, "the folder is still meant to hold all"


def test_missing_measures_what_a_folder_without_shards_lacks_and_nothing_else(measured, rnn_bench):
    here, _ = measured
    shutil.copytree(here / "out", here / "clone", ignore=shutil.ignore_patterns("shards"))
    path = here / "clone" / "exactness.csv"
    whole = path.read_bytes()
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows[rows["cell"] != "gru"].to_csv(path, index=False, lineterminator="\n")
    done = rnn_bench("run", "tiny.toml", "--out", "clone", "--missing", "--no-pictures", cwd=here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{CASES - 1} of {CASES} cases have rows in the CSV files" in done.stdout
    assert "cases: 1 measured" in done.stdout
    assert path.read_bytes() == whole
    assert untimed(here / "clone") == untimed(here / "out")
    done = rnn_bench("run", "tiny.toml", "--out", "clone", "--missing", "--no-pictures", cwd=here)
    assert done.returncode == 0, "nothing is missing, and that is well"
    assert "cases: 0 measured" in done.stdout


def test_tables_gives_the_same_bytes_again(measured, measured_again, rnn_bench):
    here, _ = measured
    derived = [*(here / "out" / "tables").iterdir(), *(here / "out" / "figures").glob("*.svg")]
    before = {path.name: path.read_bytes() for path in derived}
    for path in derived:
        path.unlink()
    done = rnn_bench("tables", "out", cwd=here)
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in derived} == before


def test_a_folder_of_another_dtype_is_refused(measured, complaint, rnn_bench):
    here, _ = measured
    before = csv_bytes(here / "out")
    line = complaint(rnn_bench("run", "tiny.toml", "--out", "out", "--dtype", "float64", cwd=here))
    assert "dtype: 'float32' and 'float64'" in line
    assert csv_bytes(here / "out") == before


DOUBLE = """
dtype = "float64"

[[spectra]]
cell = "elman_identity"
initialization = "identity"
gain = 0.5
hidden_size = 2
sequence_length = 400
singular_value_lag = 400
seeds = 1
"""


def test_a_suite_that_asks_for_float64_gets_it_unless_told_otherwise(tmp_path, rnn_bench):
    (tmp_path / "double.toml").write_text(DOUBLE, encoding="utf-8")
    done = rnn_bench("run", "double.toml", "--out", "out", "--no-pictures", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    values = Store(tmp_path / "out").read("singular_values")
    assert set(values["dtype"]) == {"float64"}
    # 0.5**400 is under the smallest float32.
    assert values["log10_singular_value"].to_list() == pytest.approx([-120.411998] * 2)
    done = rnn_bench(
        "run", "double.toml", "--out", "single", "--dtype", "float32", "--no-pictures", cwd=tmp_path
    )
    assert done.returncode == 1
    assert "will fail: singular_value_lag needs float64" in " ".join(done.stdout.split())
    (failure,) = Store(tmp_path / "single").read("failures").itertuples()
    assert "float64" in failure.error


@pytest.mark.slow
def test_a_second_fresh_run_gives_the_same_bytes_but_for_times(measured, rnn_bench):
    here, _ = measured
    done = rnn_bench("run", "tiny.toml", "--out", "second", cwd=here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert untimed(here / "second") == untimed(here / "out")


@pytest.mark.slow
def test_compare_joins_the_cases_of_two_dtypes(measured_in_float64, rnn_bench):
    single, double = measured_in_float64
    done = rnn_bench("compare", single, double, cwd=single.parent)
    assert done.returncode == 0, done.stderr
    assert "differs in dtype: 'float32' and 'float64'" in done.stdout
    assert "Time, right over left" in done.stdout
    assert "Rate in nats a step" in done.stdout
    assert "Lyapunov exponents in nats a step" in done.stdout
    assert re.search(r"verdicts: \d of 6 seeds agree", done.stdout)
    for cell in CELLS:
        assert cell in done.stdout


@pytest.mark.slow
def test_two_dtypes_measure_the_same_net_on_the_same_input(measured_in_float64):
    stores = [Store(folder) for folder in measured_in_float64]
    keys = ["match_id", "seed", "weights", "sequence", "lag"]
    single, double = (
        frame[(frame["input_kind"] == "white_noise")].set_index(keys).sort_index()
        for frame in (store.read("gradient_norms") for store in stores)
    )
    assert len(single) == 3 * 2 * 2 * 6
    assert list(single.index) == list(double.index)
    for name in ("frobenius_norm", "spectral_norm", "output_norm", "loss_gradient_norm"):
        column = f"log10_{name}"
        assert (single[column] - double[column]).abs().max() < 1e-3, column
        assert (single[column] != double[column]).any(), "float64 changes at least the last digits"
    worst = [store.read("exactness")["relative_error"].max() for store in stores]
    assert worst[1] < 1e-12 < worst[0] < 1e-5
