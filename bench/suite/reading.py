"""Reads a suite file, checks every key and value, and lists its cases."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.cases import KINDS, MOST_SEEDS, most_seeds
from bench.errors import UsageError
from bench.machine import DTYPES
from bench.nearest import nearest
from bench.suite.case import Case
from bench.suite.conditions import condition, value_of
from bench.suite.grids import OF_ANY_CASE, cases_of, estimate_of, known_parameters
from bench.suite.include import Included, entries
from bench.suite.scale import Caps, caps_of
from bench.suite.toml_file import read_toml

SUITES = Path(__file__).parents[1] / "suites"
_TOP_LEVEL = ("description", "estimate_s", "estimate_on", "dtype", "scale", "include")
_FOLLOWS_FROM_CELL = ("initialization", "forget_bias")


_A_GPU = re.compile(r"GPU|\b[ABHLTV]\d{2,4}\b")


@dataclass(frozen=True)
class Suite:
    """A named list of cases.

    Attributes:
        name: the file's name without `.toml`, and its scale where it has one.
        description: one line.
        estimate_s: seconds it is said to take, or None.
        cases: in the file's order.
        dtype: what it is measured in where neither the user nor a case says.
        estimate_on: on what it takes `estimate_s`.
    """

    name: str
    description: str
    estimate_s: int | None
    cases: tuple[Case, ...]
    dtype: str = "float32"
    estimate_on: str = "two cores"

    @property
    def in_children(self) -> bool:
        """True where a case has a dtype or a process of its own: then no case is measured in the run's process."""
        return any(
            case.dtype is not None or case.process == "fresh" or case.processes > 1 for case in self.cases
        )

    def label(self, case: Case) -> str:
        """What a person calls a case: its kind, and what tells it from the others of that kind."""
        parts = []
        plain = {each.name: each.default for each in KINDS[case.kind].PARAMETERS if each.later}
        for name, value in case.parameters.items():
            if name in plain and value == plain[name]:
                continue
            alike = (case.kind, case.parameters.get("cell") if name in _FOLLOWS_FROM_CELL else None)
            if value is None or not (name in self._varying[alike] or name in ("cell", "task")):
                continue
            parts.append(value if isinstance(value, str) else f"{name}={value:g}")
        if "dtype" in self._varying[case.kind, None]:
            parts.append(case.dtype or self.dtype)
        if case.process == "fresh":
            parts.append("in a fresh process")
        return " ".join([case.kind, *parts])

    @cached_property
    def _varying(self) -> dict[tuple[str, Any], set[str]]:
        """Which parameters differ among the cases of a kind, and among those of a kind and a cell."""
        first: dict[tuple[str, Any], dict[str, Any]] = {}
        varying: dict[tuple[str, Any], set[str]] = {}
        for case in self.cases:
            values = {**case.parameters, "dtype": case.dtype}
            for alike in {(case.kind, None), (case.kind, case.parameters.get("cell"))}:
                there = first.setdefault(alike, values)
                unlike = {name for name, value in values.items() if value != there[name]}
                varying.setdefault(alike, set()).update(unlike)
        return varying

    def installed(self) -> tuple["Suite", tuple[Case, ...]]:
        """The suite of those cases whose packages are there, and the others."""
        there = {each.needs: each.needs is None or find_spec(each.needs) is not None for each in self.cases}
        cases = tuple(case for case in self.cases if there[case.needs])
        return replace(self, cases=cases), tuple(case for case in self.cases if not there[case.needs])

    def in_dtype(self, dtype: str) -> "Suite":
        """The same cases as a part of a suite of another dtype: each is still measured in this one's."""
        if dtype == self.dtype:
            return self
        cases = tuple(replace(case, dtype=case.dtype or self.dtype) for case in self.cases)
        return replace(self, cases=cases, dtype=dtype)

    def with_seeds(self, count: int) -> "Suite":
        """The same cases, each for seeds 0..count-1, or as many of them as its kind allows.

        Raises:
            UsageError: `count` is not positive, or more than any case may be measured for.
        """
        if not 1 <= count <= MOST_SEEDS:
            raise UsageError(f"--seeds must be a whole number from 1 to {MOST_SEEDS}, got {count}")
        cases = (replace(case, seeds=tuple(range(min(count, most_seeds(case.kind))))) for case in self.cases)
        return replace(self, cases=tuple(cases))

    @property
    def gpu_hint(self) -> str:
        """Where its seconds are of a GPU: what one should know before it is run on a CPU; else empty."""
        if not _A_GPU.search(self.estimate_on) or (name_and_scale(self.name) or ("", None))[1] is not None:
            return ""
        return (
            f"its times are of {self.estimate_on}; on a CPU a case can take hundreds of times as long: "
            "--scale tiny, where a suite has it, tries all cases in minutes"
        )

    def only(self, conditions: str, where: str = "--only") -> "Suite":
        """The cases that meet all of the comma-separated conditions, such as `cell=lstm,gain<=1`.

        Args:
            conditions: as written.
            where: what they were written in, for messages.

        Raises:
            UsageError: a condition cannot be read, names no parameter of the suite, or nothing is left.
        """
        meets = [condition(text.strip(), self.cases, where) for text in conditions.split(",")]
        cases = tuple(case for case in self.cases if all(met(case) for met in meets))
        if not cases:
            raise UsageError(
                f"{where} {conditions} leaves no case of suite {self.name}{self._values_asked_for(conditions, where)}"
            )
        return replace(self, cases=cases)

    def _values_asked_for(self, conditions: str, where: str) -> str:
        """What there is of the first thing that is asked for by name and is not there."""
        for text in conditions.split(","):
            name, equal, value = (part.strip() for part in text.partition("="))
            if (
                equal
                and name.isidentifier()
                and not any(map(condition(text.strip(), self.cases, where), self.cases))
            ):
                there = sorted(
                    {str(each) for case in self.cases if (each := value_of(case, name)) is not None}
                )
                return nearest(value, there)
        return ""


