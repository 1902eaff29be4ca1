"""A case that is measured in several fresh processes: its parts, spread over a run, and what each of them gave.

All cases have their first process before any has its second, so that the processes of one case lie apart in time, and a
spell in which the machine is busy meets several cases once rather than one case three times.
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bench.machine import Environment
from bench.schema import AGREEMENT, CASE_TIMES, TIMINGS
from bench.store import Rows, Store, write_text

if TYPE_CHECKING:
    from bench.suite.case import Case  # it imports JAX, which a process that only hands rows on does not need


@dataclass(frozen=True)
class CasePart:
    """What one process measures of a case.

    Attributes:
        case: what is measured.
        process: the number of the fresh process that it is for; None: all of a case that needs no more than one.
    """

    case: "Case"
    process: int | None = None

    @property
    def costed(self) -> "Case":
        """The case with the part of its estimate that is this part's."""
        if self.process is None or self.case.estimate_s is None:
            return self.case
        return replace(self.case, estimate_s=self.case.estimate_s / self.case.processes)

    def label(self, of_case: str) -> str:
        """What a person calls it."""
        if self.process is None:
            return of_case
        return f"{of_case}, process {self.process + 1} of {self.case.processes}"


def parts_to_measure(cases: "Sequence[Case]", store: Store, environment: Environment) -> list[CasePart]:
    """The parts that are still to be measured, in order: of each case the first process, then of each the second, ..."""
    of_each = [[CasePart(case, process) for process in _missing(case, store, environment)] for case in cases]
    whole = itertools.chain.from_iterable(of_each)
    return sorted(whole, key=lambda part: part.process or 0)  # stable: the cases keep their order


def _missing(case: "Case", store: Store, environment: Environment) -> list[int | None]:
    if case.processes == 1:
        return [None]
    there = _there(store, case.case_id(environment), case)
    missing: list[int | None] = [process for process in range(case.processes) if process not in there]
    # A kill came after the last one and before they were put together, which whoever comes last does.
    return missing or [case.processes - 1]


def keep(store: Store, case: "Case", case_id: str, process: int, tables: Mapping[str, Rows]) -> None:
    """Keeps what one process gave; once every process has, the case is done.

    Raises:
        UsageError: it cannot be written.
    """
    numbered = {kind: [_numbered(kind, row, process) for row in rows] for kind, rows in tables.items()}
    write_text(store.checkpoints(case_id) / _name(process), json.dumps(numbered))
    there = _there(store, case_id, case)
    if len(there) == case.processes:
        store.write(case_id, _together([there[number] for number in sorted(there)]))


def part(store: Store, case_id: str, process: int) -> Mapping[str, Rows]:
    """What one process gave, as `keep` kept it: rows by kind of result file.

    Raises:
        OSError, ValueError: it is not there, or cannot be read.
    """
    found = json.loads((store.checkpoints(case_id) / _name(process)).read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{_name(process)} holds no tables")
    return found


def _there(store: Store, case_id: str, case: "Case") -> dict[int, Mapping[str, Rows]]:
    """What the processes so far gave, by number; what cannot be read is measured again."""
    found = {}
    for process in range(case.processes):
        with suppress(OSError, ValueError):
            found[process] = part(store, case_id, process)
    return found


def _name(process: int) -> str:
    return f"process-{process}.json"


def _numbered(kind: str, row: Mapping[str, Any], process: int) -> dict[str, Any]:
    return {**row, "process": process} if kind == TIMINGS.kind else dict(row)


def _together(parts: Sequence[Mapping[str, Rows]]) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of all processes; of answers that were checked in each the one that is furthest off, of what each took the sum."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for of_one in parts:
        for kind, some in of_one.items():
            rows.setdefault(kind, []).extend(some)
    if AGREEMENT.kind in rows:
        rows[AGREEMENT.kind] = list(_worst(rows[AGREEMENT.kind]))
    if CASE_TIMES.kind in rows:
        rows[CASE_TIMES.kind] = [_summed(rows[CASE_TIMES.kind])]
    return rows


def _summed(took: Rows) -> dict[str, Any]:
    seconds = [row["elapsed_s"] for row in took if row.get("elapsed_s") is not None]
    return {**took[0], "elapsed_s": sum(seconds) if len(seconds) == len(took) else None}


def _worst(answers: Rows) -> Iterator[Mapping[str, Any]]:
    by_quantity: dict[tuple[Any, Any], Mapping[str, Any]] = {}
    for row in answers:
        key = (row["implementation"], row["quantity"])
        if key not in by_quantity or _deviation(row) > _deviation(by_quantity[key]):
            by_quantity[key] = row
    yield from by_quantity.values()


def _deviation(row: Mapping[str, Any]) -> float:
    value = row.get("deviation")
    return float("-inf") if value is None else float(value)
