"""`rnn-bench run --dry-run`."""

from typing import TYPE_CHECKING, Any

from bench.cli.document import print_document
from bench.cli.show import duration, print_rows, say

if TYPE_CHECKING:
    from bench.running.dry_run import Foreseen
    from bench.running.job import Job


def dry_run(job: "Job", minutes: float | None, *, as_json: bool) -> None:
    """Prints the cases of a run, what each is expected to take and from what that is known."""
    from bench.running.dry_run import DONE, NO_TIME, STATES, counts, foreseen, time_of
    from bench.running.expected import SOURCES, meaning
    from bench.running.runner import note_of_dropped_cases

    cases = foreseen(job, minutes)
    seconds, unknown = time_of(cases)
    if as_json:
        print_document("run", _document(job, cases, counts(cases), seconds, unknown))
        return
    say(
        f"suite {job.suite.name} on {job.environment.machine}, {job.environment.dtype}, into {job.store.folder}"
    )
    print_rows([_row(case) for case in cases], most=None)
    for case_state, count in counts(cases).items():
        say(f"{case_state}: {count} {'case' if count == 1 else 'cases'}, {STATES[case_state]}")
    if job.environment.backend == "cpu" and job.suite.gpu_hint:
        say(job.suite.gpu_hint)
    if job.in_files:
        say(f"{job.in_files} cases have rows in the CSV files and are left out")
    if job.left_out:
        packages = sorted({str(case.needs) for case in job.left_out})
        say(f"{len(job.left_out)} cases are left out: {', '.join(packages)} is not installed")
    for line in job.will_fail():
        say(line)
    for line in note_of_dropped_cases(job.store, [case.case_id(job.environment) for case in job.whole.cases]):
        say(line)
    shown = {case.expected.source for case in cases if case.state not in (DONE, NO_TIME)}
    for source in (each for each in SOURCES if each in shown):
        say(f"from {source}: {meaning(source, job.suite.estimate_on)}")
    cases_of = "1 case" if unknown == 1 else f"{unknown} cases"
    more = f", and {cases_of} of which nothing is known" if unknown else ""
    say(
        f"in all: {duration(seconds) if seconds else 'no time that is known'}{more}; nothing was measured or written"
    )


def _row(case: "Foreseen") -> dict[str, Any]:
    return {
        "case": case.label,
        "state": case.state,
        "time": duration(case.expected.seconds),
        "from": case.expected.source,
    }


def _document(
    job: "Job", cases: "list[Foreseen]", states: dict[str, int], seconds: float, unknown: int
) -> dict[str, Any]:
    return {
        "dry_run": True,
        "suite": job.suite.name,
        "folder": job.store.folder,
        "machine": job.environment.machine,
        "backend": job.environment.backend,
        "dtype": job.environment.dtype,
        "cases": [
            {
                "case_id": case.case_id,
                "label": case.label,
                "kind": case.kind,
                "state": case.state,
                "expected_s": case.expected.seconds,
                "expected_from": case.expected.source,
            }
            for case in cases
        ],
        "states": states,
        "in_files": job.in_files,
        "not_installed": len(job.left_out),
        "will_fail": job.will_fail(),
        "expected_s": seconds,
        "without_expectation": unknown,
    }
