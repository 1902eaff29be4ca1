"""Derived tables of frames whose numbers are known."""

import math
from pathlib import Path

import pandas as pd
import pytest

from bench import tables, terminal
from bench.errors import UsageError
from bench.folders import result_folders
from bench.store import Store
from bench.trained_runs import VERDICTS


def only_row(table):
    assert len(table) == 1
    return table.iloc[0]


# --- accuracy


@pytest.fixture
def accuracy(row, folder_of):
    def read(*rows):
        return folder_of(task_accuracy=[row("task_accuracy", **each) for each in rows]).read("task_accuracy")

    return read


def test_accuracy_summary_counts_verdicts_and_takes_medians(accuracy):
    outcomes = [
        ("solved", 1.0, 300, None),
        ("solved", 0.9, 500, None),
        ("at_baseline", 0.1, None, None),
        ("diverged", None, None, 17),
        ("better_than_baseline", 0.5, None, None),
    ]
    told = only_row(
        tables.accuracy_summary(
            accuracy(
                *(
                    {
                        "seed": seed,
                        "verdict": verdict,
                        "accuracy": score,
                        "steps_to_solve": steps,
                        "first_nonfinite_step": nonfinite,
                    }
                    for seed, (verdict, score, steps, nonfinite) in enumerate(outcomes)
                )
            )
        )
    )
    assert told["seeds"] == 5
    assert [told[name] for name in VERDICTS] == [2, 1, 1, 1]
    assert told["accuracy"] == pytest.approx(0.7), "the median of those that have one"
    assert (told["accuracy_least"], told["accuracy_most"]) == (0.1, 1.0)
    assert told["steps_to_solve"] == 400
    assert told["first_nonfinite_step"] == 17


def test_accuracy_summary_of_seeds_that_all_diverged(accuracy):
    told = only_row(
        tables.accuracy_summary(
            accuracy(*({"seed": s, "verdict": "diverged", "accuracy": None, "loss": None} for s in (0, 1)))
        )
    )
    assert told["diverged"] == 2
    assert math.isnan(told["accuracy"])
    assert math.isnan(told["first_nonfinite_step"])


def test_accuracy_summary_counts_a_seed_once_though_two_numbers_of_seeds_were_run(accuracy):
    first = [{"case_id": "two seeds", "seed": seed} for seed in (0, 1)]
    later = [{"case_id": "three seeds", "seed": seed} for seed in (0, 1, 2)]
    told = only_row(tables.accuracy_summary(accuracy(*first, *later)))
    assert (told["seeds"], told["solved"]) == (3, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"cell": "gru"},
        {"gain": 2.0},
        {"task_length": 20},
        {"variant": "mean"},
        {"remedy": "clip_by_value", "remedy_strength": 1.0},
        {"remedy_strength": 2.0},
        {"optimizer": "sgd"},
        {"learning_rate": 0.1},
        {"step_budget": 7},
        {"forget_bias": 5.0},
        {"dt": 0.1},
        {"batch_size": 7},
    ],
    ids=lambda change: next(iter(change)),
)
def test_accuracy_summary_never_mixes_two_settings(change, accuracy):
    one = {"cell": "lstm", "forget_bias": 1.0, "remedy": "clip_by_norm", "remedy_strength": 1.0}
    told = tables.accuracy_summary(accuracy(one, one | {"case_id": "other", "verdict": "diverged"} | change))
    assert sorted(told["solved"]) == [0, 1]


# --- cost


@pytest.fixture
def timings(row, folder_of):
    def read(*rows):
        return folder_of(timings=[row("timings", **each) for each in rows]).read("timings")

    return read


def rounds(chain, bare, **setting):
    """Two implementations' samples of the same rounds."""
    return [
        {"implementation": name, "round": number, "run_s": run_s, **setting}
        for name, samples in (("rnn_jax", chain), ("bare_products", bare))
        for number, run_s in enumerate(samples)
    ]


def test_chain_cost_pairs_the_samples_of_a_round(timings):
    # A slow second half hits both: each round's ratio is 2 but for one, while the ratio of medians is not.
    told = only_row(
        tables.chain_cost(timings(*rounds([2.0, 4.0, 20.0, 40.0, 30.0], [1.0, 2.0, 10.0, 20.0, 10.0])))
    )
    assert told["rounds"] == 5
    assert told["ratio"] == 2.0
    assert (told["ratio_least"], told["ratio_most"]) == (2.0, 3.0)
    assert (told["chain_s"], told["bare_products_s"]) == (20.0, 10.0)


