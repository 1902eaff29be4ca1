"""The key `include` of a suite file: other suites whose cases it takes over."""

from dataclasses import dataclass
from typing import Any

from bench.cases import MOST_SEEDS
from bench.errors import UsageError
from bench.nearest import nearest

_KEYS = ("suite", "only", "seeds", "scale")
_EXAMPLE = 'include = ["quick", "other.toml", {suite = "cpu", only = "cell=lstm"}]'


@dataclass(frozen=True)
class Included:
    """One suite to include.

    Attributes:
        suite: its name, or a TOML file relative to the one that includes it.
        only: conditions that its cases must meet, as of `--only`; all cases if None.
        seeds: how many seeds each has; as the suite says if None.
        scale: one of its scales, whatever the run's is.
    """

    suite: str
    only: str | None = None
    seeds: int | None = None
    scale: str | None = None


def entries(where: str, value: Any) -> list[Included]:
    """Reads what stands at the key.

    Args:
        where: the suite file, for messages.
        value: of the key.

    Raises:
        UsageError: it is no list of suites, has another key, or names the same twice.
    """
    if not isinstance(value, list):
        raise UsageError(f"{where}: include must be a list of suites, such as {_EXAMPLE}; got {value!r}")
    found: list[Included] = []
    for number, each in enumerate(value, start=1):
        entry = _entry(f"{where}: include number {number}", each)
        if entry in found:
            raise UsageError(f"{where}: include names {entry.suite!r} twice; leave one of them out")
        found.append(entry)
    return found


def _entry(where: str, value: Any) -> Included:
    if isinstance(value, str):
        return Included(value)
    if not isinstance(value, dict):
        raise UsageError(
            f"{where}: must be a suite's name, a file or a table, such as {_EXAMPLE}; got {value!r}"
        )
    for key, content in value.items():
        if key not in _KEYS:
            raise UsageError(f"{where}: unknown key {key!r}{nearest(key, _KEYS)}")
        if key == "seeds":
            if isinstance(content, bool) or not isinstance(content, int) or not 1 <= content <= MOST_SEEDS:
                raise UsageError(
                    f"{where}: seeds must be a whole number from 1 to {MOST_SEEDS}, got {content!r}"
                )
        elif not isinstance(content, str):
            raise UsageError(f"{where}: {key} must be a text, got {content!r}")
    if "suite" not in value:
        raise UsageError(f"{where}: suite is missing; it names a suite or a file")
    return Included(**value)
