"""`rnn-bench list`."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from bench.cli.document import AsJson, print_document
from bench.cli.show import duration, print_rows
from bench.errors import UsageError
from bench.nearest import nearest

_WHAT = ("suites", "cells", "tasks", "remedies", "keys")
_MOST_LETTERS = 60
"""Of the names that a key takes: more are not listed with it."""


def list_(
    what: Annotated[str, typer.Argument(help=f"One of: {', '.join(_WHAT)}.")] = "suites",
    table: Annotated[
        str | None,
        typer.Argument(help="Of keys: of which table alone, such as gradient_norms.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the suites, the cells, tasks and remedies that they can name, or the keys of their tables."""
    if what not in _WHAT:
        raise UsageError(f"list: there are no {what!r}{nearest(what, _WHAT)}")
    if table is not None and what != "keys":
        raise UsageError(f"list: {what} takes no second word, got {table!r}; rnn-bench list keys TABLE does")
    if what == "keys":
        rows = _keys(table)
    else:
        rows = {"suites": _suites, "cells": _cells, "tasks": _tasks, "remedies": _remedies}[what]()
    if as_json:
        print_document("list", {what: rows})
    else:
        print_rows([_HEADINGS[what](row) for row in rows], most=None)


def _suites() -> list[dict[str, Any]]:
    from bench import suite

    return [
        {
            "suite": each.name,
            "cases": len(each.cases),
            "estimate_s": each.estimate_s,
            "estimate_on": each.estimate_on,
            "dtype": each.dtype,
            "measures": each.description,
        }
        for each in map(suite.load, suite.names())
    ]


def _cells() -> list[dict[str, Any]]:
    import jax

    import rnn_jax as rj
    from rnn_jax.cell_structure import structure_of
    from rnn_jax.coordinates import real_size
    from rnn_jax.step import materialized

    rows = []
    for name, family in rj.cells.CELLS.items():
        cell = jax.eval_shape(lambda name=name: rj.cells.create(name, 1, 64, key=jax.random.key(0)))
        rows.append(
            {
                "cell": name,
                "family": family.family,
                "state_size_at_64_units": real_size(jax.eval_shape(lambda cell: cell.initial_state(), cell)),
                "jacobian": structure_of(jax.eval_shape(materialized, cell)),
                "reference": family.reference,
            }
        )
    return rows


def _tasks() -> list[dict[str, Any]]:
    import rnn_jax as rj

    return [
        {"task": name, "variants": list(task.VARIANTS), "asks": (task.__doc__ or "").splitlines()[0]}
        for name, task in rj.tasks.TASKS.items()
    ]


def _keys(table: str | None) -> list[dict[str, Any]]:
    from bench.cases import KINDS
    from bench.suite.grids import parameters_of

    if table is not None and table not in KINDS:
        raise UsageError(f"list: there is no table {table!r}{nearest(table, KINDS)}")
    return [
        {
            "table": kind,
            "key": each.name,
            "means": each.meaning,
            "default": each.default,
            "required": each.required,
            "allowed": each.allowed().removeprefix("must be "),
        }
        for kind in ([table] if table else KINDS)
        for each in parameters_of(kind)
    ]


def _remedies() -> list[dict[str, Any]]:
    import rnn_jax as rj

    return [
        {
            "remedy": name,
            "does": (family.create.__doc__ or "").splitlines()[0],
            "strength": family.strength,
            "strength_means": family.meaning,
            "reference": family.reference,
        }
        for name, family in rj.remedies.REMEDIES.items()
    ]


def _choices(row: dict[str, Any]) -> str:
    """The names that a key takes where they are few; of many the message about a wrong one tells them."""
    _, is_named, names = row["allowed"].partition("one of ")
    return f": {names}" if is_named and len(names) <= _MOST_LETTERS else ""


_HEADINGS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "suites": lambda row: {
        "suite": row["suite"],
        "cases": row["cases"],
        "estimate": duration(row["estimate_s"]),
        "what it measures": row["measures"],
    },
    "cells": lambda row: {
        "cell": row["cell"],
        "family": row["family"],
        "n at 64": row["state_size_at_64_units"],
        "Jacobian": row["jacobian"],
        "reference": row["reference"],
    },
    "tasks": lambda row: {
        "task": row["task"],
        "variants": ", ".join(row["variants"]),
        "what it asks": row["asks"],
    },
    "keys": lambda row: {
        "table": row["table"],
        "key": row["key"],
        "default": "required" if row["required"] else "" if row["default"] is None else f"{row['default']}",
        "what it means": row["means"] + _choices(row),
    },
    "remedies": lambda row: {
        "remedy": row["remedy"],
        "what it does": row["does"],
        "strength": "" if row["strength"] is None else f"{row['strength_means']}, {row['strength']:g}",
        "reference": row["reference"],
    },
}
"""What people read of a row."""