def test_chain_cost_leaves_other_operations_out(timings):
    told = tables.chain_cost(
        timings(*rounds([2.0], [1.0]), *rounds([9.0], [1.0], operation="lyapunov", case_id="other"))
    )
    assert only_row(told)["ratio"] == 2.0


@pytest.mark.parametrize(
    "change",
    [{"cell": "gru"}, {"hidden_size": 8, "state_size": 8}, {"sequence_length": 9}, {"gain": 2.0}],
    ids=lambda change: next(iter(change)),
)
def test_chain_cost_never_mixes_two_cases(change, timings):
    told = tables.chain_cost(
        timings(*rounds([2.0, 2.0], [1.0, 1.0]), *rounds([6.0, 6.0], [2.0, 2.0], case_id="other", **change))
    )
    # Two settings may share a line; then all of their rounds must be in it.
    assert told["rounds"].sum() == 4
    assert told["ratio_least"].min() == 2.0
    assert told["ratio_most"].max() == 3.0


def test_chain_cost_holds_an_lstm_to_its_own_products_too(timings):
    own = [{"implementation": "own_products", "round": number, "run_s": 0.5} for number in range(2)]
    told = only_row(tables.chain_cost(timings(*rounds([2.0, 2.0], [1.0, 1.0]), *own)))
    assert (told["ratio"], told["ratio_to_own_products"]) == (2.0, 4.0)
    told = only_row(tables.chain_cost(timings(*rounds([2.0, 2.0], [1.0, 1.0]))))
    assert told["ratio_to_own_products"] == 2.0, "where there are none, the bare ones are its own"


def test_chain_scaling_finds_the_exponents_of_power_laws(timings):
    made = []
    for length in (1000, 10_000, 100_000):
        made += rounds([2.0 * length**1.0] * 2, [length**1.1] * 2, case_id=f"T{length}",
                       sequence_length=length, lag_count=100, state_size=64)  # fmt: skip
    for size in (64, 128, 256):
        made += rounds([size**2.5] * 2, [size**3.0] * 2, case_id=f"n{size}",
                       sequence_length=1000, lag_count=100, state_size=size)  # fmt: skip
    told = tables.chain_scaling(timings(*made)).set_index("varied")
    assert told["chain_exponent"].to_dict() == pytest.approx({"sequence_length": 1.0, "state_size": 2.5})
    assert told["bare_products_exponent"].to_dict() == pytest.approx(
        {"sequence_length": 1.1, "state_size": 3.0}
    )
    assert told["points"].to_dict() == {"sequence_length": 2, "state_size": 2}, "short ones tell no law"


def test_exactness_summary_takes_the_worst(row, folder_of):
    frame = folder_of(
        exactness=[
            row("exactness", seed=seed, lag=lag, relative_error=error)
            for seed, lag, error in ((0, 1, 1e-8), (1, 1, 1e-7), (0, 9, math.inf), (1, 9, 0.0))
        ]
    ).read("exactness")
    told = tables.exactness_summary(frame)
    assert told["lag"].tolist() == [1, 9]
    assert told["largest_relative_error"].tolist() == [1e-7, math.inf]
    assert told["seeds"].tolist() == [2, 2]


# --- files


def test_markdown_is_a_table_with_blanks_and_escapes():
    text = tables.markdown(
        pd.DataFrame(
            {
                "text": ["x|y", "plain", "last"],
                "number": [1 / 3, float("nan"), float("-inf")],
                "whole": pd.array([12345, None, 7], dtype="Int64"),
                "maybe": ["", None, pd.NA],
            }
        )
    )
    lines = text.splitlines()
    assert text.endswith("\n")
    assert lines[1] == "|---|---|---|---|"
    assert lines[2] == r"| x\|y | 0.3333 | 12345 |  |"
    assert lines[3] == "| plain |  |  |  |"
    assert lines[4] == "| last | -inf | 7 |  |"
    assert lines[0] == "| text | number | whole | maybe |"


