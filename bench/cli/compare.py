"""`rnn-bench compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.document import AsJson, print_document
from bench.cli.show import print_rows, say
from bench.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

REGRESSION = 3


def compare(
    folders: Annotated[
        list[Path],
        typer.Argument(
            help="Two or more result folders, the reference first; of a GPU, another dtype, another JAX."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Keep the tables and pictures in this folder.", show_default=False)
    ] = None,
    factor: Annotated[float, typer.Option(help="Times that differ by less count as the same.")] = 1.05,
    fail_on: Annotated[
        str | None,
        typer.Option(
            help="regression: exit with 3 where ours is slower than the reference, of the same machine and installation."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare result folders with the first one: times, ceilings, precision, rates, exponents, verdicts.

    Ratios and differences are of the folder on the right against the reference on the left: under 1 the right one is
    faster. It is called faster or slower where the whole interval lies beyond the factor; where nothing differs
    by more than the factor, a comparison calls any of its timings so with a probability of at most 5%.
    """
    from bench.comparing import comparison
    from bench.comparing.two_folders import compared, require_same_identity, unlike

    if len(folders) < 2:
        raise UsageError(f"compare needs two result folders or more, the reference first, got {len(folders)}")
    if fail_on not in (None, "regression"):
        raise UsageError(f"--fail-on must be regression, got {fail_on!r}")
    if out is not None:
        comparison.require_own_folder(out)
    reference, *others = folders
    if fail_on is not None:
        for other in others:
            require_same_identity(reference, other)
    comparisons = [(other, compared(reference, other, factor), unlike(reference, other)) for other in others]
    if as_json:
        print_document("compare", _everything(reference, comparisons, factor))
    else:
        for other, joined, differing in comparisons:
            _show(reference, other, joined, differing)
    if out is not None:
        comparison.keep(folders, out, factor, [joined for _, joined, _ in comparisons])
        if not as_json:
            say(f"kept in {out}")
    if fail_on is not None and _regressed(comparisons, factor, quiet=as_json):
        raise typer.Exit(REGRESSION)


def _show(reference: Path, other: Path, joined: "dict[str, pd.DataFrame]", differing: list[str]) -> None:
    from bench.cli.comparison_rows import titled_rows

    say(f"left:  {reference}")
    say(f"right: {other}")
    for line in differing:
        say(f"  differs in {line}")
    for title, rows in titled_rows(joined):
        if rows:
            say(title)
        print_rows(rows)
    if "times" in joined:
        _explain_too_few(joined["times"])
    if "verdicts" in joined:
        verdicts = joined["verdicts"]
        say(f"verdicts: {int(verdicts['same_verdict'].sum())} of {len(verdicts)} seeds agree")


def _explain_too_few(times: "pd.DataFrame") -> None:
    from bench.statistics.time_spread import LEAST_PROCESSES

    few = times[["processes_left", "processes_right"]].min(axis=1) < LEAST_PROCESSES
    wide = (times["verdict"] == "too few samples") & ~few
    if few.any():
        say(
            f"too few samples: {int(few.sum())} of {len(times)} timings have fewer than {LEAST_PROCESSES} fresh "
            "processes on a side, so nobody knows how processes differ; measure with processes = 3"
        )
    if wide.any():
        say(
            f"too few samples: the intervals of {int(wide.sum())} timings reach over the factor; measure more processes, "
            "on a machine that does nothing else"
        )


def _regressed(comparisons: "list[tuple[Path, dict[str, pd.DataFrame], list[str]]]", factor: float, *, quiet: bool) -> bool:  # fmt: skip
    """Whether any folder is slower than the reference at any of our own timings.

    Raises:
        UsageError: a folder has no timing that can be judged.
    """
    from bench.comparing.compared_times import regressions

    found = 0
    for other, joined, _ in comparisons:
        times = joined.get("times")
        if times is None or not times["ratio_low"].notna().any():
            raise UsageError(
                f"--fail-on regression: no timing of {other} can be judged; both sides need the same timings, each "
                "of 3 fresh processes or more: processes = 3 in the suite"
            )
        slower = regressions(times)
        found += len(slower)
        if not quiet:
            say(f"{other}: {len(slower)} of our timings slower than {factor:g} times the reference")
    return found > 0


def _everything(
    reference: Path, comparisons: "list[tuple[Path, dict[str, pd.DataFrame], list[str]]]", factor: float
) -> dict[str, Any]:
    from bench.statistics.time_ratio import FALSE_ALARM_RATE

    return {
        "reference": reference,
        "factor": factor,
        "false_alarm_rate": FALSE_ALARM_RATE,
        "comparisons": [
            {"folder": other, "differs_in": differing} | joined for other, joined, differing in comparisons
        ],
    }
