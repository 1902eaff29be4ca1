"""With which code `rnn-bench run` ends, and what it says then."""

import pytest
import typer

from bench.cli import run as verb
from bench.errors import UsageError
from bench.running import runner


@pytest.fixture
def verb_run(monkeypatch, environment, facts, tmp_path, capsys):
    """`verb_run(outcome)`: the exit code of `rnn-bench run` and what it said, where its measuring ends so."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bench.machine.configure", lambda *_, **__: None)
    monkeypatch.setattr("bench.machine.environment", lambda dtype: environment)
    monkeypatch.setattr("bench.machine.describe", lambda *_: facts)

    def call(ends):
        def run(*_, **__):
            if isinstance(ends, BaseException):
                raise ends
            return ends

        monkeypatch.setattr(runner, "run", run)
        code = 0
        try:
            verb.run("smoke", out=tmp_path / "out")
        except typer.Exit as end:
            code = end.exit_code
        return code, capsys.readouterr().out

    return call


@pytest.mark.parametrize(
    ("ends", "code", "told"),
    [
        (runner.Outcome(3, 0, 0), 0, "3 measured"),
        (runner.Outcome(0, 3, 0), 0, "3 done before"),
        (runner.Outcome(1, 0, 0, left=2), 0, "the same command goes on from there"),
        (runner.Outcome(0, 1, 0, elsewhere=2), 0, "another run into this folder measures the rest"),
        (runner.Outcome(2, 0, 1), 1, "1 failed, see"),
        (runner.Outcome(0, 0, 0), 1, "0 measured"),
        (KeyboardInterrupt(), 130, "the same command goes on from there"),
    ],
    ids=["well", "done before", "left", "elsewhere", "failed", "nothing", "Ctrl-C"],
)
def test_exit_codes(ends, code, told, verb_run):
    found, said = verb_run(ends)
    assert found == code
    assert told in said


def test_usage_is_told_by_the_program_itself(verb_run):
    with pytest.raises(UsageError, match="no room"):  # main() exits with 2
        verb_run(UsageError("no room"))
