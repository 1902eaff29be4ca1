"""A published folder is found whole, and each way in which it could be tampered with is found and named."""

import json
import shutil
from pathlib import Path

import pytest

from bench import suite
from bench.cases import KINDS
from bench.check import case_ids, checked, machines, rows, shards
from bench.check.finding import DAMAGED, NOTE
from bench.check.ranges import out_of_range
from bench.deriving import derived
from bench.schema import RESULT_FILES
from bench.store import Store
from bench.store.shard import typed
from rnn_jax.tasks import TASKS

PUBLISHED = Path("results/amd-epyc-2-cores/scaling")
SEVERAL_SEEDS = Path("results/amd-epyc-2-cores/explosion")


@pytest.fixture
def copy(tmp_path):
    """`copy(folder)`: of a published folder, without its pictures."""

    def make(folder=PUBLISHED):
        shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns("figures"))
        return tmp_path / folder.name

    return make


def damage(folder):
    return [each for each in checked(folder) if each.weight == DAMAGED]


def told(found):
    return "\n".join(f"{each.file}: {each.problem}" for each in found)


@pytest.fixture(scope="module")
def timings():
    return Store(PUBLISHED).read("timings")


def test_what_was_published_holds_what_it_claims():
    assert damage(PUBLISHED) == []


def test_a_number_that_was_changed_by_hand_is_found(copy):
    folder = copy()
    path = folder / "timings.csv"
    lines = path.read_text(encoding="utf-8").split("\n")
    cells = lines[5].split(",")
    place = lines[0].split(",").index("run_s")
    cells[place] = f"{float(cells[place]) * 3:.9g}"
    lines[5] = ",".join(cells)
    path.write_text("\n".join(lines), encoding="utf-8")
    found = told(damage(folder))
    assert "tables/chain_cost.csv: differs from what the CSV files give" in found
    assert "tables/timing_summary.md: differs from what the CSV files give" in found


def test_a_file_that_something_else_wrote_is_found(copy):
    folder = copy()
    path = folder / "timings.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",1000,", ",1000.0,", 1), encoding="utf-8")
    assert "timings.csv: not as the harness wrote it: from line 2 on" in told(damage(folder))
    lines = (PUBLISHED / "timings.csv").read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join([lines[0], lines[2], lines[1], *lines[3:]]), encoding="utf-8")
    assert "rows would be written in another order" in told(damage(folder))


@pytest.mark.parametrize("change", ["mark", "quotes"])
def test_a_header_that_a_spreadsheet_wrote_is_found(copy, change):
    """A byte order mark, or names in quotes: the file is read all the same, but is not what was measured."""
    folder = copy()
    path = folder / "timings.csv"
    header, rest = path.read_bytes().split(b"\n", 1)
    quoted = b",".join(b'"%b"' % name for name in header.split(b","))
    path.write_bytes({"mark": b"\xef\xbb\xbf" + header, "quotes": quoted}[change] + b"\n" + rest)
    assert "timings.csv: not as the harness wrote it: from line 1 on" in told(damage(folder))


def test_a_file_that_cannot_be_read_is_found_and_the_rest_still_checked(copy):
    folder = copy()
    (folder / "decay.csv").write_text("schema_version,case_id\n1,a\n", encoding="utf-8")
    (folder / "machine.json").unlink()
    found = told(damage(folder))
    assert "decay.csv" in found
    assert "other columns than schema version 1" in found
    assert "machine.json: " in found


def test_a_table_that_is_missing_or_left_over_is_found(copy):
    folder = copy()
    (folder / "tables" / "chain_cost.md").unlink()
    (folder / "tables" / "theory.csv").write_text("a\n1\n", encoding="utf-8")
    found = told(damage(folder))
    assert "tables/chain_cost.md: is missing" in found
    assert "tables/theory.csv: is no table that the CSV files give" in found
    assert len(damage(folder)) == 2


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("gain", 2.0, "gain is 2.0, its case has 1.0"),
        ("dtype", "float64", "another machine, backend, dtype or precision than its id says"),
        ("matmul_precision", "default", "another machine, backend, dtype or precision"),
        ("case_id", "0123456789abcdef", "another machine, backend, dtype or precision"),
        ("cell", "gru", "cell is gru, its case has elman_tanh"),
    ],
)
def test_an_id_that_does_not_follow_from_its_row_is_found(column, value, said, timings):
    changed = timings.copy()
    changed.loc[3, column] = value
    (found,) = case_ids.recomputed(PUBLISHED, {"timings": changed})
    assert (found.weight, found.file) == (DAMAGED, "timings.csv")
    assert "case_id does not follow from its row" in found.problem
    assert said in found.problem


