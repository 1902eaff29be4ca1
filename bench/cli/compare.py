"""`rnn-bench compare`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.document import AsJson, print_document
from bench.cli.out import out_option
from bench.cli.show import print_rows, say
from bench.errors import NothingInCommonError, UsageError

if TYPE_CHECKING:
    import pandas as pd

REGRESSION = 3


@dataclass(frozen=True)
class _Compared:
    """One folder beside the reference.

    Attributes:
        folder: it.
        joined: what both hold, by name.
        differing: in what machines, installations and code differ, a line each.
        missing, more: the timings that the reference has alone, and those that `folder` has alone.
    """

    folder: Path
    joined: "dict[str, pd.DataFrame]"
    differing: list[str]
    missing: "pd.DataFrame"
    more: "pd.DataFrame"


def compare(
    folders: Annotated[
        list[Path],
        typer.Argument(
            help="Two or more result folders, the reference first; of a GPU, another dtype, another JAX."
        ),
    ],
    out: Annotated[
        Path | None, out_option("a folder", "Keep the tables and pictures in this folder.")
    ] = None,
    factor: Annotated[float, typer.Option(help="Times that differ by less count as the same.")] = 1.05,
    fail_on: Annotated[
        str | None,
        typer.Option(
            help="regression: exit with 3 where ours is slower than the reference, of the same machine and installation; "
            "with 2 where that cannot be said."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare result folders with the first one: times, ceilings, precision, rates, exponents, verdicts.

    Ratios and differences are of the folder on the right against the reference on the left: under 1 the right one is
    faster. It is called faster or slower where the whole interval lies beyond the factor; where nothing differs
    by more than the factor, a comparison calls any of its timings so with a probability of at most 5%. A folder that has
    nothing in common with the reference is named, and makes the exit code 2.
    """
    from bench.comparing import comparison
    from bench.comparing.two_folders import compared, require_same_identity, times_of_one_side, unlike

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
    comparisons, refused = [], {}
    for other in others:
        try:
            joined = compared(reference, other, factor)
        except NothingInCommonError as error:  # told at the end, after what the other folders show
            refused[other] = str(error)
        else:
            differing, one_sided = unlike(reference, other), times_of_one_side(reference, other)
            comparisons.append(_Compared(other, joined, differing, *one_sided))
    if not comparisons:
        raise NothingInCommonError("; ".join(refused.values()))
    if as_json:
        print_document("compare", _everything(reference, comparisons, refused, factor))
    else:
        for each in comparisons:
            _show(reference, each)
    if out is not None:
        kept = [reference, *(each.folder for each in comparisons)]
        comparison.keep(kept, out, factor, [each.joined for each in comparisons])
        if not as_json:
            say(f"kept in {out}")
    if fail_on is not None and _regressed(reference, comparisons, refused, factor, quiet=as_json):
        raise typer.Exit(REGRESSION)
    if refused:
        raise NothingInCommonError("; ".join(refused.values()))


def _show(reference: Path, each: _Compared) -> None:
    from bench.cli.comparison_rows import titled_rows

    say(f"left:  {reference}")
    say(f"right: {each.folder}")
    if each.folder.samefile(reference):
        say("  both are the same folder, which is compared with itself")
    for line in each.differing:
        say(f"  differs in {line}")
    _tell_of_one_side(each)
    for title, rows in titled_rows(each.joined):
        if rows:
            say(title)
        print_rows(rows)
    if "times" in each.joined:
        _explain_too_few(each.joined["times"])
    if "verdicts" in each.joined:
        verdicts = each.joined["verdicts"]
        say(f"verdicts: {int(verdicts['same_verdict'].sum())} of {len(verdicts)} seeds agree")


def _tell_of_one_side(each: _Compared) -> None:
    parts = []
    if len(each.missing):
        parts.append(f"{_timings(len(each.missing))} of the reference not in {each.folder}")
    if len(each.more):
        parts.append(f"{_timings(len(each.more))} of {each.folder} not in the reference")
    if parts:
        say(", ".join(parts))


def _timings(count: int) -> str:
    return "1 timing" if count == 1 else f"{count} timings"


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


def _regressed(
    reference: Path, comparisons: list[_Compared], refused: dict[Path, str], factor: float, *, quiet: bool
) -> bool:
    """Whether any folder is slower than the reference at any of our own timings.

    Raises:
        UsageError: none is slower as far as can be judged, but a folder has no timing that can be, or lacks some.
    """
    from bench.comparing.compared_times import ours, regressions
    from bench.statistics.time_ratio import FASTER, SAME, TOO_FEW

    regressed, unclear = False, list(refused.values())
    for each in comparisons:
        missing = len(ours(each.missing))
        times = ours(each.joined["times"]) if "times" in each.joined else None
        if times is None or not times["ratio_low"].notna().any():
            unclear.append(
                f"no timing of ours in {each.folder} can be judged; both sides need the same timings, each of 3 fresh processes "
                "or more: processes = 3 in the suite"
            )
        elif missing:
            unclear.append(
                f"{missing} of our timings of {reference} are not in {each.folder}, so that nobody knows whether they "
                "got slower; measure the same cases in both"
            )
        slower = 0 if times is None else len(regressions(times))
        count = {} if times is None else dict(times["verdict"].value_counts())
        faster, same, few = (int(count.get(verdict, 0)) for verdict in (FASTER, SAME, TOO_FEW))
        regressed = regressed or slower > 0
        if not quiet:
            say(
                f"{each.folder}: {slower} of our timings slower than {factor:g} times the reference, {faster} faster, "
                f"{same} same, {few} not decided, {missing} missing"
            )
    if not quiet:
        for reason in refused.values():
            say(f"not compared: {reason}")
    if unclear and not regressed:
        raise UsageError(f"--fail-on regression: {'; '.join(unclear)}")
    return regressed


def _everything(
    reference: Path, comparisons: list[_Compared], refused: dict[Path, str], factor: float
) -> dict[str, Any]:
    from bench.statistics.time_ratio import FALSE_ALARM_RATE

    return {
        "reference": reference,
        "factor": factor,
        "false_alarm_rate": FALSE_ALARM_RATE,
        "comparisons": [
            {
                "folder": each.folder,
                "differs_in": each.differing,
                "times_of_reference_alone": each.missing,
                "times_of_folder_alone": each.more,
            }
            | each.joined
            for each in comparisons
        ],
        "not_compared": [{"folder": folder, "reason": reason} for folder, reason in refused.items()],
    }
