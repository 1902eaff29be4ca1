"""Result folders of any kind: every reader gives its answer, or one sentence that names the file and the place."""

import importlib
import itertools
import json
import re
import warnings
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import plots, report, tables
from bench.check import checked
from bench.cli.terminal import terminal_tables
from bench.comparing.two_folders import compared, unlike
from bench.errors import UsageError
from bench.running import folders
from bench.running.status import status_of
from bench.schema import RESULT_FILES
from bench.store import Store, read_machine
from bench.tables.target_table import target_table
from bench.targets import targets

from . import mutation

FACTS = {
    "identity": {"machine": "slow-chip-2-cores", "backend": "cpu", "dtype": "float32", "device_count": 1,
                 "device_kind": "Slow Chip", "packages": {"jax": "0.10.1"}},
    "volatile": {"command": "rnn-bench run tiny", "commit": "0123456789abcdef", "memory_bytes": 8e9, "driver": None},
}  # fmt: skip
# By kind, the columns that differ between rows: every combination is a row.
VARIED = {
    "gradient_norms": {"cell": ["lstm", "gru"], "gain": [0.5, 2.0], "lag": [0, 10, 100]},
    "pair_norms": {"later_time": [0, 50, 100], "earlier_time": [0, 50]},
    "decay": {"cell": ["elman_tanh", "gru"], "gain": [0.5, 2.0], "weights": ["initial", "trained"], "seed": [0, 1]},
    "lyapunov": {"gain": [1.5, 2.0], "input_size": [0], "index": [1, 2, 3]},
    "singular_values": {"lag": [10, 100], "index": [1, 2]},
    "task_accuracy": {"cell": ["elman_tanh", "lstm"], "task_length": [50, 100], "seed": [0, 1],
                      "remedy": ["none", "clip_by_norm"], "optimizer": ["sgd"], "target_id": ["", next(iter(targets()))]},
    "training_curves": {"cell": ["elman_tanh", "lstm"], "step": [1, 10, 20], "seed": [0, 1]},
    "timings": {"implementation": ["rnn_jax", "bare_products", "own_products"], "sequence_length": [10_000, 20_000],
                "hidden_size": [128, 256], "round": [0, 1]},
    "device_timings": {"devices": [1, 2], "round": [0, 1]},
    "data_generation": {"part": ["drawing", "training_step"], "training_steps": [2, 50], "round": [0, 1]},
    "dependence": {"context_steps": [0, 5, 10]},
    "agreement": {"implementation": ["rnn_jax", "torch_nn"]},
    "precision": {"lag": [10, 100], "dtype": ["float32", "float64"]},
}  # fmt: skip
GROUPS = (
    ("decay", "gradient_norms", "pair_norms", "exactness"),
    ("task_accuracy", "training_curves", "explosions", "evaluations"),
    ("task_accuracy", "tuning", "snapshots", "held_out_scores", "dependence"),
    ("timings", "ceilings", "lyapunov", "singular_values"),
    ("agreement", "timings", "device_timings", "data_generation", "precision", "failures"),
)


def rows_of(kind, row):
    varied = VARIED.get(kind, {"seed": [0, 1], "cell": ["elman_tanh", "lstm"]})
    columns = {column.name for column in RESULT_FILES[kind].all_columns}
    for values in itertools.product(*varied.values()):
        chosen = {name: value for name, value in zip(varied, values, strict=True) if name in columns}
        told = {
            name: value
            for name, value in chosen.items()
            if name not in ("seed", "round", "lag", "index", "step")
        }
        ids = {"case_id": f"c{hash_of(told)}", "match_id": f"m{hash_of(told)}"} if kind != "exactness" else {}
        yield row(kind, **(ids | chosen))


def hash_of(told):
    return sum(map(ord, json.dumps(told, sort_keys=True))) % 997


@dataclass
class World:
    """Two result folders, and what each file of the first holds."""

    store: Store
    other: Store
    files: dict[str, bytes]

    def restore(self):
        """Puts back what a reader or a change altered."""
        for name, content in self.files.items():
            path = self.store.folder / name
            if not path.is_file() or path.read_bytes() != content:
                path.write_bytes(content)


@pytest.fixture(scope="module")
def worlds(row, tmp_path_factory):
    """A world of each of the groups of kinds that are read together."""
    return [_world(kinds, row, tmp_path_factory.mktemp("world")) for kinds in GROUPS]


def _world(kinds, row, root):
    stores = []
    for name in ("mine", "other"):
        store = Store(root / name)
        store.write_machine(FACTS)
        for kind in kinds:
            status = "failed" if kind == "failures" else "done"
            store.write(f"c-{kind}", {kind: list(rows_of(kind, row))}, status=status)
        store.collate()
        stores.append(store)
    paths = [path for path in stores[0].folder.rglob("*") if path.is_file()]
    files = {path.relative_to(stores[0].folder).as_posix(): path.read_bytes() for path in sorted(paths)}
    return World(*stores, files)


