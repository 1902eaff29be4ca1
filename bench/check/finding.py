"""What a check has to say."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

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
        named: all the cases, timings or files that it is about, of which `problem` names the first few.
    """

    weight: str
    file: str
    problem: str
    mend: str
    named: tuple[str, ...] = ()

    @classmethod
    def naming(cls, weight: str, file: str, problem: str, values: Iterable[Any], mend: str) -> Self:
        """A finding about several things."""
        listed = tuple(str(value) for value in values)
        return cls(weight, file, f"{problem}: {named(listed)}", mend, listed)


def named(values: Any) -> str:
    """The first few of some values, and how many more there are."""
    listed = [str(value) for value in values]
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more


def line_numbers(where: pd.Series) -> str:
    """The lines of a CSV file at which a mask over its rows is true, the header being line 1."""
    lines = [place + 2 for place, hit in enumerate(where) if hit]
    return ("line " if len(lines) == 1 else "lines ") + named(lines)
