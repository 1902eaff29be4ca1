"""Result folders: what is written is read again, whole, in one order, or not at all."""

import math

import pandas as pd
import pytest

from bench.errors import UsageError
from bench.schema import COMMON, RESULT_FILES
from bench.store import Store, write_csv

KINDS = sorted(RESULT_FILES)
DTYPES = {"text": "string", "integer": "Int64", "number": "float64", "truth": "boolean"}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def full(row, kind):
    """A row with a value in every column."""
    types = {column.name: column.type for column in RESULT_FILES[kind].all_columns}
    some = {"text": "some text", "integer": 3, "number": 0.125, "truth": True}
    return {name: some[types[name]] if value is None else value for name, value in row(kind).items()}


def sparse(row, kind):
    """A row without any value that may be missing."""
    optional = {c.name for c in RESULT_FILES[kind].all_columns if c.type != "text"} - {"schema_version"}
    return {name: value for name, value in row(kind).items() if name not in optional and value is not None}


# --- round trip


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_again(kind, store, row):
    store.write("c0", {kind: [full(row, kind)]})
    store.collate()
    frame = store.read(kind)
    assert frame.iloc[0].to_dict() == full(row, kind)
    for column in RESULT_FILES[kind].all_columns:
        assert str(frame[column.name].dtype) == DTYPES[column.type], column.name


@pytest.mark.parametrize("kind", KINDS)
def test_what_collate_returns_is_what_read_gives(kind, store, row):
    store.write("c0", {kind: [full(row, kind), full(row, kind) | {"seed": 1}]})
    collated = store.collate()
    pd.testing.assert_frame_equal(collated[kind], store.read(kind))
    assert store.kinds() == [kind]


@pytest.mark.parametrize("kind", KINDS)
def test_missing_values_stay_missing(kind, store, row):
    told = sparse(row, kind)
    store.write("c0", {kind: [told]})
    store.collate()
    read = store.read(kind).iloc[0]
    for column in RESULT_FILES[kind].all_columns:
        if column.name in told:
            assert read[column.name] == told[column.name]
        elif column.type == "text":
            assert pd.isna(read[column.name]) or read[column.name] == ""
        else:
            assert pd.isna(read[column.name]), column.name
    frame = store.read(kind)
    for column in RESULT_FILES[kind].all_columns:
        assert str(frame[column.name].dtype) == DTYPES[column.type], column.name


def test_a_column_may_be_missing_in_some_rows_only(store, row):
    rows = [
        row("decay", seed=0, reach_censored=False, explosion_lag_steps=None),
        row("decay", seed=1, reach_censored=None, sequence_count=None),
        row("decay", seed=2, reach_censored=True),
    ]
    store.write("c0", {"decay": rows})
    store.collate()
    frame = store.read("decay")
    assert frame["reach_censored"].isna().tolist() == [False, True, False]
    assert not frame["reach_censored"][0]
    assert frame["reach_censored"][2]
    assert frame["sequence_count"].isna().tolist() == [False, True, False]
    assert frame["sequence_count"].dtype == "Int64"


@pytest.mark.parametrize(
    "text", ["NA", "null", "nan", "None", "N/A", "True", "1", "1e5", "007", 'a "b", c', " ", "λ→∞", "-inf"]
)
def test_texts_survive_as_they_are(text, store, row):
    store.write("c0", {"failures": [row("failures", error=text, cell=text)]})
    store.collate()
    frame = store.read("failures")
    assert frame["error"].tolist() == [text]
    assert frame["cell"].tolist() == [text]


def test_infinities_and_not_a_number_survive(store, row):
    values = [-math.inf, math.inf, math.nan, 0.0, -1e300, 1e-300]
    rows = [row("gradient_norms", lag=lag, log10_spectral_norm=value) for lag, value in enumerate(values)]
    store.write("c0", {"gradient_norms": rows})
    store.collate()
    read = store.read("gradient_norms")["log10_spectral_norm"]
    assert [value == wanted for value, wanted in zip(read, values, strict=True)] == [True] * 2 + [False] + [
        True
    ] * 3
    assert math.isnan(read[2])