def names() -> list[str]:
    """The suites that come with the harness."""
    return sorted(path.stem for path in SUITES.glob("*.toml"))


def shipped(name: str) -> Suite | None:
    """A suite of the harness by the name that results carry, with its scale where it has one; None if there is none."""
    found = name_and_scale(name)
    return None if found is None else load(*found)


def name_and_scale(name: str) -> tuple[str, str | None] | None:
    """The suite of the harness and the scale, or None, that a name in results stands for; None if there is none."""
    if name in names():
        return name, None
    for known in names():
        scale = name.removeprefix(f"{known}-")
        if scale != name:
            try:
                load(known, scale)
            except UsageError:  # no such scale
                continue
            return known, scale
    return None


def load(name_or_file: str, scale: str | None = None) -> Suite:
    """Reads a suite by name, or from a TOML file of one's own.

    Args:
        name_or_file: a name of `names()`, or a path that ends in `.toml`.
        scale: one of the suite's own scales, such as "tiny": no number is then larger than its cap there.

    Raises:
        UsageError: there is no such suite, the file is no TOML, or a key or value is not allowed, in it or in
            a suite that it includes; the message names the file, the key, what is allowed and the nearest match.
    """
    path = _path(name_or_file, Path())
    if path is None:
        raise UsageError(_no_suite(name_or_file))
    return _read(path, scale, None, ())


def _path(name_or_file: str, folder: Path) -> Path | None:
    """Where a suite's file is, itself named relative to `folder`; None if it is not there."""
    own = name_or_file.endswith(".toml")
    path = folder / name_or_file if own else SUITES / f"{name_or_file}.toml"
    try:
        return path if path.is_file() else None
    except (OSError, ValueError):  # a name that no file can have
        return None


def _no_suite(name: str) -> str:
    if name.endswith(".toml"):
        return f"{name} is a folder; name a suite file" if Path(name).is_dir() else f"there is no file {name}"
    return f"no suite {name!r}{nearest(name, names())}; a file must end in .toml"


