"""What a report is of: result folders and kept comparisons, read once."""

import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bench.comparing import comparison
from bench.comparing.two_folders import compared, unlike
from bench.errors import NothingInCommonError, UsageError
from bench.machine import BACKENDS
from bench.store import Store, read_machine
from bench.tables import tables


@dataclass(frozen=True)
class Folder:
    """One result folder.

    Attributes:
        label: what the report calls it.
        facts: its `machine.json`.
    """

    label: str
    store: Store
    facts: dict[str, Any]

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The derived tables by name."""
        return dict(tables(self.store))

    def read(self, kind: str) -> pd.DataFrame | None:
        """One result file, or None where there is none."""
        return self.store.read(kind) if kind in self.store.kinds() else None

    @cached_property
    def suite(self) -> str:
        """The suite that its rows are of."""
        for kind in self.store.kinds():
            suites = self.store.read(kind)["suite"]
            if len(suites):
                return str(suites.iloc[0])
        return "SUITE"


@dataclass(frozen=True)
class Comparison:
    """Two result folders side by side.

    Attributes:
        left, right: what the report calls the two.
        tables: as `bench.comparing.two_folders.compared` gives them.
        unlike: where their machines, installations or dtypes differ.
    """

    left: str
    right: str
    tables: Mapping[str, pd.DataFrame]
    unlike: list[str]

    @property
    def label(self) -> str:
        """Both names."""
        return f"{self.right} against {self.left}"


@dataclass(frozen=True)
class Results:
    """All that one report shows."""

    folders: Sequence[Folder]
    comparisons: Sequence[Comparison] = ()

    def having(self, kind: str) -> list[tuple[Folder, pd.DataFrame]]:
        """The folders that hold rows of this kind of result file, each with them, the fullest first."""
        found = [(folder, folder.read(kind)) for folder in self.folders]
        filled = [(folder, frame) for folder, frame in found if frame is not None and len(frame)]
        return sorted(filled, key=lambda pair: len(pair[1]), reverse=True)

    def with_table(self, name: str) -> list[tuple[Folder, pd.DataFrame]]:
        """The folders that have this derived table, each with it, the longest first."""
        found = [(folder, folder.tables[name]) for folder in self.folders if name in folder.tables]
        return sorted(found, key=lambda pair: len(pair[1]), reverse=True)


def read(paths: Sequence[Path]) -> Results:
    """Reads result folders, and folders that keep a comparison.

    Raises:
        UsageError: a path is neither, or holds no results.
    """
    comparisons = [path for path in paths if comparison.is_comparison(path)]
    plain = list(dict.fromkeys(path for path in paths if path not in comparisons))
    for path in plain:
        if not path.is_dir():
            raise UsageError(f"{path} is not a folder; name one that `rnn-bench run` wrote")
        if not Store(path).kinds():
            raise UsageError(f"{path} holds no result file; name a folder that `rnn-bench run` wrote")
    facts = {path: read_machine(path) for path in plain}
    names = _labels(facts)
    shown = {
        frozenset((reference.resolve(), other.resolve()))
        for reference, *others in map(comparison.sides, comparisons)
        for other in others
    }
    return Results(
        [Folder(names[path], Store(path).each_seed_once(), facts[path]) for path in plain],
        [each for path in comparisons for each in _comparisons(path)]
        + list(_of_backends(facts, names, shown)),
    )


def _of_backends(
    facts: Mapping[Path, Mapping[str, Any]], names: Mapping[Path, str], shown: Collection[frozenset[Path]]
) -> Iterator[Comparison]:
    """Every folder of a CPU beside every one of a GPU that has cases in common with it, but for pairs shown already."""
    of = {backend: [path for path, each in facts.items() if each["identity"].get("backend") == backend]
          for backend in BACKENDS}  # fmt: skip
    for left, right in itertools.product(of["cpu"], of["gpu"]):
        if frozenset((left.resolve(), right.resolve())) in shown:
            continue
        try:
            joined = compared(left, right)
        except NothingInCommonError:
            continue
        yield Comparison(names[left], names[right], joined, unlike(left, right))


def _comparisons(folder: Path) -> list[Comparison]:
    names = _labels({side: read_machine(side) for side in comparison.sides(folder)})
    return [
        Comparison(names[left], names[right], joined, unlike(left, right))
        for left, right, joined in comparison.pairs(folder)
    ]


def _labels(facts: Mapping[Path, Mapping[str, Any]]) -> dict[Path, str]:
    """MACHINE/SUITE. Where two would have the same name, the path as it was given, or a number where that is not
    below the working folder: what else it names is nobody's business.
    """
    short = {
        path: f"{each['identity'].get('machine', '?')}/{path.resolve().name}" for path, each in facts.items()
    }
    counts, seen = Counter(short.values()), Counter()
    labels = {}
    for path, name in short.items():
        seen[name] += 1
        own = f"{name} ({seen[name]})" if path.is_absolute() or ".." in path.parts else path.as_posix()
        labels[path] = name if counts[name] == 1 else own
    return labels
