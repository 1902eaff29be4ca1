"""Reads a result folder's `machine.json`."""

import json
from pathlib import Path
from typing import Any

from bench.errors import UsageError


def read_machine(folder: Path) -> dict[str, Any]:
    """The facts in a folder's `machine.json`.

    Raises:
        UsageError: it is missing or damaged.
    """
    path = folder / "machine.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{folder} is not a result folder: it has no machine.json") from error
    except (ValueError, RecursionError) as error:
        facts, problem = {}, f"it is no JSON: {error}"
    else:
        problem = _problem(facts)
    if problem:
        raise UsageError(f"{path} is damaged ({problem}); delete it if the results are this machine's")
    return facts


def _problem(facts: Any) -> str:
    """What machine.json lacks, or holds of another type; empty if nothing."""
    if not isinstance(facts, dict):
        return "it is no object"
    for key, wanted in (("identity", True), ("volatile", False)):
        if (wanted or key in facts) and not isinstance(facts.get(key), dict):
            return f"{key} is no object"
    identity = facts["identity"]
    for key in ("machine", "backend", "dtype", "suite"):
        if not isinstance(identity.get(key, ""), str):
            return f"identity.{key} is no text"
    for key in ("cores", "device_count"):
        if type(identity.get(key, 1)) is not int:
            return f"identity.{key} is no whole number"
    return "" if isinstance(identity.get("packages", {}), dict) else "identity.packages is no object"