def test_rows_of_older_code_are_found(timings, monkeypatch):
    monkeypatch.setattr(KINDS["timings"], "VERSION", KINDS["timings"].VERSION + 1)
    (found,) = case_ids.recomputed(PUBLISHED, {"timings": timings})
    assert (found.weight, found.problem) == (DAMAGED, "rows of older code: version 2 of timings, now 3")


def test_results_of_one_process_are_still_the_cases_of_a_suite_that_asks_for_three():
    assert any(case.processes == 3 for case in suite.load("cpu").cases)
    folder = PUBLISHED.parent / "cpu"
    assert list(case_ids.recomputed(folder, {"timings": Store(folder).read("timings")})) == []


def test_what_cannot_be_recomputed_is_noted_and_is_no_fault(timings):
    for change, said in (
        ({"suite": "mine"}, "suite 'mine' is not one of the built-in suites"),
        ({"match_id": "ffff"}, "are none of suite 'scaling' as it is now"),
    ):
        (found,) = case_ids.recomputed(PUBLISHED, {"timings": timings.assign(**change)})
        assert found.weight == NOTE
        assert said in found.problem


def test_a_row_that_stands_there_twice_is_found(timings):
    (found,) = rows.of_each_file({"timings": timings.iloc[[0, *range(len(timings))]]})
    assert found.problem.startswith("line 3: a row of the same case_id, seed, operation")


def test_a_seed_that_is_missing_is_found():
    frame = Store(SEVERAL_SEEDS).read("task_accuracy")
    assert rows.of_each_file({"task_accuracy": frame}) == []
    (found,) = rows.of_each_file({"task_accuracy": frame[frame["seed"] != 1]})
    assert "seeds are missing: case" in found.problem
    assert "lacks 1" in found.problem


@pytest.mark.parametrize(
    ("kind", "column", "value", "said"),
    [
        ("timings", "run_s", -1.0, "run_s must be over 0 seconds, got -1"),
        ("timings", "run_s", None, "run_s must be over 0 seconds, got nan"),
        ("timings", "process", -1, "process must not be under 0, got -1"),
        ("timings", "schema_version", 7, "schema_version must be 1, got 7"),
        ("timings", "inner_calls", 0, "inner_calls must be at least 1, got 0"),
        ("timings", "compile_cache", "hot", "compile_cache must be one of off, cold, warm, got hot"),
        ("task_accuracy", "accuracy", 1.5, "accuracy must be from 0 to 1, got 1.5"),
        ("task_accuracy", "verdict", "great", "verdict must be one of"),
        ("decay", "regime", "sideways", "regime must be one of vanishing, stable"),
    ],
)
def test_a_value_out_of_range_is_found(kind, column, value, said, row):
    plausible = {"compile_cache": "off"} if kind == "timings" else {}
    frame = typed(RESULT_FILES[kind], [row(kind, **plausible), row(kind, **plausible | {column: value})])
    ((where, told_of_it),) = out_of_range(kind, frame)
    assert where.tolist() == [False, True]
    assert said in told_of_it


@pytest.mark.parametrize("task", sorted(TASKS))
def test_what_a_task_counts_is_a_share(task, row):
    frame = typed(
        RESULT_FILES["task_accuracy"], [row("task_accuracy", metric=TASKS[task].metric, accuracy=1.5)]
    )
    ((_, told_of_it),) = out_of_range("task_accuracy", frame)
    assert "accuracy must be from 0 to 1" in told_of_it


def test_rows_of_another_machine_are_found(timings, tmp_path):
    facts = json.loads((PUBLISHED / "machine.json").read_text(encoding="utf-8"))
    facts["identity"]["jax_version"] = "9.9"
    Store(tmp_path).write_machine(facts)
    (found,) = machines.of_rows(tmp_path, {"timings": timings})
    assert found.problem.endswith("jax_version is '0.10.1', but machine.json says '9.9'")
    del facts["identity"]["jax_version"]
    Store(tmp_path).write_machine(facts)
    assert "its identity has no 'jax_version'" in told(machines.of_rows(tmp_path, {"timings": timings}))


