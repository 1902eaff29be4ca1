"""Suite files of any kind: a suite, or one sentence that names the file and the key or the line."""

import re
import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import suite
from bench.cases import KINDS
from bench.errors import UsageError

from . import mutation

_NAMES = {each.name for kind in KINDS.values() for each in kind.PARAMETERS} | {
    "seeds",
    "dtype",
    "process",
    "needs",
    "scale",
    *KINDS,
}
# One table of each kind, and all keys of the top; the shipped ones differ in values alone.
WHOLE = {
    "description": "Some of everything.",
    "estimate_s": 60,
    "dtype": "float32",
    "scale": {"tiny": {"sequence_length": 40, "hidden_size": 8, "seeds": 1}},
    "exactness": [{"cell": ["elman_tanh", "lstm"], "gain": [0.5, 1.0], "hidden_size": 4, "dtype": "float64"}],
    "gradient_norms": [{"cell": "lstm", "forget_bias": 1.0, "sequences": 2, "lags": 5, "process": "fresh"}],
    "spectra": [{"cell": "lstm", "input_scale": 0.5, "sequence_length": 50, "estimate_s": 5}],
    "task_accuracy": [
        {"cell": "gru", "task": "copy", "task_length": 10, "remedy": "clip_by_norm", "remedy_strength": 1.0},
        {"cell": "lstm", "task": "adding", "task_length": 20, "learning_rate_grid": "1e-3 1e-2", "seeds": 2},
    ],
    "timings": [{"cell": "elman_tanh", "rounds": 3, "needs": "numpy"}],
}
CHANGES = st.one_of(
    st.tuples(st.just("tree"), st.lists(mutation.TREE_CHANGES, min_size=1, max_size=3)),
    st.tuples(st.just("bytes"), st.lists(mutation.BYTE_CHANGES, min_size=1, max_size=3)),
)


def changed(how, changes):
    tree = WHOLE
    content = mutation.toml(WHOLE).encode()
    for change in changes:
        if how == "bytes":
            content = mutation.changed_bytes(content, change)
        elif isinstance(tree, dict):
            tree = mutation.changed_tree(tree, change)
            content = mutation.toml(tree).encode(errors="replace") if isinstance(tree, dict) else b""
    return content


def keys_of(content):
    try:
        tree = tomllib.loads(content.decode())
    except (ValueError, RecursionError):
        return set()
    found, left = set(), [tree]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            found |= {repr(key) for key in each} | set(each)
        left += each.values() if isinstance(each, dict) else each if isinstance(each, list) else []
    return found - {""}


def check(content, path, scale):
    path.write_bytes(content)
    try:
        loaded = suite.load(str(path), scale)
    except UsageError as error:
        told = str(error)
        assert told.startswith(f"{path}: "), told
        told = told.removeprefix(f"{path}: ")
        assert len(told.splitlines()) == 1, told
        place = re.search(r"line \d+|position \d+|end of document", told)
        assert place or "no cases" in told or any(key in told for key in keys_of(content) | _NAMES), told
        return
    assert loaded.cases
    for case in loaded.cases:
        assert loaded.label(case)
        assert case.match_id()


QUIET = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


@pytest.mark.parametrize("how", ["tree", "bytes"])
def test_the_whole_file_itself_is_a_suite(how, tmp_path):
    (tmp_path / "mine.toml").write_bytes(changed(how, []))
    loaded = suite.load(str(tmp_path / "mine.toml"))
    assert len(loaded.cases) == 9
    assert {case.kind for case in loaded.cases} == set(WHOLE) & set(KINDS)
    assert len(suite.load(str(tmp_path / "mine.toml"), "tiny").cases) == 9


@settings(max_examples=300, derandomize=True, **QUIET)
@given(change=CHANGES, scale=st.sampled_from([None, "tiny"]))
def test_a_changed_suite_file_is_a_suite_or_told_in_a_sentence(change, scale, tmp_path):
    check(changed(*change), tmp_path / "mine.toml", scale)


@pytest.mark.slow
@settings(max_examples=2000, print_blob=True, **QUIET)
@given(change=CHANGES, scale=st.sampled_from([None, "tiny"]))
def test_many_changed_suite_files(change, scale, tmp_path):
    check(changed(*change), tmp_path / "mine.toml", scale)
