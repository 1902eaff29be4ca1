"""What a check has to say."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

DAMAGED, NOISY, NOTE = "damaged", "noisy", "note"
_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """One thing about a folder.

    Attributes:
        weight: "damaged" where it does not hold what it claims, "noisy" where a time is not to be quoted, "note"
            where something could not be checked.
        file: which file it is about.
        problem: what was found.
        mend: what to do about it.
    """

    weight: str
    file: str
    problem: str
    mend: str


def named(values: Any) -> str:
    """The first few of some values, and how many more there are."""
    listed = [str(value) for value in values]
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more


def line_numbers(where: pd.Series) -> str:
    """The lines of a CSV file at which a mask over its rows is true, the header being line 1."""
    lines = [place + 2 for place, hit in enumerate(where) if hit]
    return ("line " if len(lines) == 1 else "lines ") + named(lines)
