"""Result folders: what is written is read again, whole, in one order, or not at all."""

import math
import os

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


# --- shards


def test_is_done(store, row):
    assert not store.is_done("c0")
    store.write("c0", {"decay": [row("decay")]})
    assert store.is_done("c0")
    assert not store.is_done("c1")


def test_a_failed_case_is_not_done(store, row):
    store.write("c0", {"failures": [row("failures")]}, status="failed")
    assert not store.is_done("c0")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: '{"schema_version": 1}',
        lambda text: text.replace('"case_id": "c0"', '"case_id": "c7"', 1),
        lambda text: text.replace('"decay":', '"decoy":', 1),
        lambda text: text.replace('"reach_steps"', '"reach"', 1),
        lambda text: text.replace("0.125", '"fast"', 1),
        lambda text: "[" * 100_000,
        lambda text: "\xff",
    ],
    ids=[
        "truncated", "empty", "a list", "without content", "another case", "no such kind", "no such column",
        "no number", "deep", "no text",
    ],
)  # fmt: skip
def test_a_damaged_shard_is_set_aside_and_its_rows_stay(damage, store, row):
    store.write("c0", {"decay": [row("decay")]})
    store.write("c1", {"decay": [row("decay", case_id="c1")]})
    store.collate()
    before = (store.folder / "decay.csv").read_bytes()
    path = store.shards / "c0.json"
    path.write_bytes(damage(path.read_text(encoding="utf-8")).encode("latin-1"))
    damaged = path.read_bytes()
    told = []
    store.collate({"c0", "c1"}, told.append)
    (line,) = told
    assert f"{path} is no whole shard" in line
    assert "measures its case again" in line
    assert not store.has_shard("c0")
    assert store.is_done("c1")
    assert (store.put_aside / "c0.json").read_bytes() == damaged
    assert (store.folder / "decay.csv").read_bytes() == before


def test_what_is_set_aside_takes_no_others_place(store):
    store.shards.mkdir(parents=True)
    for content in ("one", "two", "three"):
        (store.shards / "c0.json").write_text(content, encoding="utf-8")
        assert not store.is_done("c0")
        assert "c0.json is no whole shard" in store.clean({"c0", "not measured yet"})[0]
    kept = {path.name: path.read_text(encoding="utf-8") for path in store.put_aside.iterdir()}
    assert kept == {"c0.json": "one", "c0.2.json": "two", "c0.3.json": "three"}


def test_a_shard_of_another_schema_is_refused_and_left(store, row):
    store.write("c0", {"decay": [row("decay")]})
    path = store.shards / "c0.json"
    text = path.read_text(encoding="utf-8").replace('"schema_version": 1', '"schema_version": 2', 1)
    path.write_text(text, encoding="utf-8")
    for refused in (lambda: store.is_done("c0"), lambda: store.clean({"c0"}), store.collate):
        with pytest.raises(UsageError, match=r"c0\.json has schema_version 2, this .* choose another --out"):
            refused()
    assert path.read_text(encoding="utf-8") == text


def test_a_column_or_kind_that_the_schema_does_not_know_is_not_written(store, row):
    with pytest.raises(ValueError, match="decay has no column 'speed'"):
        store.write("c0", {"decay": [row("decay"), row("decay") | {"speed": 1.0}]})
    with pytest.raises(ValueError, match="there is no result file 'decoy'"):
        store.write("c0", {"decoy": []})
    assert not store.shards.exists()


def test_a_shard_is_replaced_by_a_later_one(store, row):
    store.write("c0", {"decay": [row("decay", rate_nats_per_step=-1.0)]})
    store.write("c0", {"decay": [row("decay", rate_nats_per_step=-2.0)]})
    store.collate()
    assert store.read("decay")["rate_nats_per_step"].tolist() == [-2.0]


def test_a_write_that_is_cut_short_leaves_what_was_there(store, row, monkeypatch):
    store.write("c0", {"decay": [row("decay")]})
    before = (store.shards / "c0.json").read_bytes()

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(UsageError, match=r"cannot write .*c0\.json: No space left on device"):
        store.write("c0", {"decay": []})
    assert (store.shards / "c0.json").read_bytes() == before
    assert [path.name for path in store.shards.iterdir()] == ["c0.json"]


def test_a_write_that_is_interrupted_leaves_no_temporary_file(store, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.write("c0", {"decay": []})
    assert list(store.shards.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "results").write_text("not a folder", encoding="utf-8")
    with pytest.raises(UsageError, match=r"cannot write .*results"):
        Store(tmp_path / "results").write("c0", {"decay": []})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot write"):
        Store(tmp_path).write("c0", {"decay": []})


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
