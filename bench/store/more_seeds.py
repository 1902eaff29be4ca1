"""Cases that were measured for more seeds too, as after a run with fewer `--seeds` into the same folder.

The CSV files keep the rows of both, but the nets of the fewer seeds are among those of the more: who counts rows would
count them twice.
"""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Hashable, Iterator, Mapping

import pandas as pd

from bench.schema import COMMON, EVALUATIONS, OF_SOME_SEEDS, TRAINING_CURVES
from bench.schema.columns import REMEDY, TASK

_SETTING = {
    *(column.name for column in (*COMMON, *TASK, *REMEDY)),
    *("optimizer", "learning_rate", "learning_rate_grid", "tuning_seeds", "tuning_steps", "batch_size", "step_budget"),
    *("target_id", "state_scale", "sequence_count", "steps", "operation", "training_steps"),
} - {"schema_version", "case_id", "match_id", "seed"}  # fmt: skip
_AS_LONG_AS_IT_WENT = (TRAINING_CURVES.kind, EVALUATIONS.kind)
"""Files in which a seed has as many rows as its training was long."""


def measured_for_more_seeds(frames: Mapping[str, pd.DataFrame]) -> frozenset[str]:
    """The ids of cases of which another has the same setting, in every file, and all their seeds and more.

    Args:
        frames: result files by kind.
    """
    counted = {kind: frame.dropna(subset=["case_id", "seed"]) for kind, frame in frames.items()}
    counted = {kind: frame for kind, frame in counted.items() if kind not in OF_SOME_SEEDS}
    seeds: dict[str, set[int]] = {}
    for frame in counted.values():
        for case_id, seed in frame[["case_id", "seed"]].drop_duplicates().itertuples(index=False):
            seeds.setdefault(case_id, set()).add(seed)
    if len(set(map(frozenset, seeds.values()))) < 2:
        return frozenset()
    settings: dict[str, set[Hashable]] = {}
    for kind, frame in counted.items():
        for case_id, setting in _settings(kind, frame):
            settings.setdefault(case_id, set()).add((kind, setting))
    alike: dict[frozenset[Hashable], list[str]] = {}
    for case_id, setting in settings.items():
        alike.setdefault(frozenset(setting), []).append(case_id)
    return frozenset(
        one for those in alike.values() for one in those if any(seeds[one] < seeds[each] for each in those)
    )


def _settings(kind: str, frame: pd.DataFrame) -> Iterator[tuple[str, Hashable]]:
    """Each setting in which the rows of a case are, and how many rows a seed has, with the id of the case."""
    columns = ["case_id", *(name for name in frame if name in _SETTING)]
    of_case = frame.groupby("case_id")["seed"]
    rows_a_seed = of_case.size() / of_case.nunique()
    for case_id, *setting in frame[columns].drop_duplicates().astype(str).itertuples(index=False, name=None):
        rows = None if kind in _AS_LONG_AS_IT_WENT else rows_a_seed[case_id]
        yield case_id, (rows, *setting)
