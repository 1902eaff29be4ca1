"""The rooms of the code as CONTRIBUTING.md lists them: imports go one way, from a room to those above it in the table."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = re.findall(r"^\| `bench/(\w+)/`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M)
FILES = sorted(path for package in ("bench", "rnn_jax") for path in (ROOT / package).rglob("*.py"))


def imported(path):
    """The modules that a file imports when it is itself imported."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_the_table_names_every_room():
    there = {path.parent.name for path in (ROOT / "bench").glob("*/__init__.py")}
    assert sorted(ROOMS) == sorted(there)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    place = path.relative_to(ROOT).parts
    for module in imported(path):
        package, *rest = module.split(".")
        if place[0] == "rnn_jax":
            assert package != "bench", f"the library imports {module}"
        elif package == "bench" and place[1] in ROOMS and rest[0] in ROOMS:
            assert ROOMS.index(rest[0]) <= ROOMS.index(place[1]), f"{place[1]} imports {module}"