def test_shards_are_held_against_the_files(timings, row, tmp_path):
    store, case_id = Store(tmp_path), timings["case_id"].iloc[0]
    of_case = json.loads(
        timings[timings["case_id"] == case_id].to_json(orient="records", double_precision=15)
    )

    def said():
        return told(shards.beside(store, {"timings": timings}))

    store.write(case_id, {"timings": of_case})
    assert said() == ""
    with_more = {"timings": of_case, "decay": [row("decay", case_id=case_id)]}
    store.write(case_id, with_more)
    assert f"other rows than in the CSV files: {case_id}.json" in said()
    (tmp_path / "decay.csv").write_text("damaged, and told of elsewhere", encoding="utf-8")
    assert said() == ""
    for changed in ([of_case[0] | {"run_s": 9.0}, *of_case[1:]], of_case[1:]):
        store.write(case_id, {"timings": changed})
        assert f"other rows than in the CSV files: {case_id}.json" in said()
    (store.shards / f"{case_id}.json").write_text("{", encoding="utf-8")
    assert f"not whole: {case_id}.json" in said()
    (store.shards / f"{case_id}.json").unlink()
    store.write("elsewhere", {"timings": of_case})
    (found,) = shards.beside(store, {"timings": timings})
    assert found.weight == NOTE
    assert "the CSV files hold nothing: elsewhere.json" in found.problem


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("decay", "seeds are missing: case"),
        ("gradient_norms", "rows are missing, as the seeds of one case have different numbers of rows: case"),
    ],
)
def test_a_row_that_went_is_found_where_another_seed_or_file_has_it(kind, words):
    frames = {name: Store(SEVERAL_SEEDS.parent / "quick").read(name) for name in ("decay", "gradient_norms")}
    assert not rows.of_each_file(frames)
    (found,) = rows.of_each_file(frames | {kind: frames[kind].drop(index=7)})
    assert found.file == f"{kind}.csv"
    assert words in found.problem


@pytest.mark.parametrize(
    ("lost", "having"),
    [("decay", "task_accuracy"), ("task_accuracy", "decay")],
)
@pytest.mark.parametrize("cut", ["gone", "header"])
def test_a_file_that_was_lost_is_found(cut, lost, having, copy):
    folder = copy(SEVERAL_SEEDS)
    path = folder / f"{lost}.csv"
    header, _, _ = path.read_text(encoding="utf-8").partition("\n")
    path.write_text(header + "\n", encoding="utf-8")
    if cut == "gone":
        path.unlink()
    derived.derive(Store(folder), pictures=False)
    for plan_too in (True, False):  # what case_times.csv says is enough
        (found,) = damage(folder)
        assert found.file == f"{lost}.csv"
        assert "rows are missing: case " in found.problem
        assert f" has rows in {having}.csv and none here, case " in found.problem
        assert "--missing" in found.mend
        assert len(found.named) > 3  # all, where the problem names the first few
        if plan_too:
            (folder / "suite.json").unlink()


def test_cases_that_lost_all_rows_but_of_what_they_took_are_found(copy):
    folder = copy(SEVERAL_SEEDS.parent / "quick")
    (folder / "exactness.csv").unlink()
    derived.derive(Store(folder), pictures=False)
    (found,) = damage(folder)
    assert found.file == "exactness.csv"
    assert found.problem.count("has rows in case_times.csv and none here") == 3


def test_a_file_that_cannot_be_read_is_not_told_of_twice(copy):
    folder = copy(SEVERAL_SEEDS)
    (folder / "decay.csv").write_text("nonsense\n", encoding="utf-8")
    assert [each.file for each in damage(folder)] == ["decay.csv"]


def test_the_last_seed_is_missing_where_another_file_has_it():
    frames = {name: Store(SEVERAL_SEEDS).read(name) for name in ("decay", "task_accuracy")}
    case_id = frames["decay"]["case_id"].iloc[0]
    gone = frames["decay"].query("not (case_id == @case_id and seed == 2)")
    (found,) = rows.of_each_file(frames | {"decay": gone})
    assert (found.file, found.problem) == ("decay.csv", f"seeds are missing: case {case_id} lacks 2")