def test_tables_of_a_folder_are_those_that_its_files_allow(row, folder_of):
    assert not list(tables.tables(folder_of("empty")))
    store = folder_of("some", decay=[row("decay")])
    assert [name for name, _ in tables.tables(store)] == ["decay_summary"]
    store = folder_of("with a claim", exactness=[row("exactness")])
    assert [name for name, _ in tables.tables(store)] == ["exactness_summary", "claims"]


def test_derive_writes_each_table_twice_and_the_same_bytes_again(row, folder_of):
    store = folder_of(
        decay=[row("decay", seed=seed, rate_nats_per_step=-seed / 3) for seed in range(3)],
        exactness=[row("exactness")],
    )
    tables.derive(store)
    written = {path.name: path.read_bytes() for path in (store.folder / "tables").iterdir()}
    assert set(written) == {
        f"{name}.{suffix}"
        for name in ("decay_summary", "exactness_summary", "claims")
        for suffix in ("csv", "md")
    }
    assert b"-0.333333333" in written["decay_summary.csv"]
    assert b"-0.3333 |" in written["decay_summary.md"]
    tables.derive(store)
    assert written == {path.name: path.read_bytes() for path in (store.folder / "tables").iterdir()}


def test_derive_without_pictures_leaves_those_that_are_there_alone(row, folder_of):
    store = folder_of(decay=[row("decay")], exactness=[row("exactness")])
    picture = store.folder / "figures" / "decay.png"
    picture.parent.mkdir()
    picture.write_bytes(b"as it was")
    assert "decay_summary" in tables.derive(store, pictures=False)
    assert (store.folder / "tables" / "decay_summary.csv").exists()
    assert [path.name for path in picture.parent.iterdir()] == ["decay.png"]
    assert picture.read_bytes() == b"as it was"


def test_a_table_whose_rows_went_away_goes_away(row, folder_of):
    store = folder_of(decay=[row("decay")])
    tables.derive(store)
    store.write("c0", {"exactness": [row("exactness")]})
    store.collate()
    tables.derive(store)
    assert not (store.folder / "tables" / "decay_summary.csv").exists(), "a table of results that are gone"


def test_derive_does_not_make_a_folder(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        tables.derive(Store(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()


def test_the_terminal_tells_layers_where_a_net_has_more_than_one(row, folder_of):
    for layers, shown in (((1, 1), False), ((1, 4), True)):
        rows = [row("decay", layers=each, seed=each, case_id=f"c{each}") for each in layers]
        ((_, table),) = terminal.terminal_tables(folder_of(str(layers), decay=rows).folder)
        assert ("layers" in table.columns) == shown
        if shown:
            assert list(table.columns[:3]) == ["cell", "layers", "gain"]
            assert table["layers"].tolist() == [1, 4]


def test_terminal_tables_leave_out_what_a_task_drives(row, folder_of):
    store = folder_of(
        decay=[
            row("decay", case_id="noise", rate_nats_per_step=-1.0),
            row("decay", case_id="task", input_kind="adding", rate_nats_per_step=-2.0),
        ]
    )
    ((title, table),) = terminal.terminal_tables(store.folder)
    assert "white-noise" in title
    assert table["rate/step"].tolist() == [-1.0]


def test_derive_leaves_files_of_other_names_alone(row, folder_of):
    store = folder_of(decay=[row("decay")])
    mine = store.folder / "tables" / "mine.tex"
    mine.parent.mkdir()
    mine.write_text("mine")
    tables.derive(store)
    assert mine.read_text() == "mine"
    assert (store.folder / "tables" / "decay_summary.csv").is_file()


def test_derive_refuses_a_folder_without_results(tmp_path):
    with pytest.raises(UsageError, match="holds no result file"):
        tables.derive(Store(tmp_path))


@pytest.mark.parametrize("folder", result_folders(), ids=lambda folder: "/".join(folder.parts[1:]))
def test_every_committed_table_is_one_that_is_derived(folder):
    """So CI, which derives them all again and compares bytes, leaves none out."""
    known = {f"{name}{suffix}" for name in tables.TABLES for suffix in (".csv", ".md")}
    there = {path.name for path in (folder / "tables").iterdir()}
    assert there <= known
    assert all({f"{Path(name).stem}.csv", f"{Path(name).stem}.md"} <= there for name in there)
