"""The published results that runs are held against, from `targets.csv`."""

import csv
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType

TARGETS = Path(__file__).parent / "targets.csv"

Target = Mapping[str, str]
"""One published result: the columns of `targets.csv`, each a text, empty where the source does not say."""


@cache
def targets() -> Mapping[str, Target]:
    """Every published result by its `target_id`, in the file's order."""
    with TARGETS.open(encoding="utf-8", newline="") as file:
        return MappingProxyType({row["target_id"]: MappingProxyType(row) for row in csv.DictReader(file)})


def checked_target(target_id: str) -> Target:
    """The published result of that name.

    Raises:
        ValueError: there is none; the message names the nearest.
    """
    if target_id not in targets():
        close = get_close_matches(target_id, targets(), n=1, cutoff=0.5)
        mend = f"; did you mean {close[0]!r}?" if close else "; `rnn-bench targets` lists them"
        raise ValueError(f"target must be a target_id of bench/targets.csv, got {target_id!r}{mend}")
    return targets()[target_id]
