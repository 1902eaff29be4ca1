"""Cases that were measured for more seeds too, as after a run with fewer `--seeds` into the same folder.

The CSV files keep the rows of both, but the nets of the fewer seeds are among those of the more: who counts rows would
count them twice.
"""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Hashable, Mapping
from itertools import groupby, permutations

import numpy as np
import pandas as pd
from pandas.api.types import is_float_dtype

from bench.schema import COMMON, OF_OTHER_SEEDS, OF_SOME_SEEDS, RESULT_FILES

_IDS = ("case_id", "match_id")
_CLOSE = {"rtol": 1e-2, "atol": 1e-6, "equal_nan": True}
"""A net's numbers beside those of the same net that was measured among others: rounding, and what training makes of it."""


def measured_for_more_seeds(frames: Mapping[str, pd.DataFrame]) -> frozenset[str]:
    """The ids of cases all of whose rows another case has too, which has seeds more.

    Rows are the same in all but ids and times, numbers to rounding: what a file does not tell of a case, such as how
    it was measured, shows there or makes no difference.

    Args:
        frames: result files by kind.
    """
    of_nets = {kind: _of_nets(frame) for kind, frame in frames.items() if kind not in OF_OTHER_SEEDS}
    seeds: dict[str, set[int]] = {}
    for kind, frame in of_nets.items():
        if kind not in OF_SOME_SEEDS:
            for case_id, seed in frame[["case_id", "seed"]].drop_duplicates().itertuples(index=False):
                seeds.setdefault(case_id, set()).add(seed)
    if len(set(map(frozenset, seeds.values()))) < 2:
        return frozenset()
    alike = _alike({kind: frame[frame["case_id"].isin(seeds)] for kind, frame in of_nets.items()})
    by_case = {kind: dict(list(frame.groupby("case_id"))) for kind, frame in of_nets.items()}
    return frozenset(
        one
        for those in alike
        for one, other in permutations(those, 2)
        if seeds[one] < seeds[other]
        and all(_has_all(kind, cases.get(one), cases.get(other)) for kind, cases in by_case.items())
    )


def _of_nets(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.dropna(subset=["case_id", "seed"])


def _alike(frames: Mapping[str, pd.DataFrame]) -> list[list[str]]:
    """Cases that have files and common columns alike, in groups: the few that need be looked at row by row."""
    columns = [column.name for column in COMMON if column.name not in (*_IDS, "schema_version", "seed")]
    told: dict[str, list[Hashable]] = {}
    for kind, frame in frames.items():
        if kind not in OF_SOME_SEEDS:
            for case_id, *common in (
                frame.drop_duplicates("case_id")[["case_id", *columns]].astype(str).to_numpy()
            ):
                told.setdefault(case_id, []).append((kind, *common))
    ordered = sorted(told, key=lambda case_id: str(told[case_id]))
    return [list(those) for _, those in groupby(ordered, key=lambda case_id: str(told[case_id]))]


def _has_all(kind: str, rows: pd.DataFrame | None, others: pd.DataFrame | None) -> bool:
    """Whether all of the rows of one case are among the other's."""
    if rows is None:
        return True
    if others is None:
        return False
    file = RESULT_FILES[kind]
    told = [column.name for column in file.all_columns if column.name in rows and not column.is_time]
    one, other = (
        each[[name for name in told if name not in _IDS]]
        .sort_values(["seed", *(name for name in file.order if name in told)], kind="stable")
        .reset_index(drop=True)
        for each in (rows, others[others["seed"].isin(rows["seed"])])
    )
    return len(one) == len(other) and all(_same(one[name], other[name]) for name in one)


def _same(one: pd.Series, other: pd.Series) -> bool:
    if is_float_dtype(one):
        return np.allclose(
            one.to_numpy(float, na_value=np.nan), other.to_numpy(float, na_value=np.nan), **_CLOSE
        )
    return one.astype(str).equals(other.astype(str))
