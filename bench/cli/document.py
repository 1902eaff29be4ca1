"""What a verb gives with `--json`: one document on standard output, and nothing else there.

It is an object whose `verb` says which it is of. Names carry their units as in the CSV files. A value that is missing
or not a number is null, an infinite one the text "inf" or "-inf", which JSON has no number for.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def print_document(verb: str, content: Mapping[str, Any]) -> None:
    """Prints the document of a verb."""
    document = {"verb": verb} | {name: plain(value) for name, value in content.items()}
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def plain(value: Any) -> Any:
    """A value in what JSON has: tables are lists of objects, a row each."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        value = value.to_dict("records")
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    if isinstance(value, Path):
        return value.as_posix()
    if hasattr(value, "item"):  # a NumPy number
        value = value.item()
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return None if type(value).__name__ in ("NAType", "NaTType") else str(value)
