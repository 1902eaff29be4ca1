"""A scale of a suite is the same suite with no number over its cap."""

import pytest

from bench import suite
from bench.errors import UsageError
from bench.suite.scale import capped

CASE = '[[exactness]]\ncell = "lstm"\nhidden_size = [4, 64]\nsequence_length = 100\nseeds = 5\n'


@pytest.fixture
def file_of(tmp_path):
    def write(text):
        path = tmp_path / "own.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_nothing_is_over_its_cap_and_nothing_else_changes(file_of):
    path = file_of(CASE + "[scale.small]\nhidden_size = 8\nseeds = 2\n[scale.long]\nsequence_length = 400\n")
    whole, small = suite.load(path), suite.load(path, "small")
    assert small.name == "own-small"
    assert [case["hidden_size"] for case in small.cases] == [4, 8]
    assert {case.seeds for case in small.cases} == {(0, 1)}
    assert {case["sequence_length"] for case in small.cases} == {100}
    assert [dict(case.parameters) | {"hidden_size": 0} for case in whole.cases] == [
        dict(case.parameters) | {"hidden_size": 0} for case in small.cases
    ]
    assert suite.load(path, "long").cases == whole.cases


def test_cases_that_a_scale_makes_equal_are_measured_once(file_of):
    path = file_of(CASE + "[scale.small]\nhidden_size = 2\n")
    assert len(suite.load(path).cases) == 2
    assert len(suite.load(path, "small").cases) == 1


def test_what_was_left_out_stays_out_and_types_stay():
    assert capped({"a": None, "b": 7, "c": 2.5, "d": "text"}, {"a": 1, "b": 3, "c": 1}) == {
        "a": None, "b": 3, "c": 1.0, "d": "text",
    }  # fmt: skip
    assert isinstance(capped({"c": 2.5}, {"c": 1})["c"], float)


@pytest.mark.parametrize(
    ("table", "scale", "told"),
    [
        ("", "tiny", "no scale 'tiny'; it has none"),
        ("[scale.small]\nhidden_size = 2\n", "tiny", "no scale 'tiny'; it has 'small'"),
        ("[scale.small]\nhiden_size = 2\n", None, "did you mean 'hidden_size'"),
        ("[scale.small]\nhidden_size = 0\n", None, "hidden_size must be a positive number, got 0"),
        ("[scale.small]\nhidden_size = true\n", None, "hidden_size must be a positive number, got True"),
        ("[scale.small]\nrounds = 1\n", None, "rounds must be a whole number from 3"),
        ("[scale.small]\ncell = 3\n", None, "unknown parameter 'cell'"),
        ("[scale]\nsmall = 3\n", None, "scale small must be a table"),
        ("[[scale]]\nsmall = 3\n", None, "scale must hold tables"),
    ],
)
def test_a_wrong_scale_is_told(table, scale, told, file_of):
    with pytest.raises(UsageError, match=r"own\.toml") as caught:
        suite.load(file_of(CASE + table), scale)
    assert told in str(caught.value)


WITH_A_TINY_SCALE = {
    "depth", "gpu", "gpu-first", "roofline", "real", "remedies-gpu", "targets-cpu", "targets-cpu-long", "targets-gpu", "tasks",
}  # fmt: skip


@pytest.mark.parametrize("name", suite.names())
def test_every_shipped_scale_loads_and_has_every_kind_of_the_whole(name):
    whole = suite.load(name)
    if name not in WITH_A_TINY_SCALE:
        with pytest.raises(UsageError, match="it has none"):
            suite.load(name, "tiny")
        return
    tiny = suite.load(name, "tiny")
    assert tiny.name == f"{name}-tiny"
    assert {case.kind for case in tiny.cases} == {case.kind for case in whole.cases}
    assert {case.parameters.get("operation") for case in tiny.cases} == {
        case.parameters.get("operation") for case in whole.cases
    }
    assert all(case.parameters.get("hidden_size", 0) <= 8 for case in tiny.cases)
    labels = [tiny.label(case) for case in tiny.cases]
    assert len(set(labels)) == len(labels)
