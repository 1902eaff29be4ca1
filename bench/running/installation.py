"""Which code and packages a process measures with: what must be equal wherever cases of one run are measured."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from bench import machine

_ROOT = Path(__file__).parents[2]
_OURS = ("rnn_jax", "bench")
_SUFFIXES = (".py", ".toml", ".csv")


def installation(needed: Sequence[str] = ()) -> dict[str, str]:
    """The versions of Python and of the packages, a hash of this project's code, and what else is there.

    Args:
        needed: packages of which only is asked whether they are there.
    """
    versions = {name: version or "missing" for name, version in machine.packages().items()}
    there = {name: "there" if find_spec(name) is not None else "missing" for name in needed}
    return {
        "python": platform.python_version(),
        **versions,
        **there,
        "code of rnn_jax and bench": code_hash(),
    }


def code_hash(root: Path = _ROOT) -> str:
    """A short hash of every source file of this project below `root`: two that differ measure by other code."""
    digest = hashlib.sha256()
    for package in _OURS:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in _SUFFIXES and path.is_file():
                name, content = path.relative_to(root).as_posix().encode(), path.read_bytes()
                digest.update(b"%d %s %d " % (len(name), name, len(content)) + content)
    return digest.hexdigest()[:12]


def unlike(there: Mapping[str, str], here: Mapping[str, str]) -> str:
    """In words what differs between two installations; nothing where they are alike."""
    names = [*here, *(name for name in there if name not in here)]
    pairs = ((name, there.get(name, "missing"), here.get(name, "missing")) for name in names)
    return ", ".join(f"{name} {one} there and {other} here" for name, one, other in pairs if one != other)
