"""What charts of trained nets call their runs."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Collection

import pandas as pd

from bench.plots.training import TRAINED
from bench.schema.net_names import setting_label, varying_columns


def named(frame: pd.DataFrame, but: Collection[str] = ()) -> pd.DataFrame:
    """With the names of remedy and its strength, and of what else tells one setting from another, `but` for some."""
    # A step size that each case chose for itself tells no setting from another.
    given = frame["learning_rate_grid"].fillna("") == ""
    frame = frame.assign(learning_rate=frame["learning_rate"].where(given))
    kinds = frame.groupby(["cell", "remedy", "remedy_strength"], dropna=False)
    varying = [
        name
        for name in TRAINED
        if name not in but and any(varying_columns(of_kind, [name]) for _, of_kind in kinds)
    ]
    strength = frame["remedy_strength"].map(lambda each: "" if pd.isna(each) else f" {each:g}")
    return frame.assign(
        mended=frame["remedy"] + strength.astype("string"),
        setting=[setting_label(row, varying) for _, row in frame.iterrows()],
        score=frame["accuracy"].where(frame["verdict"] != "diverged", 0.0),
    )
