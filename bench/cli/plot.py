"""`rnn-bench plot`."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.document import AsJson, print_document
from bench.cli.out import out_option
from bench.cli.show import print_rows, say
from bench.errors import UsageError


def plot(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="A result folder, or one that keeps a comparison. Left out: the pictures there are.",
            show_default=False,
        ),
    ] = None,
    figures: Annotated[
        list[str] | None,
        typer.Option(
            "--figure", help="Only this picture; give it several times for several.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None, out_option("a folder", "Into another folder. Default: FOLDER/figures.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw the pictures of a result folder again from its CSV files, as SVG and PNG."""
    from bench import plots

    wanted = figures or []
    if folder is None:
        if wanted or out is not None:
            raise UsageError("plot: name the result folder whose pictures are wanted")
        rows = [{"figure": name, "what it shows": plots.meaning(name)} for name in plots.PICTURES]
        if as_json:
            print_document(
                "plot", {"figures": [{"figure": r["figure"], "shows": r["what it shows"]} for r in rows]}
            )
        else:
            print_rows(rows)
        return
    written = _comparison(folder, wanted, out) or _results(folder, wanted, out)
    if as_json:
        print_document("plot", {"folder": folder, "written": written})
    for path in [] if as_json else written:
        say(f"drew {path}")


def _results(folder: Path, wanted: list[str], out: Path | None) -> list[Path]:
    from bench import plots
    from bench.nearest import nearest
    from bench.store import Store

    for name in wanted:
        if name not in plots.PICTURES:
            raise UsageError(f"--figure: there is no picture {name!r}{nearest(name, plots.PICTURES)}")
    if out is not None and out.is_file():
        raise UsageError(f"--out {out} is a file; choose a folder")
    store = Store(folder)
    store.refuse_without_results()
    written = plots.draw(store, wanted or plots.PICTURES, out)
    drawn = {path.stem for path in written}
    without = [name for name in wanted if name not in drawn]
    if without or not drawn:
        what = f"--figure {without[0]}: " if without else ""
        raise UsageError(
            f"{what}{folder} holds no rows to draw; `rnn-bench plot` says what each picture shows"
        )
    return written


def _comparison(folder: Path, wanted: list[str], out: Path | None) -> list[Path]:
    """The picture of a kept comparison, with its tables, of which it is drawn; nothing where `folder` keeps none."""
    from bench import plots
    from bench.comparing import comparison

    if not comparison.is_comparison(folder):
        return []
    if out is not None or (wanted and wanted != ["times"]):
        raise UsageError(f"{folder} keeps a comparison: its picture is times, and is drawn there")
    written = [path for path in comparison.derive(folder) if path.suffix in plots.SUFFIXES]
    if not written:
        raise UsageError(f"{folder} keeps a comparison without times, of which there is no picture")
    return written
