"""`rnn-bench check`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.document import AsJson, print_document
from bench.cli.show import say
from bench.errors import UsageError

FOUND = 1


def check(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Result folders. Default: every one below results/.")
    ] = None,
    widest_percent: Annotated[
        float,
        typer.Option(help="A median whose 95% interval is wider, in percent of it, is too noisy to quote."),
    ] = 10.0,
    fail_on: Annotated[
        str | None,
        typer.Option(help="damaged: exit with 1 only there, not where times are too noisy to quote."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what must not be quoted, and what does not hold what it claims.

    Exits with 0 where all is well and 1 where anything was found. Notes, of what cannot be checked, are no findings.
    """
    from bench.check import checked
    from bench.check.finding import DAMAGED, NOISY, NOTE
    from bench.comparing import comparison
    from bench.running.folders import RESULTS, result_folders

    if not widest_percent > 0:
        raise UsageError(f"--widest-percent must be a number over 0, got {widest_percent:g}")
    if fail_on not in (None, DAMAGED):
        raise UsageError(f"--fail-on must be {DAMAGED}, got {fail_on!r}")
    chosen = folders or [*result_folders(), *comparison.folders_below(RESULTS)]
    if not chosen:
        raise UsageError(f"no result folder below {RESULTS}; measure something first: rnn-bench run quick")
    findings = {folder: checked(folder, widest_percent) for folder in chosen}
    if as_json:
        everything = [
            {"folder": str(folder), "findings": [asdict(each) for each in found]}
            for folder, found in findings.items()
        ]
        print_document("check", {"folders": everything})
    else:
        for folder, found in findings.items():
            faults = sum(each.weight != NOTE for each in found)
            say(f"{folder}: {'all well' if not faults else f'{faults} found'}")
            for each in found:
                say(f"  {each.weight}: {each.file}: {each.problem}")
                say(f"    {each.mend}")
    failing = {DAMAGED} if fail_on == DAMAGED else {DAMAGED, NOISY}
    if any(each.weight in failing for found in findings.values() for each in found):
        raise typer.Exit(FOUND)
