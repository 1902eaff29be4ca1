"""A table as Markdown."""

import pandas as pd


def markdown(table: pd.DataFrame) -> str:
    """A GitHub table, numbers in four significant digits."""
    header = "| " + " | ".join(str(name) for name in table.columns) + " |"
    rule = "|" + "|".join("---" for _ in table.columns) + "|"
    rows = ["| " + " | ".join(_cell(value) for value in row) + " |" for row in table.itertuples(index=False)]
    return "\n".join([header, rule, *rows]) + "\n"


def _cell(value: object) -> str:
    if value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "\\|")
