"""Several folders beside the first one: the verb's output, its JSON, and when it fails."""

import json
import os
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.cli.main import app
from bench.comparing import comparison
from bench.schema import RESULT_FILES
from bench.store import Store, read_machine, write_csv
from bench.store.shard import typed

REGRESSION = 3
FACTS = {"identity": {"machine": "slow-chip-2-cores", "dtype": "float32", "packages": {"jax": "0.10.1"}},
         "volatile": {}}  # fmt: skip


@pytest.fixture(scope="module")
def folder(row, tmp_path_factory):
    """`folder(name, slower=factor)`: three processes a timing, of five rounds; ours at one size so much slower."""
    root = tmp_path_factory.mktemp("compared")

    @cache
    def make(name, slower=1.0, processes=3):
        rng = np.random.default_rng(sum(map(ord, name)))
        rows = []
        for size in (16, 64, 256):
            for implementation in ("rnn_jax", "bare_products"):
                ours = slower if (size, implementation) == (64, "rnn_jax") else 1.0
                for process in range(processes):
                    level = ours * size * 1e-4 * np.exp(0.01 * rng.normal())
                    told = {
                        "case_id": f"c{size}",
                        "match_id": f"m{size}",
                        "state_size": size,
                        "process": process,
                    }
                    rows += [
                        row(
                            "timings",
                            **told,
                            implementation=implementation,
                            round=number,
                            run_s=float(level * np.exp(0.005 * rng.normal())),
                        )
                        for number in range(5)
                    ]
        store = Store(root / f"{slower}-{processes}" / name)
        store.write_machine(FACTS)
        for kind, some in (
            ("timings", rows),
            ("decay", [row("decay")]),
            ("task_accuracy", [row("task_accuracy")]),
        ):
            write_csv(store.folder / f"{kind}.csv", typed(RESULT_FILES[kind], some))
        return store.folder

    return make


def compare(*arguments):
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def test_every_folder_is_compared_with_the_first(folder):
    told = compare(*(folder(name) for name in ("first", "second", "third")))
    assert told.exit_code == 0, told.output
    for name in ("second", "third"):
        assert f"/{name}" in told.stdout
    assert told.stdout.count("Geometric mean of our ratios") == 2
    assert "slower" not in told.stdout.replace("faster  slower", "")
    assert "verdicts: 1 of 1 seeds agree" in told.stdout


def test_it_is_readable_in_eighty_columns(folder):
    told = compare(folder("first"), folder("second", slower=0.001234567))
    lines = [line.rstrip() for line in told.stdout.splitlines()]
    prose = ("left:", "right:", "too few", "  differs")
    assert max(len(line) for line in lines if not line.startswith(prose)) <= 80
    assert any("faster" in line and "0.001" in line for line in lines)


def test_json_has_every_table(folder):
    told = json.loads(compare(folder("first"), folder("second"), folder("third"), "--json").stdout)
    assert (told["factor"], told["false_alarm_rate"]) == (1.05, 0.05)
    second, third = told["comparisons"]
    assert third["folder"].endswith("third")
    assert len(second["times"]) == 6
    assert {row["verdict"] for row in second["times"]} <= {"same", "too few samples"}
    assert all(row["ratio_low"] < row["ratio"] < row["ratio_high"] for row in second["times"])
    assert second["means"][0]["timings"] == 3
    assert second["differs_in"] == []


@pytest.mark.parametrize(("slower", "code"), [(1.0, 0), (1.05, 0), (1.3, REGRESSION), (0.5, 0)])
def test_it_fails_on_a_regression_beyond_the_factor(slower, code, folder):
    told = compare(
        folder("before"), folder("after", slower), "--fail-on", "regression", "--factor", "1.1"
    )  # fmt: skip
    assert told.exit_code == code, told.output
    assert f"{int(slower == 1.3)} of our timings slower than 1.1 times the reference" in told.stdout


def test_without_fail_on_a_regression_is_told_only(folder):
    told = compare(folder("before"), folder("after", 1.3))
    assert told.exit_code == 0
    assert "slower" in told.stdout


