"""The commands that measure what a result folder holds."""

from collections.abc import Mapping
from typing import Any

from bench.suite import name_and_scale

_RUN = "rnn-bench run"


def command_of(suite: str, facts: Mapping[str, Any]) -> str:
    """What measures a suite again.

    Args:
        suite: as the rows of the folder name it, with its scale where it has one.
        facts: the folder's `machine.json`. Of a suite that does not come with the harness it knows where the file is.

    Returns:
        the command, without options for a suite of the harness; of another one the command that ran last.
    """
    found = name_and_scale(suite)
    if found is None:
        return facts.get("volatile", {}).get("command") or f"{_RUN} {suite}.toml"
    name, scale = found
    return f"{_RUN} {name}" + (f" --scale {scale}" if scale else "")


def of_one_kind(command: str, kind: str) -> str:
    """The same for the cases of one kind alone, where the command can be told so."""
    return f"{command} --only kind={kind}" if command.startswith(_RUN) else command
