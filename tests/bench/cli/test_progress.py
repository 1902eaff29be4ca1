"""What a run says while it goes on, where cases are measured one after the other and where many are at once."""

import io

import pytest

from bench.cli.progress import progress_for


@pytest.fixture
def lines():
    """`lines(*calls)` has a progress without a terminal told this, and returns what it printed."""

    def told(*calls):
        stream = io.StringIO()
        progress = progress_for(stream)
        for name, *arguments in calls:
            getattr(progress, name)(*arguments)
        return stream.getvalue().splitlines()

    return told


def test_a_line_a_case(lines):
    assert lines(
        ("start", 2, 1), ("case", 1, "spectra"), ("within", "seed 0", 0.5), ("done", 2.04),
        ("case", 2, "timings"), ("note", "goes on"), ("failed", "timings", "no room"),
    ) == ["1 case was done before", "[1/2] spectra", "    2.0 s", "[2/2] timings", "    goes on",
          "    FAILED timings: no room"]  # fmt: skip


def test_of_many_at_once_each_word_stands_under_its_case(lines):
    assert lines(
        ("start", 3, 0), ("case", 1, "a"), ("case", 2, "b"), ("case", 1, "a"), ("within", "seed 0", 0.5),
        ("case", 2, "b"), ("done", 1.0), ("case", 3, "c"), ("case", 1, "a"), ("done", 2.0),
    ) == ["[1/3] a", "[2/3] b", "[2/3] b", "    1.0 s", "[3/3] c", "[1/3] a", "    2.0 s"]  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_counts_what_ended_and_the_parts_of_what_runs():
    bar = progress_for(Terminal())
    bar.start(4, 0)
    task = bar.progress.tasks[0]
    bar.case(1, "a")
    bar.case(2, "b")
    bar.within("seed 0", 0.5)
    bar.case(1, "a")
    bar.within("seed 0", 0.25)
    assert (task.completed, task.fields["place"]) == (0.75, "1/4")
    bar.done(1.0)
    assert task.completed == 1.5
    bar.case(4, "d")  # what did not fit into the time has no turn
    assert task.completed == 2.5
    bar.failed("d", "no room")
    bar.case(2, "b")
    bar.done(1.0)
    assert (task.completed, bar.progress.finished) == (4, True)
