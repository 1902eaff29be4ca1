"""No verb shows a traceback, unless it is asked to."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import main
from bench.cli import verb as verbs
from bench.cli.output import OutputError, StandardOutput
from bench.errors import UsageError

# A verb, an import that it makes first of all, and its arguments.
BROKEN = {
    "list": ("bench.suite.names", ()),
    "run": ("bench.running.job.job", ("smoke",)),
    "status": ("bench.running.status.folders_of", ()),
    "tables": ("bench.running.folders.result_folders", ()),
    "plot": ("bench.plots.meaning", ()),
    "report": ("bench.report.page", ("--out", "x.html", "FOLDER")),
    "compare": ("bench.comparing.two_folders.compared", ("FOLDER", "FOLDER")),
    "check": ("bench.check.checked", ("FOLDER",)),
    "targets": ("bench.tables.target_table.target_table", ()),
    "machine": ("bench.machine.configure", ()),
    "probe": ("bench.probing.own_cell.find", ("mycell:make_cell", "--out", "out")),
    "tune": ("bench.machine.configure", ()),
}


def test_every_verb_is_tried():
    assert set(BROKEN) == set(main.VERBS)


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ValueError("it broke\nin two lines"), 1, "ValueError: it broke (a fault of this program: --debug shows where)"),
        (UsageError("do it otherwise"), 2, "do it otherwise"),
        (PermissionError(13, "Permission denied", "some/file"), 2, "some/file: Permission denied"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=["fault", "usage", "files", "ctrl-c"],
)  # fmt: skip
def test_an_error_is_a_sentence_and_a_traceback_only_with_debug(
    name, error, code, told, verb, monkeypatch, tiny_folder
):
    target, arguments = BROKEN[name]

    def broken(*_, **__):
        raise error

    monkeypatch.setattr(target, broken)
    called = [name, *(tiny_folder if each == "FOLDER" else each for each in arguments)]
    done = verb(*called)
    assert done.returncode == code
    assert done.stderr.strip() == f"rnn-bench: {told}"
    assert done.stdout == ""
    shown = verb(*called, "--debug")
    assert shown.returncode == code
    assert "Traceback" in shown.stderr
    assert shown.stderr.strip().splitlines()[-1].startswith("rnn-bench: ")


def test_ctrl_c_takes_nothing_down_under_a_thread_that_compiles():
    """XLA's threads go on compiling; where the interpreter was torn down under one, the process ended in a fault."""
    program = """
import atexit, sys
from bench.cli import main

def app(**_):
    print("said", end="")
    sys.exit(130)

atexit.register(print, "torn down")
main.app = app
main.main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "said", "")


def written_to(stdout, arguments):
    """The exit code and the standard error of the program that writes there."""
    command = [sys.executable, "-m", "bench", *arguments]
    done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60)
    return done.returncode, done.stderr


SHORT = pytest.mark.parametrize(
    "arguments", [("list", "keys"), ("list", "keys", "--json"), ("--help",)], ids=" ".join
)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@SHORT
def test_a_full_standard_output_is_told_and_has_a_code_of_its_own(arguments):
    with open("/dev/full", "w") as full:
        told = written_to(full, arguments)
    assert told == (74, "rnn-bench: cannot write standard output: No space left on device\n")


@SHORT
def test_a_pipe_that_nobody_reads_ends_it_in_silence(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        assert written_to(pipe, arguments) == (141, "")


def test_a_standard_output_that_was_closed_before_is_told():
    closed = StandardOutput(None)
    closed.flush()
    with pytest.raises(OutputError, match="cannot write standard output: Bad file descriptor"):
        closed.write("anything")


@pytest.mark.parametrize(
    "arguments", [("list", "nonsense"), ("status", "nowhere"), ("plot", "nowhere"), ("tables", "nowhere")]
)
def test_with_json_an_error_is_still_a_sentence(arguments, verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = verb(*arguments, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--figure", "dcay", "FOLDER"), "there is no picture 'dcay'; did you mean 'decay'"),
        (("--figure", "decay"), "name the result folder"),
        (("FOLDER", "--figure", "edge"), "--figure edge: FOLDER holds no rows to draw"),
        (("FOLDER", "--out", "FOLDER/decay.csv"), "--out FOLDER/decay.csv is a file"),
    ],
)
def test_what_cannot_be_drawn_is_told(arguments, told, verb, tiny_folder):
    done = verb("plot", *(each.replace("FOLDER", str(tiny_folder)) for each in arguments))
    assert done.returncode == 2
    assert told.replace("FOLDER", str(tiny_folder)) in done.stderr


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("run", "smoke", "--dry-run"), "folder"),
        (("plot", "FOLDER"), "folder"),
        (("compare", "FOLDER", "FOLDER"), "folder"),
        (("probe", "mycell:make_cell"), "folder"),
        (("report", "FOLDER"), "file"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_an_out_without_a_name_is_not_the_current_folder(arguments, what, typed, tiny_folder, tmp_path):
    named = [tiny_folder if each == "FOLDER" else each for each in arguments]
    before = sorted(tmp_path.rglob("*"))
    done = typed(*named, "--out", "", cwd=tmp_path)
    assert done.returncode == 2
    assert f"Invalid value for '--out': must name a {what}, got an empty name" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_every_verb_with_an_out_is_tried_with_an_empty_one():
    with_out = {name for name, verb in main.VERBS.items() if "out" in inspect.signature(verb).parameters}
    assert with_out == {"run", "plot", "compare", "probe", "report"}


def test_a_picture_is_drawn_again_alone(verb, tiny_folder):
    done = verb("plot", tiny_folder, "--figure", "decay", "--json")
    document = json.loads(done.stdout)
    names = [f"{tiny_folder.as_posix()}/figures/decay{suffix}" for suffix in (".svg", ".png")]
    assert document == {"verb": "plot", "folder": tiny_folder.as_posix(), "written": names}
    assert sorted(path.name for path in (tiny_folder / "figures").iterdir()) == ["decay.png", "decay.svg"]
    elsewhere = verb("plot", tiny_folder, "--figure", "decay", "--out", "pictures")
    assert elsewhere.stdout.splitlines() == ["drew pictures/decay.svg", "drew pictures/decay.png"]


def test_the_sentence_of_an_error_without_words():
    assert (
        verbs.sentence_of(AssertionError())[1]
        == "AssertionError (a fault of this program: --debug shows where)"
    )
    assert verbs.sentence_of(MemoryError()) == (1, "there is not enough memory for this")