def test_large_integers_are_not_rounded(store, row):
    store.write("c0", {"timings": [row("timings", peak_bytes=2**52 + 1)]})
    store.collate()
    assert store.read("timings")["peak_bytes"][0] == 2**52 + 1


# --- bytes


def test_csv_is_utf8_with_line_feeds_and_nine_digits(store, row):
    rows = [row("failures", error="λ", elapsed_s=1 / 3), row("failures", seed=1, elapsed_s=123456789.75)]
    store.write("c0", {"failures": rows})
    store.collate()
    content = (store.folder / "failures.csv").read_bytes()
    assert b"\r" not in content
    assert content.endswith(b"\n")
    assert "λ".encode() in content
    assert not content.startswith(b"\xef\xbb\xbf")
    assert b",0.333333333\n" in content
    assert b",123456790\n" in content


@pytest.mark.parametrize("kind", KINDS)
def test_columns_stand_in_the_schemas_order(kind, store, row):
    store.write("c0", {kind: [dict(reversed(row(kind).items()))]})
    store.collate()
    header = (store.folder / f"{kind}.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert header == [column.name for column in RESULT_FILES[kind].all_columns]
    assert header[: len(COMMON)] == [column.name for column in COMMON]
    assert header[0] == "schema_version"
    assert header[len(COMMON) - 1] == "seed"


def test_the_order_of_rows_does_not_depend_on_the_order_of_writing(tmp_path, row):
    cases = {
        case_id: [
            row("gradient_norms", case_id=case_id, cell=cell, gain=gain, seed=seed, weights=weights, lag=lag)
            for seed in (1, 0)
            for weights in ("trained", "initial")
            for lag in (10, 2, 0)
        ]
        for case_id, cell, gain in (("zz", "gru", 2.0), ("aa", "lstm", 1.0), ("mm", "gru", 0.5))
    }
    contents = []
    for name, order in (("one", ["zz", "aa", "mm"]), ("other", ["mm", "zz", "aa"])):
        store = Store(tmp_path / name)
        for case_id in order:
            rows = cases[case_id] if name == "one" else cases[case_id][::-1]
            store.write(case_id, {"gradient_norms": rows})
        store.collate()
        contents.append((store.folder / "gradient_norms.csv").read_bytes())
    assert contents[0] == contents[1]
    frame = store.read("gradient_norms")
    keys = list(frame[["cell", "gain", "seed", "weights", "lag"]].itertuples(index=False, name=None))
    assert keys == sorted(keys)


def test_collating_again_leaves_the_same_bytes(store, row):
    store.write("c0", {"decay": [row("decay", rate_nats_per_step=math.pi)]})
    store.collate()
    before = (store.folder / "decay.csv").read_bytes()
    store.collate()
    assert (store.folder / "decay.csv").read_bytes() == before


def test_a_file_without_rows_goes_away(store, row):
    store.write("c0", {"failures": [row("failures")]}, status="failed")
    store.collate()
    store.write("c0", {"decay": [row("decay")]})
    store.collate()
    assert store.kinds() == ["decay"]
    assert not (store.folder / "failures.csv").exists()


def test_nothing_but_results_lies_in_the_folder(store, row, facts):
    store.write_machine(facts)
    store.write("c0", {"decay": [row("decay")]})
    store.collate()
    found = {str(path.relative_to(store.folder)) for path in store.folder.rglob("*") if path.is_file()}
    assert found == {"machine.json", "decay.csv", "shards/c0.json"}
    for name in found:
        assert (store.folder / name).stat().st_mode & 0o777 == 0o644, "other people may read results"


# --- collating some cases


def test_only_the_cases_asked_for_are_collated(store, row):
    for case_id in ("c0", "c1", "old"):
        store.write(case_id, {"decay": [row("decay", case_id=case_id)]})
    store.collate({"c0", "c1", "not measured yet"})
    assert store.read("decay")["case_id"].tolist() == ["c0", "c1"]
    assert (store.shards / "old.json").is_file(), "what was measured is not thrown away"


def test_a_damaged_shard_of_another_case_does_no_harm(store, row):
    store.write("c0", {"decay": [row("decay")]})
    (store.shards / "old.json").write_text("{", encoding="utf-8")
    store.collate({"c0"})
    assert store.read("decay")["case_id"].tolist() == ["c0"]


def test_rows_whose_shards_did_not_come_along_are_kept(store, row):
    kinds = ("decay", "gradient_norms", "task_accuracy")
    for case_id in ("c0", "c1"):
        store.write(case_id, {kind: [sparse(row, kind) | {"case_id": case_id, "seed": 5}] for kind in kinds})
    store.collate()
    before = {kind: (store.folder / f"{kind}.csv").read_bytes() for kind in kinds}
    for path in store.shards.iterdir():
        path.unlink()
    store.collate({"c0", "c1"})
    assert before == {kind: (store.folder / f"{kind}.csv").read_bytes() for kind in kinds}
    # One of them is measured again: its rows are the new ones, the other's stay.
    store.write("c1", {"decay": [row("decay", case_id="c1", seed=7)]})
    store.collate({"c0", "c1"})
    frame = store.read("decay")
    assert sorted(zip(frame["case_id"], frame["seed"], strict=True)) == [("c0", 5), ("c1", 7)]
    assert store.read("task_accuracy")["case_id"].tolist() == ["c0"]


def test_a_failure_without_a_shard_is_forgotten(store, row):
    store.write("c0", {"failures": [row("failures")]}, status="failed")
    store.collate()
    (store.shards / "c0.json").unlink()
    store.collate({"c0"})
    assert store.kinds() == []


# --- reading


def test_a_missing_file_is_told(store):
    with pytest.raises(UsageError, match=r"results has no decay\.csv"):
        store.read("decay")
    assert store.kinds() == []


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("reach_steps", "reach", 1),
        lambda text: text.replace("case_id,match_id", "match_id,case_id", 1),
        lambda text: "",
        lambda text: text + "one,two\n" * 2 + "," * 99 + "\n",
        lambda text: text.replace(",0.125", ",fast", 1),
        lambda text: text.replace(",3,", ",three,", 1),
        lambda text: text.replace(",True,", ",perhaps,", 1),
        lambda text: text.replace("\n", ",\n").replace(",\n", "\n", 1),
    ],
    ids=["renamed", "reordered", "empty", "ragged", "no number", "no integer", "no truth", "a column more"],
)
def test_an_edited_csv_is_told(edit, store, row):
    store.write("c0", {"decay": [row("decay")]})
    store.collate()
    path = store.folder / "decay.csv"
    text = path.read_text(encoding="utf-8")
    assert edit(text) != text
    path.write_text(edit(text), encoding="utf-8")
    with pytest.raises(UsageError, match=r"decay\.csv"):
        store.read("decay")


