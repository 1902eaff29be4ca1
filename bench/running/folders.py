"""Where results lie."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import machine
from bench.errors import UsageError
from bench.machine import Environment

RESULTS = Path("results")


def default_folder(
    suite: str, environment: Environment, facts: Mapping[str, Any], own_dtype: str = "float32"
) -> Path:
    """results/MACHINE/SUITE; another folder beside it where that one is some other machine's.

    Where the dtype is not the suite's own, the name says it. The other folder's name ends in a short hash of the identity, so that two installations on the
    same kind of machine never write into each other's results.
    """
    from bench.store import (
        read_machine,  # pandas comes with it, which who asks for the status need not wait for
    )

    name = suite if environment.dtype == own_dtype else f"{suite}-{environment.dtype}"
    plain = RESULTS / environment.machine / name
    if not (plain / "machine.json").is_file():
        return plain
    try:
        same = not machine.differences(read_machine(plain), facts)
    except UsageError:
        same = False
    return plain if same else plain.with_name(f"{name}-{machine.identity_hash(facts)}")


def result_folders(root: Path = RESULTS) -> list[Path]:
    """Every result folder below `root`, in alphabetical order."""
    return sorted(path.parent for path in root.glob("**/machine.json"))