def _report(world):
    report.page(report.read([world.store.folder]))


def _collate(world):
    store = world.store
    store.clean(path.stem for path in store.shards.glob("*.json"))
    store.refuse_other_suites("tiny")
    store.claim(FACTS)
    store.collate({f"c-{kind}" for kind in RESULT_FILES})


def _compare(world):
    compared(world.store.folder, world.other.folder)
    unlike(world.store.folder, world.other.folder)


READERS = {
    "tables": lambda world: list(tables.tables(world.store)),
    "terminal": lambda world: list(terminal_tables(world.store.folder)),
    "compare": _compare,
    "targets": lambda world: target_table([world.store]),
    "report": _report,
    "run": _collate,
    "machine": lambda world: (read_machine(world.store.folder), folders.result_folders(world.store.folder)),
    "case ids": lambda world: world.store.case_ids(),
    "status": lambda world: status_of(world.store.folder),
    "check": lambda world: checked(world.store.folder),
}


def _changes_of(number):
    """Changes to the files of one world."""
    tables = st.sampled_from([f"{kind}.csv" for kind in GROUPS[number]])
    others = st.sampled_from(["machine.json", *(f"shards/c-{kind}.json" for kind in GROUPS[number])])
    change = st.one_of(
        st.tuples(st.just("cells"), tables, st.lists(mutation.CSV_CHANGES, min_size=1, max_size=2)),
        st.tuples(st.just("bytes"), st.one_of(tables, others), st.lists(mutation.BYTE_CHANGES, min_size=1, max_size=2)),
        st.tuples(st.just("tree"), others, st.lists(mutation.TREE_CHANGES, min_size=1, max_size=2)),
    )  # fmt: skip
    return st.tuples(st.just(number), change)


CHANGES = st.integers(0, len(GROUPS) - 1).flatmap(_changes_of)


def changed(how, content, changes):
    for change in changes:
        try:
            if how == "bytes":
                content = mutation.changed_bytes(content, change)
            elif how == "cells":
                content = mutation.changed_csv(content, change)
            else:
                content = json.dumps(mutation.changed_tree(json.loads(content), change)).encode()
        except (IndexError, ValueError):  # the change before left nothing to change
            break
    return content


def check(worlds, change, reader):
    number, (how, name, changes) = change
    world = worlds[number]
    path = world.store.folder / name
    path.write_bytes(changed(how, world.files[name], changes))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            READERS[reader](world)
    except UsageError as error:
        told = str(error)
        assert len(told.splitlines()) == 1, told
        assert path.name in told, told
        told = told.replace(str(world.store.folder), "")
        columns = {column.name for file in RESULT_FILES.values() for column in file.all_columns}
        keys = {
            "identity",
            "volatile",
            "schema_version",
            "JSON",
            "table",
            "section",
            "claim",
            "target",
            "comparison",
        }
        place = re.search(r"line \d+|row \d+|column|has no|no such|holds results of", told)
        assert place or any(word in told for word in keys | columns), told
    finally:
        world.restore()


# A table is most of what some cost.
OFTEN = ["tables", "run", "run", "compare", "compare", "targets", "targets", "case ids", "machine", "report", "status",
         "status", "check"]  # fmt: skip
# Of a failing example it would be told instead of what failed: the worlds are long.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
QUIET = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


@pytest.fixture(autouse=True)
def _without_plotly(monkeypatch):
    """Its script is the same in every page."""
    monkeypatch.setattr(importlib.import_module("bench.report.page"), "_plotly", lambda: "plotly")


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_takes_the_whole_folder(reader, worlds):
    for world in worlds:
        if reader != "compare" or {"timings.csv", "decay.csv", "task_accuracy.csv"} & set(world.files):
            READERS[reader](world)
            world.restore()


@settings(max_examples=300, derandomize=True, **QUIET)
@given(change=CHANGES, reader=st.sampled_from(OFTEN))
def test_a_changed_result_file_is_read_or_told_in_a_sentence(change, reader, worlds):
    check(worlds, change, reader)


@pytest.mark.slow
@settings(max_examples=2000, print_blob=True, **QUIET)
@given(change=CHANGES, reader=st.sampled_from(sorted(READERS)))
def test_many_changed_result_files(change, reader, worlds):
    check(worlds, change, reader)


@pytest.mark.slow
@settings(max_examples=100, print_blob=True, **QUIET)
@given(change=CHANGES)
def test_pictures_of_changed_result_files(change, worlds):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(READERS, "pictures", lambda world: plots.draw(world.store))
        check(worlds, change, "pictures")
