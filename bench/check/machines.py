"""Whether the rows of a folder are of the machine that the folder names."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from bench.check.finding import DAMAGED, Finding, line_numbers
from bench.errors import UsageError
from bench.store import read_machine

_SAME = ("machine", "backend", "device_kind", "jax_version")
_MEND = "put the folder's own machine.json back, or measure again into a folder of its own"


def of_rows(folder: Path, frames: Mapping[str, pd.DataFrame]) -> Iterator[Finding]:
    """Rows of another machine, or a `machine.json` that is missing or lacks what rows are held to."""
    try:
        identity = read_machine(folder)["identity"]
    except UsageError as error:
        yield Finding(DAMAGED, "machine.json", str(error), _MEND)
        return
    for name in _SAME:
        if name not in identity:
            yield Finding(DAMAGED, "machine.json", f"its identity has no {name!r}", _MEND)
            continue
        for kind, frame in frames.items():
            other = frame[name].ne(identity[name]).fillna(True)
            if other.any():
                got = frame.loc[other, name].iloc[0]
                problem = (
                    f"{line_numbers(other)}: {name} is {got!r}, but machine.json says {identity[name]!r}"
                )
                yield Finding(DAMAGED, f"{kind}.csv", problem, _MEND)
