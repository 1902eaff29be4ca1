"""The tables of a suite file, such as [[gradient_norms]]: each is a grid of cases, a list of values at any key."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.cases import KINDS, most_seeds
from bench.cases.parameter import Parameter
from bench.errors import UsageError
from bench.machine import DTYPES
from bench.nearest import nearest
from bench.suite.case import Case
from bench.suite.scale import Caps, capped

PROCESSES = ("shared", "fresh")
OF_ANY_CASE = ("seeds", "dtype", "process", "estimate_s", "needs")


def estimate_of(where: str, table: Mapping[str, Any]) -> int | None:
    """The key `estimate_s` of a suite or of one of its tables, in seconds; None where it is left out.

    Raises:
        UsageError: it is no positive whole number.
    """
    estimate = table.get("estimate_s")
    if estimate is not None and (isinstance(estimate, bool) or not isinstance(estimate, int) or estimate < 1):
        raise UsageError(f"{where}: estimate_s must be a positive number of seconds, got {estimate!r}")
    return estimate


def known_parameters() -> dict[str, list[Parameter]]:
    """Every parameter that a scale may cap, by name, with what each kind says of it."""
    known: dict[str, list[Parameter]] = {"seeds": []}
    for kind in KINDS.values():
        for each in kind.PARAMETERS:
            if each.type is not str:
                known.setdefault(each.name, []).append(each)
    return known


def cases_of(path: Path, kind: str, tables: Any, caps: Caps) -> Iterator[Case]:
    """The cases of all tables of one kind: of each every combination of the values at its keys.

    Raises:
        UsageError: a key or value is not allowed; the message names the file, the table and the key.
    """
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{path}: {kind} must be a list of tables, each written [[{kind}]]")
    module = KINDS[kind]
    parameters = {each.name: each for each in module.PARAMETERS}
    for number, table in enumerate(tables, start=1):
        where = f"{path}: [[{kind}]] number {number}"
        for key in table:
            if key not in parameters and key not in OF_ANY_CASE:
                others = [
                    f"[[{other}]]"
                    for other, each in KINDS.items()
                    if key in {p.name for p in each.PARAMETERS}
                ]
                elsewhere = f"; it is one of {', '.join(others)} alone" if others else ""
                mend = elsewhere or nearest(key, [*parameters, *OF_ANY_CASE])
                if others and key == "remedy":
                    mend += ", whose columns reach_before_steps and rate_before_nats_per_step are of nets with the remedy before training"
                raise UsageError(f"{where}: {'no' if others else 'unknown'} key {key!r}{mend}")
        seeds = _seeds(where, kind, table)
        estimate = None if caps else estimate_of(where, table)
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


def parameters_of(kind: str) -> list[Parameter]:
    """Every key that a table of this kind takes."""
    most = most_seeds(kind)
    seeds = Parameter(
        "seeds", int, "how many nets, drawn by numbers from 0 on", min(3, most), low=1, high=most
    )
    return [*KINDS[kind].PARAMETERS, seeds, _DTYPE, _PROCESS, *_OF_TABLES]


_OF_TABLES = (
    Parameter(
        "estimate_s", int, "seconds that a case of the table takes, before it was ever measured", low=1
    ),
    Parameter("needs", str, "a package without which the table's cases are left out"),
)


def _seeds(where: str, kind: str, table: Mapping[str, Any]) -> int:
    most = most_seeds(kind)
    seeds = table.get("seeds", min(3, most))
    if isinstance(seeds, bool) or not isinstance(seeds, int) or not 1 <= seeds <= most:
        allowed = f"a whole number from 1 to {most}" if most > 1 else f"1 in every [[{kind}]], or left out"
        raise UsageError(f"{where}: seeds must be {allowed}, got {seeds!r}")
    return seeds


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
            meant = nearest(each, parameter.choices) if isinstance(each, str) else ""
            raise UsageError(f"{where}: {parameter.name} {problem}{meant}")
    return [parameter.cast(each) for each in values]