def test_write_csv_rounds_only_floating_numbers(tmp_path):
    frame = pd.DataFrame({"whole": [1234567890123], "part": [0.1 + 0.2], "text": ["a"]})
    write_csv(tmp_path / "some.csv", frame)
    assert (tmp_path / "some.csv").read_text(encoding="utf-8") == "whole,part,text\n1234567890123,0.3,a\n"


def test_files_written_before_a_column_existed_read_it_as_empty(store, row):
    kind = "task_accuracy"
    store.write("c0", {kind: [row(kind)]})
    store.collate()
    now = store.read(kind)
    path = store.folder / f"{kind}.csv"
    later = [column.name for column in RESULT_FILES[kind].columns if column.later]
    assert {"largest_exponent_after_nats_per_step", "target_id"} <= set(later)
    pd.read_csv(path, dtype=str, keep_default_na=False).drop(columns=later).to_csv(path, index=False)
    before = store.read(kind)
    assert list(before.columns) == list(now.columns)
    assert before[later].isna().all(axis=None)
    pd.testing.assert_frame_equal(before.drop(columns=later), now.drop(columns=later))


def test_a_missing_column_that_always_existed_is_another_schema(store, row):
    kind = "task_accuracy"
    store.write("c0", {kind: [row(kind)]})
    store.collate()
    path = store.folder / f"{kind}.csv"
    pd.read_csv(path, dtype=str, keep_default_na=False).drop(columns=["verdict"]).to_csv(path, index=False)
    with pytest.raises(UsageError, match="has other columns than schema version"):
        store.read(kind)