def test_any_of_several_folders_fails(folder):
    folders = folder("before"), folder("after", 1.3), folder("last")
    assert compare(*folders, "--fail-on", "regression").exit_code == REGRESSION


@pytest.fixture
def refused():
    def told(*arguments):
        caught = compare(*arguments)
        assert caught.exit_code == 2
        return caught.stderr

    return told


def test_a_regression_is_of_one_machine_only(folder, refused, tmp_path):
    before, after = folder("before"), tmp_path / "after"
    shutil.copytree(folder("after"), after)
    facts = read_machine(after)
    facts["identity"]["packages"]["jax"] = "0.11.0"
    Store(after).write_machine(facts)
    line = refused(before, after, "--fail-on", "regression")
    assert "differ in packages.jax: '0.10.1' and '0.11.0'" in line
    assert "differs in packages.jax" in compare(before, after).stdout


@pytest.mark.parametrize("after", ["0.2.0", None, "absent"])
def test_a_regression_may_be_of_two_versions_of_this_package(after, folder, tmp_path):
    folders = [tmp_path / name for name in ("before", "after")]
    for path, version in zip(folders, ("0.1.0", after), strict=True):
        shutil.copytree(folder(path.name), path)
        facts = read_machine(path)
        if version != "absent":
            facts["identity"]["packages"]["rnn-jax-bench"] = version
        Store(path).write_machine(facts)
    done = compare(*folders, "--fail-on", "regression")
    assert done.exit_code == 0, done.output
    assert "differs in packages.rnn-jax-bench: '0.1.0' and " in done.stdout, "it is told all the same"


def test_a_folder_beside_itself_is_told_and_passes_no_gate(folder, refused, tmp_path):
    before = folder("before")
    (tmp_path / "after").symlink_to(before)
    for again in (before, before / ".." / before.name, tmp_path / "after"):
        assert "both are the same folder, which is compared with itself\n" in compare(before, again).stdout
        assert "is the reference itself" in refused(before, again, "--fail-on", "regression")
    assert "the same folder" not in compare(before, folder("after")).stdout


def test_what_cannot_be_judged_does_not_pass(folder, refused):
    line = refused(folder("before"), folder("after", 9.0, processes=1), "--fail-on", "regression")
    assert "no timing of" in line
    assert "processes = 3" in line
    told = compare(folder("before"), folder("after", 9.0, processes=1))
    assert "6 of 6 timings have fewer than 3 fresh processes" in told.stdout


@pytest.fixture
def part(folder, tmp_path):
    """`part(name, sizes, slower=factor)`: as `folder`, with the timings of these sizes alone."""

    def make(name, sizes, slower=1.0):
        shutil.copytree(folder(name, slower), tmp_path / name)
        timings = Store(tmp_path / name).read("timings")
        write_csv(tmp_path / name / "timings.csv", timings[timings["state_size"].isin(sizes)])
        return tmp_path / name

    return make


def test_what_one_side_has_alone_is_told_in_one_line(folder, part):
    left, right = part("first", [16, 64]), part("second", [64, 256])
    told = compare(left, right).stdout
    assert f"2 timings of the reference not in {right}, 2 timings of {right} not in the reference\n" in told
    (document,) = json.loads(compare(left, right, "--json").stdout)["comparisons"]
    missing, more = document["times_of_reference_alone"], document["times_of_folder_alone"]
    assert [(row["state_size"], row["implementation"]) for row in missing] == [
        (16, "bare_products"),
        (16, "rnn_jax"),
    ]
    assert [row["state_size"] for row in more] == [256, 256]
    assert "not in" not in compare(folder("first"), folder("second")).stdout


def test_times_that_one_side_has_none_of_are_all_told(folder, tmp_path):
    shutil.copytree(folder("second"), tmp_path / "second")
    (tmp_path / "second" / "timings.csv").unlink()
    assert "6 timings of the reference not in" in compare(folder("first"), tmp_path / "second").stdout
    assert "6 timings of" in compare(tmp_path / "second", folder("first")).stdout


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_timings_that_are_missing_do_not_pass(as_json, folder, part):
    before, after = folder("before"), part("after", [64])
    done = compare(before, after, "--fail-on", "regression", *as_json)
    assert done.exit_code == 2
    assert f"2 of our timings of {before} are not in {after}, so that nobody knows" in done.stderr
    if not as_json:
        counts = "0 of our timings slower than 1.05 times the reference, 0 faster, 1 same, 0 not decided, 2 missing"
        assert counts in done.stdout
    assert compare(after, before, "--fail-on", "regression").exit_code == 0, "more of them is well"


