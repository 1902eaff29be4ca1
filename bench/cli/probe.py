"""`rnn-bench probe`."""

import sys
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from bench.cli.document import AsJson, print_document
from bench.cli.out import out_option
from bench.cli.progress import progress_for
from bench.cli.show import print_rows, say
from bench.errors import UsageError

_MOST = {"--length": 1_000_000, "--hidden": 4096, "--input": 65_536, "--seeds": 100, "--sequences": 10_000}
_LONGEST_NAME = 19


def probe(
    cell: Annotated[
        str,
        typer.Argument(help="MODULE:FUNCTION, such as mycell:make_cell for a file mycell.py in this folder."),
    ],
    out: Annotated[Path, out_option("a folder", "Folder for the results.")],
    length: Annotated[int, typer.Option(help="Steps of a sequence.")] = 10_000,
    hidden: Annotated[int, typer.Option(help="Units.")] = 64,
    input_size: Annotated[int, typer.Option("--input", help="Numbers in one input.")] = 1,
    seeds: Annotated[int, typer.Option(help="How many nets are drawn of each cell.")] = 3,
    sequences: Annotated[int, typer.Option(help="Input sequences for each net.")] = 2,
    input_scale: Annotated[float, typer.Option(help="Standard deviation of the white-noise input.")] = 1.0,
    backend: Annotated[str | None, typer.Option(help="cpu or gpu. Default: what JAX finds.")] = None,
    dtype: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    as_json: AsJson = False,
) -> None:
    """Measure how far the gradient of your own cell reaches, beside elman_tanh, lstm and gru.

    The function is make_cell(input_size, hidden_size, *, key) -> (step, initial_state), with step(state, x) -> state.
    """
    given = {"--length": length, "--hidden": hidden, "--input": input_size, "--seeds": seeds,
             "--sequences": sequences}  # fmt: skip
    for option, value in given.items():
        least = 10 if option == "--length" else 1
        if not least <= value <= _MOST[option]:
            raise UsageError(f"{option} must be a whole number from {least} to {_MOST[option]}, got {value}")
    if not 0 <= input_scale <= 1e6:
        raise UsageError(f"--input-scale must be a number from 0 to 1e6, got {input_scale:g}")
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file; choose a folder")
    from bench.deriving.derived import derive
    from bench.machine import configure, describe, environment, finished
    from bench.probing import beside as probing
    from bench.probing import own_cell
    from bench.running import plan
    from bench.schema import PROBED
    from bench.store import Store, write_text

    function = own_cell.find(cell)
    configure(backend, dtype)
    here = environment(dtype)
    setting = probing.Setting(hidden, input_size, length, seeds, sequences, input_scale)
    owners = {cell: function} | dict.fromkeys(probing.BESIDE)
    cases = [setting.case(name) for name in owners]
    makers = [probing.maker(case, here, owners[case["cell"]]) for case in cases]
    probing.look(cases[0], here, makers[0])
    store, note = Store(out), partial(say, error=True)
    facts = describe(here, sys.argv[1:])
    store.make_folder()
    with store.exclusive(note):
        store.refuse_other_suites(PROBED)
        store.claim(facts)
        write_text(out / plan.FILE, plan.text_of(probing.plan_with(plan.read(out), cases, here)))
    ids = [case.case_id(here) for case in cases]
    # Somebody's code may have changed since; ours is of a version that its ids tell.
    todo = [place for place, id_ in enumerate(ids) if place == 0 or not store.is_done(id_)]
    progress = progress_for(sys.stderr)
    progress.start(len(todo), len(ids) - len(todo))
    for number, place in enumerate(todo, start=1):
        begun = perf_counter()
        progress.case(number, probing.label(cases[place]))
        rows = probing.measured(cases[place], here, makers[place], progress.within, progress.note)
        store.write(ids[place], rows)
        progress.done(perf_counter() - begun)
    with store.exclusive(note):
        frames = store.collate(note=note)
        store.write_machine(finished(facts))
        derive(store)
    found = [probing.summary(frames, case, here) for case in cases]
    picture = out / "figures" / "probed.png"
    if as_json:
        print_document("probe", {
            "cell": cell, "hidden_size": hidden, "input_size": input_size, "sequence_length": length,
            "seeds": seeds, "sequences": sequences, "input_scale": input_scale, "dtype": dtype,
            "machine": here.machine, "cells": found, "folder": out, "picture": picture,
        })  # fmt: skip
        return
    title = (
        f"White noise, {length} steps, {hidden} units, {seeds} x {sequences} sequences; rates in nats a step"
    )
    print_rows([_shown(row) for row in found], title)
    say(
        "reach: lag from which the norm of dh_T/dh_t stays under 1e-3; explodes: first measured lag where it exceeds 1e3;"
    )
    say("regime: where it is at the longest lag, stable between the two")
    say(f"CSV files and tables are in {out}, the picture is {picture}")


def _shown(row: dict[str, Any]) -> dict[str, str]:
    """A cell's numbers in a table that fits eighty columns."""
    name, reach = row["cell"], row["reach_steps"]
    if len(name) > _LONGEST_NAME:
        name = f"...{name[3 - _LONGEST_NAME :]}"
    reach_text = "" if reach != reach else f"{'>' if row['reach_censored'] else ''}{reach:.4g}"
    lag = row["explosion_lag_steps"]
    return {
        "cell": name,
        "n": str(row["state_size"]),
        "rate": _number(row["rate_nats_per_step"]),
        "error": f"{row['rate_stderr_nats_per_step']:.1g}",
        "reach": reach_text,
        "explodes": "" if lag != lag else f"{lag:.4g}",
        "regime": row["regime"],
        "exponents": " ".join(_number(each) for each in row["exponents_nats_per_step"][:2]),
    }


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) >= 0.01 else f"{value:.1e}" if value else "0"
