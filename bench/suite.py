"""Reads a suite file, checks every key and value, and lists its cases."""

import hashlib
import itertools
import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.cases import KINDS
from bench.errors import UsageError
from bench.machine import DTYPES, Environment
from bench.parameter import Parameter
from bench.scale import Caps, capped, caps_of
from bench.toml_file import read_toml

SUITES = Path(__file__).parent / "suites"
PROCESSES = ("shared", "fresh")
_TOP_LEVEL = ("description", "estimate_s", "estimate_on", "dtype", "scale")
_OF_ANY_CASE = ("seeds", "dtype", "process", "estimate_s", "needs")
_FOLLOWS_FROM_CELL = ("initialization", "forget_bias")


@dataclass(frozen=True)
class Case:
    """One measurement: a kind and a value for each of its parameters.

    Attributes:
        kind: "gradient_norms", "task_accuracy", ...
        parameters: every parameter of the kind, defaults filled in.
        seeds: the seeds it is measured for.
        dtype: what it is measured in, whatever the rest of the run is; None: as the run.
        process: "shared": with others, one after the other; "fresh": in a process of its own, so that
            the most memory that the process took is the case's.
        estimate_s: seconds it is expected to take, or None.
        needs: a package without which it is left out of a run, or None.
    """

    kind: str
    parameters: Mapping[str, Any]
    seeds: tuple[int, ...]
    dtype: str | None = None
    process: str = "shared"
    estimate_s: float | None = None
    needs: str | None = None

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def own(self, environment: Environment) -> Environment:
        """The environment of a run with the case's own dtype."""
        return environment if self.dtype is None else replace(environment, dtype=self.dtype)

    def case_id(self, environment: Environment) -> str:
        """Hash of the configuration, the seeds, the code's version, and what it runs on."""
        fresh = {} if self.process == "shared" else {"process": self.process}
        return _hash(self._configuration() | self.own(environment).configuration() | fresh)

    def match_id(self) -> str:
        """The same without what it runs on: what `compare` joins on."""
        return _hash(
            {k: v for k, v in self._configuration().items() if k not in ("method", "implementation")}
        )

    def difference(self) -> str:
        """What is equal only for a case that is named twice."""
        return _hash(self._configuration() | {"dtype": self.dtype, "process": self.process})

    def _configuration(self) -> dict[str, Any]:
        kind = KINDS[self.kind]
        silent = {each.name: each.default for each in kind.PARAMETERS if each.later}
        told = {
            name: value
            for name, value in self.parameters.items()
            if name not in silent or value != silent[name]
        }
        return told | {"kind": self.kind, "seeds": list(self.seeds), "version": kind.VERSION}


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
        return any(case.dtype is not None or case.process == "fresh" for case in self.cases)

    def label(self, case: Case) -> str:
        """What a person calls a case: its kind, and what tells it from the others of that kind."""
        alike = [each for each in self.cases if each.kind == case.kind]
        of_cell = [each for each in alike if each.parameters.get("cell") == case.parameters.get("cell")]
        told = []
        plain = {each.name: each.default for each in KINDS[case.kind].PARAMETERS if each.later}
        for name, value in case.parameters.items():
            if name in plain and value == plain[name]:
                continue
            others = of_cell if name in _FOLLOWS_FROM_CELL else alike
            varies = len({each[name] for each in others}) > 1
            if value is None or not (varies or name in ("cell", "task")):
                continue
            told.append(value if isinstance(value, str) else f"{name}={value:g}")
        if len({each.dtype for each in alike}) > 1:
            told.append(case.dtype or self.dtype)
        if case.process == "fresh":
            told.append("in a fresh process")
        return " ".join([case.kind, *told])

    def installed(self) -> tuple["Suite", tuple[Case, ...]]:
        """The suite of those cases whose packages are there, and the others."""
        there = {each.needs: each.needs is None or find_spec(each.needs) is not None for each in self.cases}
        kept = tuple(case for case in self.cases if there[case.needs])
        return replace(self, cases=kept), tuple(case for case in self.cases if not there[case.needs])

    def with_seeds(self, count: int) -> "Suite":
        """The same cases, each for seeds 0..count-1.

        Raises:
            UsageError: `count` is not positive.
        """
        if count < 1:
            raise UsageError(f"--seeds must be at least 1, got {count}")
        return replace(self, cases=tuple(replace(case, seeds=tuple(range(count))) for case in self.cases))

    def only(self, conditions: str) -> "Suite":
        """The cases that meet all of the comma-separated conditions, such as `cell=lstm,gain<=1`.

        Raises:
            UsageError: a condition cannot be read, names no parameter of the suite, or nothing is left.
        """
        meets = [_condition(text.strip(), self.cases) for text in conditions.split(",")]
        kept = tuple(case for case in self.cases if all(met(case) for met in meets))
        if not kept:
            raise UsageError(f"--only {conditions} leaves no case of suite {self.name}")
        return replace(self, cases=kept)


