"""What the program says of itself, and what it refuses, before anything is measured."""

import json
from importlib.metadata import version
from pathlib import Path

import jax
import pytest

import rnn_jax as rj
from bench import suite

VERBS = (
    "list",
    "run",
    "status",
    "tables",
    "plot",
    "compare",
    "check",
    "targets",
    "machine",
    "probe",
    "tune",
)


# --- what it says of itself


@pytest.mark.parametrize("verb", [None, *VERBS])
def test_help_names_what_there_is(verb, typed, tmp_path):
    done = typed(*([verb] if verb else []), "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    expected = VERBS if verb is None else ["Usage", verb]
    for word in expected:
        assert word in done.stdout
    if verb == "run":
        for option in ("--out", "--backend", "--dtype", "--only", "--seeds", "--dry-run"):
            assert option in done.stdout


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("suites", suite.names()),
        ("cells", ["elman_tanh", "lstm", "128", "gru_reset_before"]),
        ("tasks", ["adding", "halves", "copy", "temporal_order"]),
        ("remedies", ["none", "clip_by_norm", "clip_by_value"]),
        (
            "keys",
            ["gradient_norms", "input_scale", "standard deviation of the input", "required", "estimate_s"],
        ),
        ("keys timings", ["rounds", "processes"]),
    ],
)
def test_list(what, words, typed, tmp_path):
    done = typed("list", *what.split(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for word in words:
        assert word in done.stdout


@pytest.mark.costly
def test_machine_prints_json_without_names_of_people_or_places(rnn_bench, tmp_path):
    done = rnn_bench("machine", "--dtype", "float64", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["identity"]["dtype"] == "float64"
    assert facts["identity"]["backend"] == "cpu"
    assert str(tmp_path) not in done.stdout


@pytest.mark.costly
def test_tune_prints_what_it_found_and_keeps_it(complaint, rnn_bench, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = rnn_bench("tune", "--sizes", "3", "--lengths", "8", "--rounds", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    entries = json.loads((tmp_path / "rnn_jax" / "blocks.json").read_text(encoding="utf-8"))["entries"]
    assert [(each["log2_size"], each["log2_length"]) for each in entries] == [(2, 3)]
    for word in ("best blocks", "sequential s", "float32", f"kept in {tmp_path}"):
        assert word in done.stdout
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "rnn_jax" / "blocks.json"))  # a file
    lost = rnn_bench("tune", "--sizes", "3", "--lengths", "8", "--rounds", "1", cwd=tmp_path)
    assert lost.returncode == 2
    assert "best blocks" in lost.stdout, "it was measured all the same"
    assert "not kept: " in lost.stderr
    assert "set XDG_CACHE_HOME" in " ".join(lost.stderr.split())
    assert "kept in" not in lost.stdout
    refused = rnn_bench("tune", "--sizes", "64,many", cwd=tmp_path)
    assert "--sizes must be whole numbers" in complaint(refused)


def test_the_version_is_told_with_that_of_jax(typed, tmp_path):
    done = typed("--version", cwd=tmp_path)
    assert done.returncode == 0
    assert (
        done.stdout.strip()
        == f"rnn-bench {rj.__version__}, jax {jax.__version__}, jaxlib {version('jaxlib')}"
    )


# --- what it refuses


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["list", "nonsense"], ["nonsense", "suites", "cells", "tasks", "remedies", "keys"]),
        (["list", "keys", "gradient_norm"], ["did you mean 'gradient_norms'"]),
        (["list", "cells", "gru"], ["cells takes no second word, got 'gru'"]),
        (["run", "quik", "--out", "out"], ["quik", "did you mean 'quick'"]),
        (["run", "smoke", "--out", "out", "--dtype", "float16"], ["--dtype", "float32", "float16"]),
        (["run", "smoke", "--out", "out", "--backend", "tpu"], ["--backend", "cpu", "tpu"]),
        (["run", "smoke", "--out", "out", "--seeds", "0"], ["--seeds", "0"]),
        (["run", "smoke", "--out", "out", "--only", "cel=lstm"], ["cel", "did you mean 'cell'"]),
        (["run", "bad.toml", "--out", "out"], ["bad.toml", "hiden_size", "did you mean 'hidden_size'"]),
        (["run", "smoke", "--out", "bad.toml"], ["bad.toml", "is a file"]),
        (["compare", "nowhere", "elsewhere"], ["nowhere is not a folder"]),
        (["tables", "nowhere"], ["nowhere"]),
    ],
    ids=lambda value: " ".join(value[:2]) if value and value[0] in VERBS else "",
)
def test_misuse_is_one_line_and_exit_code_2(arguments, told, complaint, typed, tmp_path):
    (tmp_path / "bad.toml").write_text('[[exactness]]\ncell = "lstm"\nhiden_size = 4\n', encoding="utf-8")
    line = complaint(typed(*arguments, cwd=tmp_path))
    for word in told:
        assert word in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.toml"], "misuse left something behind"


def test_a_missing_gpu_is_told(complaint, rnn_bench, tmp_path):
    if any(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("there is a GPU")
    line = complaint(rnn_bench("machine", "--backend", "gpu", cwd=tmp_path))
    assert "--backend gpu: JAX finds no such device" in line


def test_an_unknown_verb_is_exit_code_2(rnn_bench, tmp_path):
    done = rnn_bench("measure", cwd=tmp_path)
    assert done.returncode == 2
    assert "measure" in done.stderr
    assert "Traceback" not in done.stderr
