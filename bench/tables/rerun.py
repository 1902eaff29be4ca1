"""The commands that measure what a result folder holds. They follow from its rows alone, as derived tables must."""

from bench.schema import PROBED
from bench.suite.reading import name_and_scale

_RUN = "rnn-bench run"
_PROBE = "rnn-bench probe MODULE:FUNCTION"


def command_of(suite: str) -> str:
    """What measures a suite again, by the name that rows have of it, with its scale where it has one.

    Of a suite of one's own that name is its file's.
    """
    if suite == PROBED:
        return _PROBE
    name, scale = name_and_scale(suite) or (f"{suite}.toml", None)
    return f"{_RUN} {name}" + (f" --scale {scale}" if scale else "")


def of_one_kind(command: str, kind: str) -> str:
    """The same for the cases of one kind alone, where the command can be told so."""
    return f"{command} --only kind={kind}" if command.startswith(_RUN) else command