def names() -> list[str]:
    """The suites that come with the harness."""
    return sorted(path.stem for path in SUITES.glob("*.toml"))


def load(name_or_file: str, scale: str | None = None) -> Suite:
    """Reads a suite by name, or from a TOML file of one's own.

    Args:
        name_or_file: a name of `names()`, or a path that ends in `.toml`.
        scale: one of the suite's own scales, such as "tiny": no number is then larger than its cap there.

    Raises:
        UsageError: there is no such suite, the file is no TOML, or a key or value is not allowed;
            the message names the file, the key, what is allowed and the nearest match.
    """
    path = Path(name_or_file) if name_or_file.endswith(".toml") else SUITES / f"{name_or_file}.toml"
    try:
        found = path.is_file()
    except OSError:  # a name too long to be a file's
        found = False
    if not found:
        raise UsageError(
            f"no suite {name_or_file!r}{_nearest(name_or_file, names())}; a file must end in .toml"
        )
    content = read_toml(path)
    for key in content:
        if key not in _TOP_LEVEL and key not in KINDS:
            raise UsageError(f"{path}: unknown key {key!r}{_nearest(key, [*_TOP_LEVEL, *KINDS])}")
    caps = caps_of(str(path), content.get("scale", {}), scale, _known_parameters())
    cases = tuple(
        itertools.chain.from_iterable(
            _cases(path, kind, content[kind], caps) for kind in content if kind in KINDS
        )
    )
    if not cases:
        raise UsageError(f"{path}: no cases; add a table such as [[gradient_norms]]")
    estimate = _estimate(f"{path}", content)
    dtype = content.get("dtype", "float32")
    if dtype not in DTYPES:
        raise UsageError(f"{path}: dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    unique = tuple({case.difference(): case for case in cases}.values())
    name = path.stem if scale is None else f"{path.stem}-{scale}"
    return Suite(
        name,
        str(content.get("description", "")),
        estimate if scale is None else None,
        unique,
        dtype,
        str(content.get("estimate_on", "two cores")),
    )


def _estimate(where: str, table: Mapping[str, Any]) -> int | None:
    estimate = table.get("estimate_s")
    if estimate is not None and (isinstance(estimate, bool) or not isinstance(estimate, int) or estimate < 1):
        raise UsageError(f"{where}: estimate_s must be a positive number of seconds, got {estimate!r}")
    return estimate


def _known_parameters() -> dict[str, list[Parameter]]:
    """Every parameter that a scale may cap, by name, with what each kind says of it."""
    known: dict[str, list[Parameter]] = {"seeds": []}
    for kind in KINDS.values():
        for each in kind.PARAMETERS:
            if each.type is not str:
                known.setdefault(each.name, []).append(each)
    return known


def _cases(path: Path, kind: str, tables: Any, caps: Caps) -> Iterator[Case]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{path}: {kind} must be a list of tables, each written [[{kind}]]")
    module = KINDS[kind]
    parameters = {each.name: each for each in module.PARAMETERS}
    for number, table in enumerate(tables, start=1):
        where = f"{path}: [[{kind}]] number {number}"
        for key in table:
            if key not in parameters and key not in _OF_ANY_CASE:
                raise UsageError(f"{where}: unknown key {key!r}{_nearest(key, [*parameters, *_OF_ANY_CASE])}")
        seeds = table.get("seeds", 3)
        if isinstance(seeds, bool) or not isinstance(seeds, int) or not 1 <= seeds <= 10_000:
            raise UsageError(f"{where}: seeds must be a number from 1 to 10000, got {seeds!r}")
        estimate = None if caps else _estimate(where, table)
        needs = table.get("needs")
        if needs is not None and not (isinstance(needs, str) and needs.isidentifier()):
            raise UsageError(f'{where}: needs must name one package, such as "torch", got {needs!r}')
        # All of one dtype together: it takes seconds to start a process of another.
        swept = [_values(where, each, table) for each in (_DTYPE, _PROCESS, *module.PARAMETERS)]
        for dtype, process, *values in itertools.product(*swept):
            chosen = capped(dict(zip(parameters, values, strict=True)), caps)
            try:
                resolved = module.resolved(chosen)
            except ValueError as error:
                raise UsageError(f"{where}: {error}") from error
            measured = tuple(range(min(seeds, int(caps.get("seeds", seeds)))))
            yield Case(kind, resolved, measured, dtype, process, estimate, needs)


_DTYPE = Parameter("dtype", str, "what the case is measured in; as the run if left out", choices=DTYPES)
_PROCESS = Parameter("process", str, "whether the case has a process of its own", "shared", choices=PROCESSES)


def _values(where: str, parameter: Parameter, table: Mapping[str, Any]) -> Sequence[Any]:
    if parameter.name not in table:
        if parameter.required:
            raise UsageError(f"{where}: {parameter.name} is missing; it {parameter.allowed()}")
        return [parameter.default]
    value = table[parameter.name]
    values = value if isinstance(value, list) else [value]
    if not values:
        raise UsageError(f"{where}: {parameter.name} is an empty list")
    for each in values:
        problem = parameter.problem(each)
        if problem:
            nearest = _nearest(each, parameter.choices) if isinstance(each, str) else ""
            raise UsageError(f"{where}: {parameter.name} {problem}{nearest}")
    return [parameter.cast(each) for each in values]


def _nearest(word: str, known: Sequence[str]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    listing = f" (one of {', '.join(known)})" if known else ""
    return f"; did you mean {close[0]!r}?{listing}" if close else listing


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}


def _condition(text: str, cases: Sequence[Case]) -> Callable[[Case], bool]:
    """Reads one condition of `--only`."""
    symbol = next((symbol for symbol in _COMPARISONS if symbol in text), None)
    if symbol is None:
        raise UsageError(f"--only: cannot read {text!r}; write for example cell=lstm or gain<=1.5")
    name, wanted = (part.strip() for part in text.split(symbol, 1))
    own = ("kind", "dtype", "process")
    known = sorted({*own, *itertools.chain.from_iterable(case.parameters for case in cases)})
    if name not in known:
        raise UsageError(f"--only: unknown parameter {name!r}{_nearest(name, known)}")
    types = {each.type for case in cases for each in KINDS[case.kind].PARAMETERS if each.name == name}
    is_text = name in own or str in types
    if is_text and symbol not in ("=", "!="):
        raise UsageError(f"--only: {name} is text, so {symbol} does not apply to it")
    try:
        threshold = wanted if is_text else float(wanted)
    except ValueError:
        raise UsageError(f"--only: {name} is a number, got {wanted!r}") from None

    def met(case: Case) -> bool:
        value = getattr(case, name) if name in own else case.parameters.get(name)
        return value is not None and _COMPARISONS[symbol](value, threshold)

    return met


def _hash(configuration: Mapping[str, Any]) -> str:
    text = json.dumps(configuration, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
