"""`rnn-bench tables`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.document import AsJson, print_document
from bench.cli.show import say, show_tables
from bench.errors import UsageError


def tables(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Result folders. Default: every one below results/, and the tables in README.md and results/FINDINGS.md."
        ),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Draw the pictures too: most of what it takes.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Derive tables and pictures again from the CSV files; the same CSV gives the same bytes."""
    from bench.comparing import comparison
    from bench.deriving import derived, pages
    from bench.running import plan
    from bench.running.folders import RESULTS, result_folders
    from bench.running.status import plan_to_keep
    from bench.store import Store, write_text

    chosen = folders or result_folders()
    if not chosen:
        raise UsageError(f"no result folder below {RESULTS}; measure something first: rnn-bench run quick")
    comparisons = [folder for folder in chosen if comparison.is_comparison(folder)]
    done = []
    for folder in (each for each in chosen if each not in comparisons):
        store = Store(folder)
        with store.exclusive(partial(say, error=as_json)):  # a run may be writing the CSV files just now
            done.append({"folder": folder, "tables": derived.derive(store, pictures)})
        made = plan_to_keep(folder)
        if made is not None:
            write_text(folder / plan.FILE, plan.text_of(made))
        if not as_json:
            and_pictures = f" and {folder / 'figures'}" if pictures and (folder / "figures").is_dir() else ""
            say(f"derived {folder / 'tables'}{and_pictures}")
    for folder in comparisons if folders else comparison.folders_below(RESULTS):
        comparison.derive(folder, pictures)
        if as_json:
            done.append({"folder": folder, "tables": dict(comparison.tables(folder))})
        else:
            say(f"derived {folder}")
    written = [] if folders else pages.write(Path())
    if as_json:
        print_document("tables", {"folders": done, "pages": written})
        return
    for folder in (each for each in folders or [] if each not in comparisons):
        show_tables(folder)
    for path in written:
        say(f"wrote {path}")
