"""`rnn-bench report`."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.out import out_option
from bench.cli.show import say
from bench.errors import UsageError

_BEGINS = (b"<!doctype html", b"<html")


def report(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Result folders, or folders that keep a comparison. Default: all of results/MACHINE of this machine, "
            "and the comparisons with them."
        ),
    ] = None,
    out: Annotated[Path, out_option("a file", "The HTML file to write. Default: report.html.")] = Path(
        "report.html"
    ),
) -> None:
    """Write result folders as one interactive HTML file that can be mailed: nothing is loaded from a network."""
    from bench import report as whole
    from bench.store import write_text

    _require_own_file(out)
    chosen = folders or _of_this_machine()
    text = whole.page(whole.read(chosen))
    write_text(out, text)
    size = len(text.encode())
    say(f"wrote {out}, {size / 1e6:.1f} MB, from {', '.join(str(folder) for folder in chosen)}")
    if size > whole.MOST_BYTES:
        say(f"it is over {whole.MOST_BYTES / 1e6:.0f} MB, more than some mail takes: name fewer folders")


def _require_own_file(out: Path) -> None:
    """Raises UsageError where a report would take another thing's place, or another thing's name."""
    from bench.running import plan
    from bench.schema import RESULT_FILES

    if out.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file, such as {out / 'report.html'}")
    if out.name in {"machine.json", plan.FILE, *(f"{kind}.csv" for kind in RESULT_FILES)}:
        raise UsageError(f"--out {out} is the name of a result file; name an HTML file, such as report.html")
    if out.is_file() and out.stat().st_size:
        with out.open("rb") as file:
            begin = file.read(100).lstrip().lower()
        if not begin.startswith(_BEGINS):
            raise UsageError(f"--out {out} is a file already and no HTML page; choose another name")


def _of_this_machine() -> list[Path]:
    """Its result folders, and the comparisons that one of them is a side of."""
    from bench import machine
    from bench.comparing import comparison
    from bench.running.folders import RESULTS, result_folders

    machine.configure(None, "float32")
    name = machine.environment("float32").machine
    found = result_folders(RESULTS / name)
    if not found:
        others = ", ".join(str(folder) for folder in result_folders()) or "none"
        raise UsageError(
            f"no result folder below {RESULTS / name}; measure something first: rnn-bench run quick. Or name folders of "
            f"another machine, of which there are: {others}"
        )
    theirs = {folder.resolve() for folder in found}
    return found + [
        folder
        for folder in comparison.folders_below(RESULTS)
        if theirs & {side.resolve() for side in comparison.sides(folder)}
    ]
