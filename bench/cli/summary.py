"""What a run says at its end."""

from typing import TYPE_CHECKING, Any

from bench.cli.show import say, show_tables

if TYPE_CHECKING:
    from bench.running.budget import Budget
    from bench.running.job import Job
    from bench.running.runner import Outcome


def say_summary(
    job: "Job", outcome: "Outcome", budget: "Budget", minutes: float | None, *, drawn: bool
) -> None:
    """Tables, counts and where everything is; whether the pictures were `drawn`."""
    store, folder = job.store, job.store.folder
    if store.kinds():
        show_tables(folder)
    parts = [f"{outcome.measured} measured"]
    if outcome.found_done:
        parts.append(f"{outcome.found_done} done before")
    if outcome.failed:
        parts.append(f"{outcome.failed} failed, see {folder / 'failures.csv'}")
    if outcome.left:
        parts.append(f"{outcome.left} left")
    if outcome.elsewhere:
        parts.append(f"{outcome.elsewhere} in the hand of another run")
    say(f"cases: {', '.join(parts)}")
    say(f"CSV files: {folder}")
    say(f"tables:    {folder / 'tables'}")
    if not drawn:
        say(f"pictures:  not drawn; rnn-bench plot {folder} draws them")
    elif (folder / "figures").is_dir():
        say(f"pictures:  {folder / 'figures'}")
    if outcome.elsewhere:
        say("another run into this folder measures the rest, and collates all when it is done")
    if outcome.left:
        say(f"{outcome.left} cases are left: the same command goes on from there")
        if not (outcome.measured or outcome.failed):
            todo = [case for case in job.suite.cases if not store.is_done(case.case_id(job.environment))]
            shortest = min(budget.expected_s(case) for case in todo)
            say(
                f"none was expected to fit into --minutes {minutes:g}: the shortest takes about {shortest:.0f} s"
            )


def summary(job: "Job", outcome: "Outcome | None", *, interrupted: bool = False) -> dict[str, Any]:
    """The same as a document; `outcome` is None of a run that was interrupted before its results were put together."""
    failures = []
    if outcome is not None and outcome.failed:
        rows = job.store.read("failures").to_dict("records")
        labels = {case_id: label for label, case_id in job.case_ids().items()}
        names = ("case_id", "kind", "status", "error", "elapsed_s")
        failures = [
            {"label": labels.get(row["case_id"], row["kind"])} | {name: row[name] for name in names}
            for row in rows
        ]
    return {
        "dry_run": False,
        "suite": job.suite.name,
        "folder": job.store.folder,
        "machine": job.environment.machine,
        "backend": job.environment.backend,
        "dtype": job.environment.dtype,
        "interrupted": interrupted,
        "cases": len(job.suite.cases),
        "measured": outcome and outcome.measured,
        "done_before": outcome and outcome.found_done,
        "failed": outcome and outcome.failed,
        "left": outcome and outcome.left,
        "elsewhere": outcome and outcome.elsewhere,
        "in_files": job.in_files,
        "not_installed": len(job.left_out),
        "failures": failures,
    }
