"""`rnn-bench run`."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.progress import progress_for
from bench.cli.show import say, show_tables
from bench.errors import UsageError

INTERRUPTED = 130


def run(
    suite: Annotated[
        str, typer.Argument(help="A suite's name (see `rnn-bench list`) or a TOML file of your own.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results. Default: results/MACHINE/SUITE.", show_default=False),
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
        typer.Option(help="Begin no case that would not be done in so many minutes.", show_default=False),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(help="One of the suite's own scales, such as tiny: the same cases, smaller."),
    ] = None,
    missing: Annotated[
        bool,
        typer.Option(
            "--missing",
            help="Only the cases of which the folder's CSV files hold no rows: goes on where results came without shards.",
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
    debug: Annotated[bool, typer.Option(help="Show the traceback of a case that fails.")] = False,
) -> None:
    """Measure a suite: writes CSV files, tables and pictures.

    A run can be stopped at any time; the same command goes on from there.
    """
    from bench import machine, runner
    from bench import suite as suites
    from bench.budget import Budget
    from bench.cluster.crew import Job
    from bench.cluster.dispatch import OnCluster
    from bench.cluster.gathering import gathered
    from bench.folders import default_folder
    from bench.store import Store

    if minutes is not None and not minutes > 0:
        raise UsageError(f"--minutes must be a positive number, got {minutes:g}")
    if not 0 <= checkpoint_every_s < float("inf"):
        raise UsageError(
            f"--checkpoint-every-s must be a number of seconds from 0 on, got {checkpoint_every_s:g}"
        )
    if ray is None and (ray_cpus is not None or ray_gpus is not None):
        raise UsageError("--ray-cpus and --ray-gpus go with --ray; add --ray auto, or leave them out")
    if ray is not None and simulated_devices is not None:
        raise UsageError("--simulated-devices does not go with --ray; leave one of them out")
    budget = Budget(minutes)
    chosen = whole = suites.load(suite, scale)
    dtype = whole.dtype if dtype is None else dtype
    # JAX reads its settings when it is first used: imports do not, and this is the first use. A cluster's workers
    # choose their own device; this process only derives tables.
    here = backend if ray is None else "cpu"
    machine.configure(here, dtype, simulated_devices, shares_device=whole.in_children)
    if seeds is not None:
        chosen = chosen.with_seeds(seeds)
    if only is not None:
        chosen = chosen.only(only)
    chosen, left_out = chosen.installed()
    if ray is None:
        environment, workers = machine.environment(dtype), None
        facts = machine.describe(environment, sys.argv[1:])
    else:
        packages = sorted({case.needs for case in chosen.cases if case.needs is not None})
        job = Job(chosen.name, backend, dtype, packages, checkpoint_every_s, debug)
        try:
            workers = gathered(ray, job, say, cpus=ray_cpus, gpus=ray_gpus, command=sys.argv[1:])
        except KeyboardInterrupt:
            say("interrupted before anything was measured; the same command begins again")
            raise typer.Exit(INTERRUPTED) from None
        environment, facts = workers.environment, workers.facts
        say(f"Ray: {workers.told}")
    folder = out if out is not None else default_folder(chosen.name, environment, facts, chosen.dtype)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder} is a file; choose a folder")
    store = Store(folder)
    store.refuse_other_suites(chosen.name)
    store.claim(facts)
    asked = len(chosen.cases)
    if missing:
        there = store.case_ids()
        kept = tuple(case for case in chosen.cases if case.case_id(environment) not in there)
        chosen = replace(chosen, cases=kept)
    in_files = asked - len(chosen.cases)
    known = chosen.cases == whole.cases and chosen.estimate_s
    estimate = f" (about {chosen.estimate_s} s on {chosen.estimate_on})" if known else ""
    say(
        f"suite {chosen.name}: {len(chosen.cases)} cases{estimate} on {environment.machine}, {dtype}, into {folder}"
    )
    if in_files:
        say(f"{in_files} of {asked} cases have rows in the CSV files and are not measured again")
    for package in sorted({str(case.needs) for case in left_out}):
        count = sum(case.needs == package for case in left_out)
        say(f"left out: {count} cases that need {package}, which is not installed")
    try:
        outcome = runner.run(
            chosen,
            environment,
            store,
            facts,
            progress_for(sys.stderr),
            also_kept=[case.case_id(environment) for case in whole.cases],
            debug=debug,
            budget=budget,
            checkpoint_every_s=checkpoint_every_s,
            dispatch=None if workers is None else OnCluster(workers.crew, environment, store),
        )
    except KeyboardInterrupt:
        say(f"interrupted; what was finished is in {folder}, and the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    if store.kinds():
        show_tables(folder)
    told = [f"{outcome.measured} measured"]
    if outcome.found_done:
        told.append(f"{outcome.found_done} done before")
    if outcome.failed:
        told.append(f"{outcome.failed} failed, see {folder / 'failures.csv'}")
    if outcome.left:
        told.append(f"{outcome.left} left")
    say(f"cases: {', '.join(told)}")
    say(f"CSV files: {folder}")
    say(f"tables:    {folder / 'tables'}")
    say(f"pictures:  {folder / 'figures'}")
    if outcome.left:
        say(f"{outcome.left} cases are left: the same command goes on from there")
        if not (outcome.measured or outcome.failed):
            todo = [case for case in chosen.cases if not store.is_done(case.case_id(environment))]
            shortest = min(budget.expected_s(case) for case in todo)
            say(
                f"none was expected to fit into --minutes {minutes:g}: the shortest takes about {shortest:.0f} s"
            )
    if outcome.failed or not (outcome.measured or outcome.found_done or outcome.left or in_files):
        raise typer.Exit(1)
