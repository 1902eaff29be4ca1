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
    from bench import comparison, readme
    from bench import tables as derived
    from bench.folders import RESULTS, result_folders
    from bench.store import Store

    chosen = folders or result_folders()
    if not chosen:
        raise UsageError(f"no result folder below {RESULTS}; measure something first: rnn-bench run quick")
    comparisons = [folder for folder in chosen if comparison.is_kept(folder)]
    for folder in chosen:
        if folder not in comparisons:
            store = Store(folder)
            with store.turn(say):  # a run may be writing the CSV files just now
                derived.derive(store)
            say(f"derived {folder / 'tables'} and {folder / 'figures'}")
    for folder in comparisons if folders else comparison.kept(RESULTS):
        comparison.derive(folder)
        say(f"derived {folder}")
    if folders:
        for folder in (each for each in folders if each not in comparisons):
            show_tables(folder)
    else:
        for path in readme.write(Path()):
            say(f"wrote {path}")
