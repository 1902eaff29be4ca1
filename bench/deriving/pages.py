"""Writes what the pages of this project show of results, and the page that explains the result files."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pandas as pd

from bench.comparing import comparison
from bench.errors import UsageError
from bench.schema import COMMON, RESULT_FILES
from bench.store import Store, write_text
from bench.tables import markdown, tables

Tables = Mapping[str, pd.DataFrame]
"""By name."""
PAGES = ("README.md", "results/FINDINGS.md")
"""Those with marked parts that are filled from committed results."""


def write(root: Path) -> list[Path]:
    """Fills the marked parts of the pages, and writes the data dictionary.

    A part begins with `<!-- results FOLDER TABLE: COLUMN, COLUMN -->` and ends with
    `<!-- end -->`; the columns may be left out. FOLDER is named from the root on whichever page it is.

    Raises:
        UsageError: a part names a folder, table or column that is not there. Then no page was written.
    """
    there = [page for page in PAGES if (root / page).is_file()]
    tables_of = cache(_tables)
    texts = {
        root / page: filled(page, (root / page).read_text(encoding="utf-8"), root, tables_of)
        for page in there
    }
    texts[root / "results" / "README.md"] = data_dictionary()
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)


def filled(page: str, text: str, root: Path, tables_of: Callable[[Path], Tables] | None = None) -> str:
    """A page's text with its marked parts made anew.

    Args:
        page: its name, for messages.
        text: as it is.
        root: where the folders that it names begin.
        tables_of: the tables of a folder; where several pages are filled, one that remembers them.
    """
    tables_of = tables_of or cache(_tables)

    def part(match: re.Match[str]) -> str:
        folder, name, columns = match["folder"], match["table"], match["columns"]
        if not (root / folder).is_dir():
            raise UsageError(f"{page}: there is no folder {folder}")
        available = tables_of(root / folder)
        if name not in available:
            raise UsageError(f"{page}: {folder} has no table {name!r}; it has {', '.join(available)}")
        table = available[name]
        if columns:
            chosen = [column.strip() for column in columns.split(",")]
            missing = [column for column in chosen if column not in table.columns]
            if missing:
                raise UsageError(f"{page}: table {name} has no column {missing[0]!r}")
            table = table[chosen]
        assert isinstance(table, pd.DataFrame)
        return f"{match['start']}\n{markdown(table)}{match['end']}"

    complete = len(_PART.findall(text))
    if complete != text.count(_START):
        raise UsageError(f"{page}: {text.count(_START)} parts begin but {complete} end with <!-- end -->")
    return _PART.sub(part, text)


def _tables(folder: Path) -> Tables:
    return dict(comparison.tables(folder) if comparison.is_comparison(folder) else tables(Store(folder)))


_START = "<!-- results "
_PART = re.compile(
    r"(?P<start><!-- results (?P<folder>\S+) (?P<table>\w+)(?:: (?P<columns>[^>]*?))? -->)\n(?:(?!<!-- results ).)*?(?P<end><!-- end -->)",
    re.DOTALL,
)


def data_dictionary() -> str:
    """results/README.md: every column of every result file."""
    lines = [
        "# Results",
        "",
        "One folder a machine and suite, written by `rnn-bench run`. `machine.json` says what it ran on, `suite.json` which",
        "cases it is meant to hold; `tables/` and `figures/` are derived from the CSV files and made again by",
        "`rnn-bench tables`. [FINDINGS.md](FINDINGS.md) says what was found.",
        "",
        "CSV: one observation a row, UTF-8, LF, nine significant digits, an empty cell where there is no value. Two runs",
        "of the same command with the same versions on the same CPU give the same bytes, except in the columns marked",
        "*time*. This page is written from `bench/schema/` by `rnn-bench tables`.",
        "",
        "## Every file begins with",
        "",
        *_dictionary_rows(COMMON),
    ]
    for file in RESULT_FILES.values():
        lines += ["", f"## {file.kind}.csv", "", f"A row: {file.row}.", "", *_dictionary_rows(file.columns)]
    return "\n".join(lines) + "\n"


def _dictionary_rows(columns: tuple) -> list[str]:
    rows = ["| column | type | meaning |", "|---|---|---|"]
    for column in columns:
        kind = f"{column.type}, *time*" if column.is_time else column.type
        rows.append(f"| `{column.name}` | {kind} | {column.meaning} |")
    return rows
