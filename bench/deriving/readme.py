"""Writes the parts of README.md and results/README.md that come from results and from the schema."""

import re
from functools import cache
from pathlib import Path

import pandas as pd

from bench.comparing import comparison
from bench.errors import UsageError
from bench.schema import COMMON, RESULT_FILES
from bench.store import Store, write_text
from bench.tables import markdown, tables


def write(root: Path) -> list[Path]:
    """Fills the marked parts of README.md from committed results, and writes the data dictionary.

    A part begins with `<!-- results FOLDER TABLE: COLUMN, COLUMN -->` and ends with
    `<!-- end -->`; the columns may be left out.

    Raises:
        UsageError: a part names a folder, table or column that is not there.
    """
    readme = root / "README.md"
    written = []
    if readme.is_file():
        write_text(readme, filled(readme.read_text(encoding="utf-8"), root))
        written.append(readme)
    dictionary = root / "results" / "README.md"
    write_text(dictionary, data_dictionary())
    return [*written, dictionary]


def filled(text: str, root: Path) -> str:
    """A README's text with its marked parts made anew."""

    @cache
    def tables_of(folder: Path) -> dict[str, pd.DataFrame]:
        return dict(comparison.tables(folder) if comparison.is_kept(folder) else tables(Store(folder)))

    def part(match: re.Match[str]) -> str:
        folder, name, columns = match["folder"], match["table"], match["columns"]
        if not (root / folder).is_dir():
            raise UsageError(f"README.md: there is no folder {folder}")
        available = tables_of(root / folder)
        if name not in available:
            raise UsageError(f"README.md: {folder} has no table {name!r}; it has {', '.join(available)}")
        table = available[name]
        if columns:
            chosen = [column.strip() for column in columns.split(",")]
            missing = [column for column in chosen if column not in table.columns]
            if missing:
                raise UsageError(f"README.md: table {name} has no column {missing[0]!r}")
            table = table[chosen]
        assert isinstance(table, pd.DataFrame)
        return f"{match['start']}\n{markdown(table)}{match['end']}"

    complete = len(_PART.findall(text))
    if complete != text.count(_START):
        raise UsageError(f"README.md: {text.count(_START)} parts begin but {complete} end with <!-- end -->")
    return _PART.sub(part, text)


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
        "`rnn-bench tables`.",
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
