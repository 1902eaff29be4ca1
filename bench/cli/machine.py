"""`rnn-bench machine`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from bench.cli.document import AsJson, print_document
from bench.cli.show import print_rows


def machine(
    backend: Annotated[str | None, typer.Option(help="cpu or gpu. Default: what JAX finds.")] = None,
    dtype: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    as_json: AsJson = False,
) -> None:
    """Print what a run on this machine would write into its machine.json."""
    from bench.machine import configure, describe, environment

    configure(backend, dtype)
    facts = describe(environment(dtype), ["machine"])
    if as_json:
        print_document("machine", facts)
        return
    titles = {"identity": "Must be the same to go on in a result folder", "volatile": "May change"}
    for part, title in titles.items():
        print_rows([{"what": name, "here": value} for name, value in _flat(facts[part])], title)


def _flat(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield name.replace("_", " "), "none" if value in (None, "") else str(value)
