"""All that is made of a result folder's CSV files: tables and pictures. It can be made again from them."""

import pandas as pd

from bench import plots
from bench.store import Store, write_csv, write_text
from bench.tables import TABLES, markdown, tables


def derive(store: Store, pictures: bool = True) -> dict[str, pd.DataFrame]:
    """Writes every derived table, as CSV and Markdown, and every picture of a result folder; returns the tables.

    Args:
        store: the result folder.
        pictures: False leaves the pictures as they are.

    Raises:
        UsageError: there is no such folder, or one of its CSV files cannot be read.
    """
    store.refuse_without_results()
    folder = store.folder / "tables"
    written = plots.draw(store) if pictures else []
    made = dict(tables(store))
    for name, table in made.items():
        written += [folder / f"{name}.csv", folder / f"{name}.md"]
        write_csv(folder / f"{name}.csv", table)
        write_text(folder / f"{name}.md", markdown(table))
    known = [folder / f"{name}{suffix}" for name in TABLES for suffix in (".csv", ".md")]
    if pictures:
        figures = store.folder / "figures"
        known += [figures / f"{name}{suffix}" for name in plots.PICTURES for suffix in plots.SUFFIXES]
    for path in set(known) - set(written):
        path.unlink(missing_ok=True)  # made from a CSV file that is there no more
    return made
