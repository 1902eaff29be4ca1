"""`rnn-bench tables`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.document import AsJson, print_document
from bench.cli.show import say, show_tables
from bench.errors import UsageError


def tables(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Result folders. Default: every one below results/, and the tables in README.md."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Derive tables and pictures again from the CSV files; the same CSV gives the same bytes."""
    from bench import comparison, plan, readme
    from bench import tables as derived
    from bench.folders import RESULTS, result_folders
    from bench.status import plan_to_keep
    from bench.store import Store, write_text

    chosen = folders or result_folders()
    if not chosen:
        raise UsageError(f"no result folder below {RESULTS}; measure something first: rnn-bench run quick")
    comparisons = [folder for folder in chosen if comparison.is_kept(folder)]
    done = []
    for folder in (each for each in chosen if each not in comparisons):
        derived.derive(Store(folder))
        made = plan_to_keep(folder)
        if made is not None:
            write_text(folder / plan.FILE, plan.text_of(made))
        done.append(folder)
        if not as_json:
            say(f"derived {folder / 'tables'} and {folder / 'figures'}")
    for folder in comparisons if folders else comparison.kept(RESULTS):
        comparison.derive(folder)
        done.append(folder)
        if not as_json:
            say(f"derived {folder}")
    pages = [] if folders else readme.write(Path())
    if as_json:
        content = [{"folder": folder, "tables": _tables(folder)} for folder in done]
        print_document("tables", {"folders": content, "pages": pages})
        return
    for folder in (each for each in folders or [] if each not in comparisons):
        show_tables(folder)
    for path in pages:
        say(f"wrote {path}")


def _tables(folder: Path) -> dict[str, Any]:
    from bench import comparison
    from bench import tables as derived
    from bench.store import Store

    return dict(comparison.tables(folder) if comparison.is_kept(folder) else derived.tables(Store(folder)))
