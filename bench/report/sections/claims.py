"""What the textbook claims, and whether the results bear it out."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import pandas as pd

from bench.report.content import Claim, Claims, Section, Table, Text
from bench.report.results import Results
from bench.tables.claims import NOT_MEASURED

_TOLD = ["claim", "verdict", "number", "command"]


def claims(results: Results) -> Section:
    """Each claim as the folders have it that measured it."""
    tables = [
        table.assign(results=folder.label)[table["verdict"] != NOT_MEASURED]
        for folder, table in results.with_table("claims")
    ]
    found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    parts = []
    if len(found):
        # The folder that checks most of them speaks first; the others lie folded below it.
        fullest = found["results"].value_counts().index[0]
        counts = found[found["results"] == fullest]["verdict"].value_counts()
        counted = ", ".join(f"{verdict} {count}" for verdict, count in counts.items())
        parts = [
            Text(f"Of {counts.sum()} claims checked by {fullest}: {counted}."),
            Claims(
                [Claim(*row) for row in found[found["results"] == fullest][_TOLD].itertuples(index=False)]
            ),
        ]
        others = found[found["results"] != fullest]
        if len(others):
            parts.append(Table("The same claims checked by other suites", others[[*_TOLD[:3], "results"]]))
    return Section(
        "claims",
        "The textbook's claims",
        "Do gradients vanish and explode as the textbooks say, and do the usual remedies mend it?",
        parts,
        "rnn-bench run quick",
    )
