"""`rnn-bench list`."""

from typing import Annotated

import typer

from bench.cli.show import print_rows
from bench.errors import UsageError

_WHAT = ("suites", "cells", "tasks", "remedies")


def list_(
    what: Annotated[str, typer.Argument(help=f"One of: {', '.join(_WHAT)}.")] = "suites",
) -> None:
    """List the suites, or the cells, tasks and remedies that they can name."""
    if what not in _WHAT:
        raise UsageError(f"list: {what!r} is not one of {', '.join(_WHAT)}")
    {"suites": _suites, "cells": _cells, "tasks": _tasks, "remedies": _remedies}[what]()


def _suites() -> None:
    from bench import suite

    loaded = [suite.load(name) for name in suite.names()]
    rows = [
        {
            "suite": each.name,
            "cases": len(each.cases),
            "estimate": "" if each.estimate_s is None else _duration(each.estimate_s),
            "what it measures": each.description,
        }
        for each in loaded
    ]
    print_rows(rows)


def _cells() -> None:
    import jax

    import rnn_jax as rj
    from rnn_jax.coordinates import real_size

    rows = []
    for name, family in rj.cells.CELLS.items():
        state = jax.eval_shape(
            lambda name=name: rj.cells.create(name, 1, 64, key=jax.random.key(0)).initial_state()
        )
        rows.append({"cell": name, "state size at 64 units": real_size(state), "reference": family.reference})
    print_rows(rows)


def _tasks() -> None:
    import rnn_jax as rj

    rows = []
    for name, task in rj.tasks.TASKS.items():
        summary = (task.__doc__ or "").splitlines()[0]
        rows.append({"task": name, "variants": ", ".join(task.VARIANTS), "what it asks": summary})
    print_rows(rows)


def _remedies() -> None:
    import rnn_jax as rj

    print_rows(
        [
            {
                "remedy": name,
                "what it does": (family.create.__doc__ or "").splitlines()[0],
                "strength": "" if family.strength is None else f"{family.meaning}, {family.strength:g}",
                "reference": family.reference,
            }
            for name, family in rj.remedies.REMEDIES.items()
        ]
    )


def _duration(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{round(seconds / 60)} min"
