"""`rnn-bench machine`."""

import json
from typing import Annotated

import typer


def machine(
    backend: Annotated[str | None, typer.Option(help="cpu or gpu. Default: what JAX finds.")] = None,
    dtype: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
) -> None:
    """Print what a run on this machine would write into its machine.json."""
    from bench.machine import configure, describe, environment

    configure(backend, dtype)
    facts = describe(environment(dtype), ["machine"])
    typer.echo(json.dumps(facts, indent=2, sort_keys=True))
