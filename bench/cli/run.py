"""`rnn-bench run`."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from bench.cli.document import AsJson, print_document
from bench.cli.dry_run import dry_run
from bench.cli.out import out_option
from bench.cli.progress import progress_for
from bench.cli.show import say
from bench.cli.summary import say_summary, summary
from bench.cli.verb import FAILED, INTERRUPTED
from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.cluster.crew import Crew
    from bench.machine import Environment
    from bench.running.job import Job
    from bench.suite import Suite


def run(
    suite: Annotated[
        str, typer.Argument(help="A suite's name (see `rnn-bench list`) or a TOML file of your own.")
    ],
    out: Annotated[
        Path | None,
        out_option("a folder", "Folder for the results. Default: results/MACHINE/SUITE."),
    ] = None,
    backend: Annotated[str | None, typer.Option(help="cpu or gpu. Default: what JAX finds.")] = None,
    dtype: Annotated[
        str | None, typer.Option(help="float32 or float64. Default: what the suite asks for, else float32.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(help="Only the cases that meet these conditions, such as 'cell=lstm,gain<=1'."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="How many seeds instead of the suite's own number.")
    ] = None,
    simulated_devices: Annotated[
        int | None,
        typer.Option(help="With --backend cpu: let the CPU play so many devices.", show_default=False),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Begin no case that is expected not to be done in so many minutes; one of which nothing is known is begun.",
            show_default=False,
        ),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(help="One of the suite's own scales, such as tiny: the same cases, smaller."),
    ] = None,
    missing: Annotated[
        bool,
        typer.Option(
            "--missing",
            help="Only the cases of which the folder's CSV files lack rows: goes on where results came without shards.",
        ),
    ] = False,
    checkpoint_every_s: Annotated[
        float,
        typer.Option(help="Seconds between a training's checkpoints, from which it goes on after a kill."),
    ] = 60.0,
    ray: Annotated[
        str | None,
        typer.Option(
            help="Measure on the nodes of a Ray cluster: auto for the one that this machine is a node of, or HOST:PORT.",
            show_default=False,
        ),
    ] = None,
    ray_cpus: Annotated[
        int | None,
        typer.Option(help="With --ray: cores for each case. Default: all of a node.", show_default=False),
    ] = None,
    ray_gpus: Annotated[
        int | None,
        typer.Option(
            help="With --ray: GPUs for each case. Default: 1 where there are any.", show_default=False
        ),
    ] = None,
    pictures: Annotated[
        bool,
        typer.Option("--pictures/--no-pictures", help="Draw the pictures at the end, which takes seconds."),
    ] = True,
    dry: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the cases and how long they take; measure and write nothing."),
    ] = False,
    as_json: AsJson = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error, and of a case that fails.")
    ] = False,
) -> None:
    """Measure a suite: writes CSV files, tables and pictures.

    A run can be stopped at any time; the same command goes on from there.
    """
    from bench.running.job import job

    _check_options(minutes, checkpoint_every_s, ray, ray_cpus, ray_gpus, simulated_devices, dry)
    note = partial(say, error=as_json)
    with (
        nullcontext()
        if ray is None
        else _Cluster(ray, backend, ray_cpus, ray_gpus, checkpoint_every_s, debug, note)
    ) as cluster:
        try:
            asked = job(
                suite,
                command=sys.argv[1:],
                out=out,
                backend=backend,
                dtype=dtype,
                only=only,
                seeds=seeds,
                simulated_devices=simulated_devices,
                scale=scale,
                missing=missing,
                elsewhere=None if cluster is None else cluster.gather,
            )
        except KeyboardInterrupt:
            if cluster is None:
                raise
            say("interrupted before anything was measured; the same command begins again", error=as_json)
            raise typer.Exit(INTERRUPTED) from None
        if dry:
            dry_run(asked, minutes, as_json=as_json)
            return
        _measure(asked, cluster, minutes, checkpoint_every_s, pictures=pictures, as_json=as_json, debug=debug)


def _check_options(
    minutes: float | None,
    checkpoint_every_s: float,
    ray: str | None,
    ray_cpus: int | None,
    ray_gpus: int | None,
    simulated_devices: int | None,
    dry: bool,
) -> None:
    """Raises UsageError where an option is out of range or does not go with another."""
    if minutes is not None and not minutes > 0:
        raise UsageError(f"--minutes must be a positive number, got {minutes:g}")
    if not 0 <= checkpoint_every_s < float("inf"):
        raise UsageError(
            f"--checkpoint-every-s must be a number of seconds from 0 on, got {checkpoint_every_s:g}"
        )
    if ray is None and (ray_cpus is not None or ray_gpus is not None):
        raise UsageError("--ray-cpus and --ray-gpus go with --ray; add --ray auto, or leave them out")
    for name, given in (("--simulated-devices", simulated_devices is not None), ("--dry-run", dry)):
        if ray is not None and given:
            raise UsageError(f"{name} does not go with --ray; leave one of them out")


@dataclass
class _Cluster:
    """What --ray and its options ask for. Its crew is there once a job was read, and closed with it."""

    address: str
    backend: str | None
    cpus: int | None
    gpus: int | None
    checkpoint_every_s: float
    debug: bool
    note: Callable[[str], None]
    crew: "Crew | None" = None

    def gather(self, chosen: "Suite", dtype: str) -> "tuple[Environment, dict[str, Any]]":
        """Gathers a crew for the cases of a suite: what it measures on, and the facts of that."""
        from bench.cluster.crew import Assignment
        from bench.cluster.gathering import gathered

        packages = sorted({case.needs for case in chosen.cases if case.needs is not None})
        assignment = Assignment(
            chosen.name, self.backend, dtype, packages, self.checkpoint_every_s, self.debug
        )
        found = gathered(
            self.address, assignment, self.note, cpus=self.cpus, gpus=self.gpus, command=sys.argv[1:]
        )
        self.note(f"Ray: {found.summary}")
        self.crew = found.crew
        return found.environment, dict(found.facts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.crew is not None:
            self.crew.close()


def _measure(
    asked: "Job",
    cluster: _Cluster | None,
    minutes: float | None,
    checkpoint_every_s: float,
    *,
    pictures: bool,
    as_json: bool,
    debug: bool,
) -> None:
    """Measures what is asked, here or on a cluster, and says what became of it."""
    from bench.cluster.on_cluster import OnCluster
    from bench.running import plan, runner
    from bench.running.budget import Budget
    from bench.running.heartbeat import HeartbeatWriter
    from bench.store import write_text

    budget = Budget(minutes, known=None if minutes is None else asked.known(asked.earlier()))
    chosen, environment, store = asked.suite, asked.environment, asked.store
    store.make_folder()
    with store.exclusive(partial(say, error=as_json)):
        store.refuse_other_suites(chosen.name)
        store.claim(asked.facts)
    write_text(store.folder / plan.FILE, plan.text_of(asked.plan()))
    _say_what_is_to_come(asked, as_json)
    crew = None if cluster is None else cluster.crew
    try:
        with HeartbeatWriter(
            store.folder, chosen.name, progress_for(sys.stderr), asked.case_ids()
        ) as progress:
            outcome = runner.run(
                chosen,
                environment,
                store,
                asked.facts,
                progress,
                also_kept=[case.case_id(environment) for case in asked.whole.cases],
                debug=debug,
                budget=budget,
                checkpoint_every_s=checkpoint_every_s,
                dispatch=None if crew is None else OnCluster(crew, environment, store),
                pictures=pictures,
            )
    except KeyboardInterrupt as interruption:
        tables = f"; rnn-bench tables {store.folder} makes the tables of it" if store.kinds() else ""
        say(
            f"interrupted; what was finished is in {store.folder}, and the same command goes on from there{tables}",
            error=as_json,
        )
        if as_json:
            done = interruption.outcome if isinstance(interruption, runner.InterruptedRun) else None
            print_document("run", summary(asked, done, interrupted=True))
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_document("run", summary(asked, outcome))
    else:
        say_summary(asked, outcome, budget, minutes, drawn=pictures)
    there = outcome.measured or outcome.found_done or outcome.left or outcome.elsewhere or asked.in_files
    if outcome.failed or not there:
        raise typer.Exit(FAILED)


def _say_what_is_to_come(asked: "Job", as_json: bool) -> None:
    chosen = asked.suite
    known = chosen.cases == asked.whole.cases and chosen.estimate_s
    estimate = f" (about {chosen.estimate_s} s on {chosen.estimate_on})" if known else ""
    where = f"on {asked.environment.machine}, {asked.environment.dtype}, into {asked.store.folder}"
    count = "1 case" if len(chosen.cases) == 1 else f"{len(chosen.cases)} cases"
    say(f"suite {chosen.name}: {count}{estimate} {where}", error=as_json)
    if asked.environment.backend == "cpu" and chosen.gpu_hint:
        say(chosen.gpu_hint, error=as_json)
    if asked.in_files:
        of = len(chosen.cases) + asked.in_files
        say(
            f"{asked.in_files} of {of} cases have rows in the CSV files and are not measured again",
            error=as_json,
        )
    for package in sorted({str(case.needs) for case in asked.left_out}):
        count = sum(case.needs == package for case in asked.left_out)
        say(f"left out: {count} cases that need {package}, which is not installed", error=as_json)
    for line in asked.will_fail():
        say(line, error=as_json)