def test_a_regression_is_one_though_others_are_missing(folder, part):
    done = compare(folder("before"), part("after", [64], slower=1.3), "--fail-on", "regression")
    assert done.exit_code == REGRESSION
    assert "1 of our timings slower than 1.05 times" in done.stdout
    assert "2 missing" in done.stdout


@pytest.mark.parametrize(("slower", "code"), [(1.0, 2), (1.3, REGRESSION)])
def test_a_folder_without_anything_in_common_hides_no_other(slower, code, folder, part, tmp_path):
    before, apart, after = part("before", [16, 64]), part("apart", [256]), folder("after", slower)
    for file in ("decay.csv", "task_accuracy.csv"):
        (apart / file).unlink()
    done = compare(before, apart, after, "--fail-on", "regression", "--out", tmp_path / "kept")
    assert done.exit_code == code
    assert f"right: {after}\n" in done.stdout
    assert f"not compared: {before} and {apart} have no case in common" in done.stdout
    assert json.loads((tmp_path / "kept" / "comparison.json").read_text())["folders"] == [
        "../before",
        os.path.relpath(after, tmp_path / "kept"),
    ]
    done = compare(before, apart, after, "--json")
    assert (done.exit_code, "have no case in common" in done.stderr) == (2, True)
    document = json.loads(done.stdout)
    assert [Path(each["folder"]) for each in document["comparisons"]] == [after]
    (left_out,) = document["not_compared"]
    assert Path(left_out["folder"]) == apart


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--factor", "1"], "--factor must be a number over 1, got 1"),
        (["--factor", "nan"], "--factor must be a number over 1, got nan"),
        (["--fail-on", "anything"], "--fail-on must be regression, got 'anything'"),
    ],
)
def test_misuse_is_told(more, told, folder, refused):
    assert told in refused(folder("before"), folder("after"), *more)


def test_one_folder_is_not_enough(folder, refused):
    assert "two result folders or more" in refused(folder("before"))


def test_a_comparison_of_several_is_kept(folder, tmp_path):
    folders = [folder(name) for name in ("first", "second", "third")]
    comparison.keep(folders, tmp_path / "kept", 1.2)
    tables = dict(comparison.tables(tmp_path / "kept"))
    assert len(set(tables["times"]["right"])) == 2
    assert {each.rpartition("/")[2] for each in tables["times"]["right"]} == {"second", "third"}
    assert len(tables["times"]) == 12
    assert comparison.sides(tmp_path / "kept") == folders
    assert {path.name for path in (tmp_path / "kept").glob("*.png")} == {"times.png", "times_2.png"}
    assert set(tables["times"]["verdict"]) == {"same"}, "with the factor that it was made with"


def test_keeping_while_it_is_shown_writes_what_is_derived_later(folder, tmp_path):
    folders = [folder("first"), folder("second", slower=2.0), folder("third", slower=0.5)]
    kept = tmp_path / "kept"
    assert compare(*folders, "--out", str(kept)).exit_code == 0
    shown = {path.name: path.read_bytes() for path in kept.iterdir()}
    comparison.derive(kept)
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == shown


def test_it_says_how_many_sizes_were_judged_where_not_all_were(folder, row, folder_of):
    sides = [
        folder_of(
            side,
            timings=[
                row("timings", match_id=f"m{size}", implementation="rnn_jax", state_size=size, run_s=run_s)
                for size in (8, 16)
            ],
        ).folder
        for side, run_s in (("one", 1.0), ("other", 2.0))
    ]
    assert "0 of 2 ratios judged, the others by medians alone" in compare(*sides).stdout
    assert "ratios judged" not in compare(folder("first"), folder("second", slower=2.0)).stdout
