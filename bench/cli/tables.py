"""`rnn-bench tables`."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.show import say, show_tables
from bench.errors import UsageError


def tables(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Result folders. Default: every one below results/, and the tables in README.md."
        ),
    ] = None,
) -> None:
    """Derive tables and pictures again from the CSV files; the same CSV gives the same bytes."""
    from bench import readme
    from bench import tables as derived
    from bench.folders import RESULTS, result_folders
    from bench.store import Store

    chosen = folders or result_folders()
    if not chosen:
        raise UsageError(f"no result folder below {RESULTS}; measure something first: rnn-bench run quick")
    for folder in chosen:
        derived.derive(Store(folder))
        say(f"derived {folder / 'tables'} and {folder / 'figures'}")
    if folders:
        for folder in folders:
            show_tables(folder)
    else:
        for path in readme.write(Path()):
            say(f"wrote {path}")
