"""A result folder's `machine.json`."""

import json
from collections.abc import Mapping
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
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder; name one that `rnn-bench run` wrote") from error
        raise UsageError(f"{folder} is not a result folder: it has no machine.json") from error
    except (ValueError, RecursionError) as error:
        facts, problem = {}, f"it is no JSON: {error}"
    else:
        problem = _problem(facts)
    if problem:
        raise UsageError(f"{path} is damaged ({problem}); delete it if the results are this machine's")
    return facts


def with_earlier_commits(facts: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The facts with the commits of the runs that this folder's rows came from before, the oldest first.

    Args:
        facts: of the run that goes on there.
        folder: whose `machine.json` is that of the runs before, if there is one.
    """
    volatile = facts.get("volatile", {})
    try:
        there = read_machine(folder).get("volatile", {})
    except UsageError:
        return dict(facts)
    commits = dict.fromkeys([*there.get("earlier_commits", []), there.get("commit")])
    earlier = [commit for commit in commits if commit and commit != volatile.get("commit")]
    return {**facts, "volatile": {**volatile, "earlier_commits": earlier}} if earlier else dict(facts)


def _problem(facts: Any) -> str:
    """What machine.json lacks, or holds of another type; empty if nothing."""
    if not isinstance(facts, dict):
        return "it is no object"
    for key, wanted in (("identity", True), ("volatile", False)):
        if (wanted or key in facts) and not isinstance(facts.get(key), dict):
            return f"{key} is no object"
    volatile = facts.get("volatile", {})
    commits = volatile.get("earlier_commits", [])
    if not isinstance(commits, list) or not all(isinstance(each, str) for each in commits):
        return "volatile.earlier_commits is no list of texts"
    if not isinstance(volatile.get("commit"), str | None):
        return "volatile.commit is no text"
    identity = facts["identity"]
    for key in ("machine", "backend", "dtype", "suite"):
        if not isinstance(identity.get(key, ""), str):
            return f"identity.{key} is no text"
    for key in ("cores", "device_count"):
        if type(identity.get(key, 1)) is not int:
            return f"identity.{key} is no whole number"
    return "" if isinstance(identity.get("packages", {}), dict) else "identity.packages is no object"