def _read(path: Path, scale: str | None, above: Caps | None, chain: tuple[Path, ...]) -> Suite:
    """Reads one file, and those that it includes.

    Args:
        path: the file.
        scale: the scale that is asked for.
        above: the caps of that scale in the file that includes this one, if it has it.
        chain: the files that include this one, outermost first.
    """
    content = read_toml(path)
    for key in content:
        if key not in _TOP_LEVEL and key not in KINDS:
            raise UsageError(f"{path}: unknown key {key!r}{_meant(key)}")
    if not isinstance(content.get("description", ""), str):
        raise UsageError(f"{path}: description must be a text, got {content['description']!r}")
    dtype = content.get("dtype")
    if dtype is not None and dtype not in DTYPES:
        raise UsageError(f"{path}: dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    estimate = estimate_of(f"{path}", content)
    includes = entries(f"{path}", content.get("include", []))
    tables = [kind for kind in content if kind in KINDS]
    caps = caps_of(
        str(path), content.get("scale", {}), scale, known_parameters(), above, bool(includes) and not tables
    )
    parts = [_included(path, entry, scale, caps, chain) for entry in includes]
    if dtype is None:
        shared = {part.dtype for part in parts} if not tables else set()
        dtype = shared.pop() if len(shared) == 1 else "float32"
    own = itertools.chain.from_iterable(cases_of(path, kind, content[kind], caps or {}) for kind in tables)
    of_parts = (case for part in parts for case in part.in_dtype(dtype).cases)
    cases = (*of_parts, *own)
    if not cases:
        raise UsageError(f"{path}: no cases; add a table such as [[gradient_norms]], or include a suite")
    unique = tuple({case.difference(): case for case in cases}.values())
    name = path.stem if scale is None else f"{path.stem}-{scale}"
    estimate_on = content.get("estimate_on")
    if estimate is None and not tables and len({part.estimate_on for part in parts}) == 1:
        estimate, estimate_on = _sum(parts), parts[0].estimate_on
    return Suite(
        name,
        str(content.get("description", "")),
        estimate if scale is None else None,
        unique,
        dtype,
        str("two cores" if estimate_on is None else estimate_on),
    )


def _meant(key: str) -> str:
    """What somebody may have meant who wrote an unknown key above all tables, as the end of a sentence."""
    in_tables = {*OF_ANY_CASE, *(each.name for kind in KINDS.values() for each in kind.PARAMETERS)}
    close = key if key in in_tables else f"{key}s" if f"{key}s" in in_tables else ""
    if close:
        return f"; {close} belongs into a table, below its line, such as [[gradient_norms]]"
    return nearest(key, [*_TOP_LEVEL, *KINDS])


def _included(
    path: Path, entry: Included, scale: str | None, caps: Caps | None, chain: tuple[Path, ...]
) -> Suite:
    """The cases of one entry of `include`."""
    where = f"{path}: include {entry.suite!r}"
    found = _path(entry.suite, path.parent)
    if found is None:
        raise UsageError(f"{where}: {_no_suite(entry.suite)}")
    files = (*chain, path)
    if found.resolve() in {file.resolve() for file in files}:
        circle = " -> ".join(file.name for file in (*files, found))
        raise UsageError(f"{where} goes round in a circle: {circle}")
    try:
        if entry.scale is not None:
            part = _read(found, entry.scale, None, files)
        else:
            part = _read(found, scale, caps, files)
    except UsageError as error:
        message = str(error)
        raise UsageError(
            message if "included by" in message or where in message else f"{message} (included by {path})"
        ) from error
    whole = part.cases
    if entry.seeds is not None:
        part = part.with_seeds(entry.seeds)
    if entry.only is not None:
        part = part.only(entry.only, f"{where}: only")
    return part if part.cases == whole else replace(part, estimate_s=None)


def _sum(parts: Sequence[Suite]) -> int | None:
    known = [part.estimate_s for part in parts if part.estimate_s is not None]
    return sum(known) if len(known) == len(parts) else None
