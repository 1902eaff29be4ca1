"""`rnn-bench status`."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.document import AsJson, print_document
from bench.cli.show import duration, print_rows, say

if TYPE_CHECKING:
    from bench.running.heartbeat import Heartbeat
    from bench.running.status import Status

_MOST_FAILURES = 5


def status(
    named: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FOLDER|SUITE",
            help="Result folders, or suites by name or file. Default: all below results/. "
            "Folders and one suite: how much of the suite they hold.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what result folders hold of their suites, what is being measured now, and how long the rest takes.

    It only reads, and may be asked at any time, also while several processes measure.
    """
    from bench.running.expected import SOURCES, meaning
    from bench.running.status import folders_of, status_of

    now = time.time()
    found = [status_of(folder, suite, now) for folder, suite in folders_of(named or [])]
    if as_json:
        print_document("status", {"folders": [_document(each, now) for each in found]})
        return
    rows = [_row(each) for each in found]
    if all(each.suite and each.folder.name.startswith(each.suite) for each in found):
        rows = [{name: value for name, value in row.items() if name != "suite"} for row in rows]
    print_rows(rows)
    for each in found:
        for line in _remarks(each, now):
            say(line)
    if any(each.left_s for each in found):
        sources = [
            (source, each.estimate_on) for each in found for source in each.sources if source != "unknown"
        ]
        sources.sort(key=lambda each: list(SOURCES).index(each[0]))
        meanings = dict.fromkeys(meaning(*each) for each in sources)
        say(f"time left is from: {'; '.join(meanings)}")


def _row(each: "Status") -> dict[str, Any]:
    known = each.cases is not None
    left = f"{duration(each.left_s)}{' or more' if each.left_unknown else ''}" if each.left else ""
    return {
        "folder": each.folder.as_posix(),
        "suite": each.suite,
        "done": f"{each.done}/{each.cases}" if known else str(each.done),
        "failed": each.failed or "",
        "left": each.left if known else "?",
        "time left": "unknown" if each.left and not each.left_s else left,
    }


def _remarks(each: "Status", now: float) -> Iterator[str]:
    for heartbeat in each.runs:
        yield f"{each.folder}: {_run_line(heartbeat, now)}"
    if each.cases is None and each.done:
        yield f"{each.folder}: its suite is not known here; name its file too: status {each.folder} FILE.toml"
    if each.damaged:
        yield (
            f"{each.folder}: {', '.join(each.damaged)} cannot be read; rnn-bench check {each.folder} says where, and how "
            "to mend it"
        )
    if each.others:
        more = "1 more case that is" if each.others == 1 else f"{each.others} more cases that are"
        yield f"{each.folder}: {more} not of the suite as it is now"
    for label, failure in each.last_failures[-_MOST_FAILURES:]:
        took = f" after {duration(failure.elapsed_s)}" if failure.elapsed_s else ""
        yield f"{each.folder}: {failure.status}{took}: {label}: {failure.error}"
    if len(each.last_failures) > _MOST_FAILURES:
        yield f"{each.folder}: and {len(each.last_failures) - _MOST_FAILURES} more, see failures.csv or --json"


def _run_line(heartbeat: "Heartbeat", now: float) -> str:
    alive = heartbeat.alive()
    if alive is False:
        hand = f" while it measured {heartbeat.in_hand[0].label}" if heartbeat.in_hand else ""
        return f"a run was killed{hand}; the same command goes on from there"
    which = f"process {heartbeat.pid}" if alive else "a run elsewhere (another machine or container)"
    ended = f"{heartbeat.done} of {heartbeat.cases} done" + (
        f", {heartbeat.failed} failed" if heartbeat.failed else ""
    )
    line = f"{which} measures for {duration(now - heartbeat.began)}, {ended}"
    for case in heartbeat.in_hand:
        within = f" ({case.within}, {case.fraction:.0%})" if case.within else ""
        line += f"; in hand for {duration(now - case.began)}: {case.label}{within}"
    return line if alive else f"{line}; last heard of {duration(now - heartbeat.heard)} ago"


def _document(each: "Status", now: float) -> dict[str, Any]:
    return {
        "folder": each.folder,
        "suite": each.suite,
        "cases": each.cases,
        "done": each.done,
        "failed": each.failed,
        "left": each.left,
        "others": each.others,
        "damaged": each.damaged,
        "expected_left_s": each.left_s,
        "left_without_expectation": each.left_unknown,
        "expected_from": each.sources,
        "runs": [_run_document(heartbeat, now) for heartbeat in each.runs],
        "failures": [
            {
                "case_id": failure.case_id,
                "label": label,
                "status": failure.status,
                "error": failure.error,
                "elapsed_s": failure.elapsed_s,
            }
            for label, failure in each.last_failures
        ],
    }


def _run_document(heartbeat: "Heartbeat", now: float) -> dict[str, Any]:
    state = {True: "measuring", False: "killed", None: "unknown"}[heartbeat.alive()]
    in_hand = [
        {
            "case_id": case.case_id,
            "label": case.label,
            "since_utc": _utc(case.began),
            "elapsed_s": now - case.began,
            "within": case.within,
            "fraction": case.fraction,
        }
        for case in heartbeat.in_hand
    ]
    return {
        "state": state,
        "pid": heartbeat.pid,
        "began_utc": _utc(heartbeat.began),
        "last_heard_utc": _utc(heartbeat.heard),
        "cases": heartbeat.cases,
        "done": heartbeat.done,
        "failed": heartbeat.failed,
        "in_hand": in_hand,
    }


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
