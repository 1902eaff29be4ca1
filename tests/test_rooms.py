"""The rooms of the code as CONTRIBUTING.md lists them: imports go one way, from a room to those above it in the table."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = re.findall(r"^\| `bench/(\w+)/`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M)
FOR_ALL = {"errors", "nearest", "privacy", "targets"}
"""Files of `bench/` itself, which every room may import and which import none."""
FILES = {
    package: sorted(path for path in (ROOT / package).rglob("*.py") if path.name != "__main__.py")
    for package in ("bench", "rnn_jax")
}


def imported(path):
    """The modules that a file imports when it is itself imported, with the names that it takes of them."""
    waiting = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: write the whole name of what is imported"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def room(path):
    """The folder below the package in which a file lies, or the file."""
    return path.relative_to(ROOT).with_suffix("").parts[1]


def test_the_table_names_every_room_and_only_few_files_lie_in_none():
    assert sorted(ROOMS) == sorted(path.parent.name for path in (ROOT / "bench").glob("*/__init__.py"))
    assert {path.stem for path in (ROOT / "bench").glob("[!_]*.py")} == FOR_ALL


@pytest.mark.parametrize("path", FILES["bench"], ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_of_the_harness_go_one_way(path):
    order = dict.fromkeys(FOR_ALL, 0) | {name: place for place, name in enumerate(ROOMS, start=1)}
    here = room(path)
    for package, *rest in (module.split(".") for module in imported(path)):
        if package == "bench" and here != "__init__":
            assert order[rest[0]] <= order[here], f"{here} imports {'.'.join(rest)}"


def test_the_library_imports_nothing_of_the_harness_and_its_rooms_no_circle():
    above = {}
    for path in FILES["rnn_jax"]:
        for package, *rest in (module.split(".") for module in imported(path)):
            assert package != "bench", f"{path} imports {package}.{'.'.join(rest)}"
            if package == "rnn_jax" and room(path) != "__init__":
                above.setdefault(room(path), set()).add(rest[0])
    circles = {name: others - {name} for name, others in above.items()}
    assert len(list(TopologicalSorter(circles).static_order())) > 20
