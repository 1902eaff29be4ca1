"""What verbs print: in 80 columns for people, one document for programs, a sentence where something is wrong."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from bench.cli.document import plain
from bench.cli.show import duration, print_rows, say, wrapped
from bench.cli.terminal import _explosions, _verdicts

WIDTH = 80
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def lines_of(text):
    return [line.rstrip() for line in _STYLE.sub("", text).splitlines()]


def assert_fits(text):
    """No line is wider than the terminal, but for one long word such as a path."""
    for line in lines_of(text):
        assert len(line) <= WIDTH or " " not in line.strip(), line


HUMAN = [
    ("list", "suites"),
    ("list", "cells"),
    ("list", "tasks"),
    ("list", "remedies"),
    ("list", "keys"),
    ("status",),
    ("status", "results"),
    ("plot",),
    ("machine", "--dtype", "float64"),
    ("targets", "FOLDER"),
    ("tables", "FOLDER"),
    ("compare", "FOLDER", "FOLDER"),
    ("run", "smoke", "--dtype", "float64", "--dry-run"),
]


@pytest.fixture
def without_pictures(monkeypatch):
    from bench import plots

    monkeypatch.setattr(plots, "draw", lambda *_: [])


@pytest.mark.parametrize("arguments", HUMAN, ids=" ".join)
def test_it_fits_eighty_columns(arguments, verb, terminal, tiny_folder, without_pictures):
    done = verb(*(tiny_folder if each == "FOLDER" else each for each in arguments))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert_fits(done.stdout)
    assert_fits(done.stderr)


@pytest.mark.parametrize(
    "name",
    ["list", "run", "status", "tables", "plot", "report", "compare", "targets", "machine", "probe", "tune"],
)
def test_help_fits_and_offers_debug(name, verb, terminal):
    done = verb(name, "--help")
    assert_fits(done.stdout)
    assert "--debug" in _STYLE.sub("", done.stdout)


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("list", "suites"), {"suites"}),
        (("list", "cells"), {"cells"}),
        (("list", "tasks"), {"tasks"}),
        (("list", "remedies"), {"remedies"}),
        (("status",), {"folders"}),
        (("plot",), {"figures"}),
        (("machine", "--dtype", "float64"), {"identity", "volatile"}),
        (("targets", "FOLDER"), {"targets", "verdicts"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_json_is_one_document_and_nothing_else(arguments, keys, verb, tiny_folder, without_pictures):
    done = verb(*(tiny_folder if each == "FOLDER" else each for each in arguments), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert set(document) == {"verb", *keys}
    assert document["verb"] == arguments[0]
    assert any(document[key] for key in keys)


def test_the_documents_hold_what_there_is(verb, tiny_folder, without_pictures):
    from bench import suite

    told = json.loads(verb("list", "--json").stdout)["suites"]
    assert [each["suite"] for each in told] == suite.names()
    assert {each["suite"]: each["cases"] for each in told}["smoke"] == len(suite.load("smoke").cases)
    document = json.loads(verb("tables", tiny_folder, "--json").stdout)
    assert (document["verb"], document["pages"]) == ("tables", [])
    (folder,) = document["folders"]
    assert folder["folder"] == tiny_folder.as_posix()
    (decay,) = folder["tables"]["decay_summary"]
    assert (decay["cell"], decay["rate_nats_per_step"]) == ("elman_tanh", 0.125)


# --- tables


WIDE = [
    {f"column_{n}": f"{'x' * 12}" for n in range(12)},
    {f"column_{n}": "" for n in range(12)} | {"column_0": "y"},
]


def test_a_table_wraps_between_words(terminal, capsys):
    print_rows([{"name": "some_long_name", "words": "several words " * 12, "number": 1.5}], "A title")
    lines = lines_of(capsys.readouterr().out)
    assert lines[0] == "A title"
    assert lines[2].startswith("some_long_name  several words several words")
    assert lines[2].endswith("1.5")
    assert len(lines) == 3 + 2 + 1, "168 characters in columns of 80 - 14 - 6 - 2 gaps: three lines"
    assert_fits("\n".join(lines))


def test_a_table_that_cannot_wrap_is_a_list(terminal, capsys):
    print_rows(WIDE)
    lines = lines_of(capsys.readouterr().out)
    assert lines[0].startswith("column_0 xxxxxxxxxxxx; column_1 xxxxxxxxxxxx; ")
    assert "column_0 y" in lines, "what is empty is left out"
    assert_fits("\n".join(lines))


def test_what_is_alike_in_all_rows_stands_above_a_table_that_is_too_wide(terminal, capsys):
    wide = {f"column_{n}": "x" * 12 for n in range(6)}
    print_rows(
        [{"name": name, **wide, "empty": "", "number": number} for name, number in [("a", 1), ("b", 2)]]
    )
    lines = lines_of(capsys.readouterr().out)
    assert lines[0].startswith("in all rows: column_0 xxxxxxxxxxxx; column_1 ")
    assert [line.split() for line in lines[-4:-1]] == [["name", "number"], ["a", "1"], ["b", "2"]]
    assert "empty" not in "".join(lines)
    assert_fits("\n".join(lines))


def test_a_short_value_is_not_broken(terminal, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    fitting = [
        {"n": str(n), "left s": "2.36e-02", "interval": "0.973 to 1.03", "verdict": "too few samples"}
        for n in (1, 2)
    ]
    print_rows(fitting)
    lines = lines_of(capsys.readouterr().out)
    assert "0.973 to 1.03" in lines[1 + ("in all rows" in lines[0])]
    print_rows([each | {"left s": f"{'x' * 20}{each['n']}"} for each in fitting])
    assert any("interval 0.973 to 1.03" in line for line in lines_of(capsys.readouterr().out)), "it is a list"


def test_what_is_alike_in_the_rows_shown_alone_stays_a_column(terminal, capsys):
    wide = {f"column_{n}": "x" * 12 for n in range(6)}
    rows = [{"name": str(number), **wide, "kind": kind} for number, kind in enumerate("aab")]
    print_rows(rows, most=2)
    lines = lines_of(capsys.readouterr().out)
    assert lines[-4].split() == ["0", "a"]
    assert lines[-2] == "... and 1 more row"


def test_a_log_is_not_cut(capsys):
    print_rows(WIDE)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines[1].split()) == 12
    say("word " * 50)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_markup_in_results_is_text(terminal, capsys):
    print_rows([{"name": "[bold]x[/bold]", "error": "[/red] shape [3, 4]"}])
    assert "[bold]x[/bold]  [/red] shape [3, 4]" in "\n".join(lines_of(capsys.readouterr().out))


@pytest.mark.parametrize(
    "text", ["", "   ", "a" * 200, "  in front " + "word " * 40, "a/long/path-" * 12 + " and more"]
)
def test_no_word_is_lost_or_broken(text):
    pieces = wrapped(text, 40)
    assert " ".join(pieces).split() == text.split()
    assert all(len(piece) <= 40 or len(piece.split()) == 1 for piece in pieces)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, ""),
        (0.2, "under 1 s"),
        (1, "1 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (9000, "2.5 h"),
    ],
)
def test_durations(seconds, told):
    assert duration(seconds) == told


def test_every_value_has_a_place_in_json():
    frame = pd.DataFrame(
        {"a": pd.array([1, None], "Int64"), "b": [0.5, -np.inf], "c": pd.array(["x", None], "string")}
    )
    told = plain(
        {"frame": frame, "one": np.float32(2.0), "none": float("nan"), "flag": np.bool_(True), 3: (1, {2})}
    )
    assert told == {
        "frame": [{"a": 1, "b": 0.5, "c": "x"}, {"a": None, "b": "-inf", "c": None}],
        "one": 2.0, "none": None, "flag": True, "3": [1, [2]],
    }  # fmt: skip
    json.dumps(told, allow_nan=False)


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ((3, 0, 0, 0), "solved"),
        ((0, 2, 0, 0), "better"),
        ((0, 0, 1, 0), "baseline"),
        ((1, 2, 0, 0), "solved 1, better 2"),
        ((0, 1, 1, 4), "better 1, baseline 1, diverged 4"),
    ],
)
def test_every_seeds_verdict_is_in_the_terminals_table(counts, told):
    names = ("solved", "better_than_baseline", "at_baseline", "diverged")
    assert _verdicts(dict(zip(names, counts, strict=True))) == told


def test_a_lag_of_some_seeds_alone_says_so():
    table = pd.DataFrame({
        "explosion_lag_steps": [50.0, 38.0, np.nan],
        "regime": ["exploding 1, stable 2", "exploding", "vanishing"],
        "seeds": 3,
    })  # fmt: skip
    assert _explosions(table) == ["50 (1 of 3)", "38", ""]
