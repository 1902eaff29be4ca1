"""What the results were measured on."""

from typing import Any

import pandas as pd

from bench.report.content import Section, Table
from bench.report.results import Folder, Results

_LEFT_OUT = {"command", "memory_bytes"}


def machines(results: Results) -> Section:
    """A row a folder; what all have in common is said once."""
    rows = [_facts(folder) for folder in results.folders]
    parts = [Table("Machine and installation of each result folder", pd.DataFrame(rows), is_open=True)]
    return Section("machines", "Machine facts", "On what was this measured?", parts if rows else [])


def _facts(folder: Folder) -> dict[str, Any]:
    identity, volatile = folder.facts["identity"], folder.facts.get("volatile", {})
    packages = identity.get("packages", {})
    facts = {name: value for name, value in identity.items() if name not in ("packages", "jax_version")}
    facts |= {name: value for name, value in volatile.items() if name not in _LEFT_OUT}
    if isinstance(memory := volatile.get("memory_bytes"), int | float):
        facts["memory"] = f"{memory / 1e9:.0f} GB"
    if isinstance(commit := facts.get("commit"), str):
        facts["commit"] = commit[:10]
    installed = {str(name): version for name, version in packages.items()}
    return {"results": folder.label} | {name: _flat(value) for name, value in (facts | installed).items()}


def _flat(value: Any) -> str:
    """As a text: a number of cores is no quantity to round."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
