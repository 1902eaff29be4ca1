"""The commands that a report gives for making its results again."""

import pytest

from bench import report
from bench.report.content import Commands
from bench.report.sections.reproduce import reproduce

ON_TWO_DEVICES = {"backend": "cpu", "dtype": "float64", "device_count": 2}
OPTIONS = "--backend cpu --dtype float64 --simulated-devices 2"


@pytest.mark.parametrize(
    ("suite", "ran", "told"),
    [
        ("quick", "rnn-bench run quick --only cell=lstm", f"rnn-bench run quick {OPTIONS}"),
        ("gpu-tiny", "rnn-bench run gpu --scale tiny", f"rnn-bench run gpu --scale tiny {OPTIONS}"),
        ("gpu-first", "rnn-bench run gpu-first", f"rnn-bench run gpu-first {OPTIONS}"),
        ("my-suite", "rnn-bench run my-suite.toml --dtype float64", "rnn-bench run my-suite.toml --dtype float64"),
        ("probe", "rnn-bench probe mycell:make_cell --out out", "rnn-bench probe mycell:make_cell --out out"),
    ],
)  # fmt: skip
def test_a_suite_of_the_harness_is_named_and_of_another_the_last_command_told(
    suite, ran, told, folder_of, row, facts
):
    store = folder_of(exactness=[row("exactness", suite=suite)])
    identity = facts["identity"] | ON_TWO_DEVICES
    store.write_machine({"identity": identity, "volatile": {"command": ran}})
    (commands,) = [
        part for part in reproduce(report.read([store.folder])).parts if isinstance(part, Commands)
    ]
    assert commands.lines[1] == told
