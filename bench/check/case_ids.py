"""Whether case ids follow from their rows: recomputed from the suite that the rows name."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bench import suite as suites
from bench.cases import KINDS
from bench.check.finding import DAMAGED, NOTE, Finding
from bench.errors import UsageError
from bench.machine import Environment
from bench.schema import FAILURES
from bench.statistics.grouping import NET
from bench.store import read_machine
from bench.suite.case import Case

_ENVIRONMENT = [each.name for each in fields(Environment)]
_PARAMETERS = (*NET, "operation")
_OTHER_ARITHMETIC = ("ceilings", "precision", "peers")
"""Kinds some of whose rows are of another dtype or precision than their case."""


def recomputed(folder: Path, frames: Mapping[str, pd.DataFrame]) -> Iterator[Finding]:
    """Ids that do not follow, rows of an older version, and how many ids cannot be recomputed."""
    for suite, of_suite in _by_suite(frames).items():
        shipped = suites.shipped(suite)
        if shipped is None:
            problem = f"suite {suite!r} is not one of the built-in suites, so no case_id can be recomputed"
            yield Finding(NOTE, "case_id", problem, "nothing need be done if the suite is your own")
            continue
        yield from _held_to(shipped.cases, of_suite, _identity(folder), suite)


def _held_to(
    cases: Sequence[Case], frames: Mapping[str, pd.DataFrame], identity: Mapping[str, Any], suite: str
) -> Iterator[Finding]:
    counts = {len(set(seeds)) for frame in frames.values() for _, seeds in frame.groupby("case_id")["seed"]}
    known, older = _by_match_id(cases, counts)
    wrong: dict[str, list[str]] = {}
    old: dict[str, set[str]] = {}
    unknown: set[str] = set()
    for kind, frame in frames.items():
        columns = ["case_id", "match_id", *_ENVIRONMENT, *(name for name in _PARAMETERS if name in frame)]
        for row in frame[columns].drop_duplicates().to_dict("records"):
            if row["match_id"] in known:
                problem = _problem(known[row["match_id"]], row, identity)
                if problem:
                    wrong.setdefault(f"{kind}.csv", []).append(f"case {row['case_id']} ({problem})")
            elif row["match_id"] in older:
                old.setdefault(f"{kind}.csv", set()).add(older[row["match_id"]])
            else:
                unknown.add(row["case_id"])
    for file, problems in wrong.items():
        problem, mend = (
            "case_id does not follow from its row",
            "rows were edited or mixed: measure these cases again",
        )
        yield Finding.naming(DAMAGED, file, problem, dict.fromkeys(problems), mend)
    for file, versions in old.items():
        mend = "measure them again: they match nothing that is measured now"
        yield Finding.naming(DAMAGED, file, "rows of older code", sorted(versions), mend)
    if unknown:
        problem = f"{len(unknown)} cases are none of suite {suite!r} as it is now, so their ids cannot be recomputed"
        yield Finding(NOTE, "case_id", problem, "nothing, if the suite was changed since; else measure again")


def _by_match_id(
    cases: Sequence[Case], seed_counts: set[int]
) -> tuple[dict[str, list[Case]], dict[str, str]]:
    """The cases by match_id, with the seeds that `--seeds` may have given them; and what older versions were."""
    known: dict[str, list[Case]] = {}
    older: dict[str, str] = {}
    for case in cases:
        for count in sorted({len(case.seeds), *seed_counts}):
            of_count = replace(case, seeds=tuple(range(count)))
            known.setdefault(of_count.match_id(), []).append(of_count)
            current = KINDS[case.kind].VERSION
            for version in range(1, current):
                what = f"version {version} of {case.kind}, now {current}"
                older.setdefault(of_count.match_id(version), what)
    return known, older


def _problem(cases: Sequence[Case], row: Mapping[Any, Any], identity: Mapping[str, Any]) -> str:
    """What keeps a row from being one of these cases, which differ in how they are measured; nothing if it is one."""
    own = Environment(**{name: str(row[name]) for name in _ENVIRONMENT})
    plain = replace(own, dtype=str(identity.get("dtype", own.dtype)), matmul_precision="highest")
    ids: set[str] = set()
    for case in cases:
        of_case = [own, plain] if case.kind in _OTHER_ARITHMETIC else [own]
        fewer = [case, replace(case, parameters={**case.parameters, "processes": 1})]
        variants = fewer if "processes" in case.parameters else [case]
        ids |= {variant.case_id(where) for variant in variants for where in of_case}
    if row["case_id"] not in ids:
        return "another machine, backend, dtype or precision than its id says"
    for name in _PARAMETERS:
        if name in row and not any(_equal(case.parameters.get(name), row[name]) for case in cases):
            return f"{name} is {row[name]}, its case has {cases[0].parameters.get(name)}"
    return ""


def _equal(parameter: Any, value: Any) -> bool:
    if parameter is None:
        return True
    if isinstance(parameter, str):
        return parameter == value
    return not pd.isna(value) and abs(float(value) - parameter) <= 1e-8 * abs(parameter)


def _by_suite(frames: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, pd.DataFrame]]:
    found: dict[str, dict[str, pd.DataFrame]] = {}
    for kind, frame in frames.items():
        if kind != FAILURES.kind:
            for suite, rows in frame.groupby("suite"):
                found.setdefault(str(suite), {})[kind] = rows
    return found


def _identity(folder: Path) -> Mapping[str, Any]:
    try:
        return read_machine(folder)["identity"]
    except UsageError:
        return {}
