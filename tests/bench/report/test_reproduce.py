"""The commands that a report gives for making its results again."""

import pytest

from bench import report
from bench.report.content import Commands
from bench.report.sections.reproduce import reproduce

ON_TWO_DEVICES = {"backend": "cpu", "dtype": "float64", "device_count": 2}
OPTIONS = "--backend cpu --dtype float64 --simulated-devices 2"


@pytest.mark.parametrize(
    ("suite", "told"),
    [
        ("quick", "rnn-bench run quick"),
        ("gpu-tiny", "rnn-bench run gpu --scale tiny"),
        ("my-suite", "rnn-bench run my-suite.toml"),
    ],
)
def test_the_command_is_of_the_folders_suite_and_device(suite, told, folder_of, row, facts):
    store = folder_of(exactness=[row("exactness", suite=suite)])
    store.write_machine({"identity": facts["identity"] | ON_TWO_DEVICES, "volatile": {}})
    (commands,) = [
        part for part in reproduce(report.read([store.folder])).parts if isinstance(part, Commands)
    ]
    assert commands.lines[1] == f"{told} {OPTIONS}"
