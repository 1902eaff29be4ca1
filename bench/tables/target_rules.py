"""When a run agrees with a published result: one rule for each way in which results are published."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.targets import Target

TOLERANCE = 0.1
"""How far a median may be from a published loss, accuracy or share, relative to it."""
FACTOR = 2.0
"""How far a median may be from a published number of steps, or ratio of steps: seeds differ by that much."""
_ENOUGH = {
    "solved": {"solved"},
    "above_baseline": {"better_than_baseline", "solved"},
    "at_baseline": {"at_baseline"},
    "diverged": {"diverged"},
}
_FIRST_BELOW = re.compile(r"first step with loss < (\S+)")
_SUCCESS_RATE = "success rate"
_RATIO = "steps_to_solve with b_f = 1 divided by with chrono"


@dataclass(frozen=True)
class Judgement:
    """Ours beside a published result.

    Attributes:
        measured: the target's metric, one a seed; a share of seeds is one value; inf where a seed diverged or
            never came so far.
        rule: what has to hold, in words.
        agrees: whether it does.
    """

    measured: tuple[float, ...]
    rule: str
    agrees: bool


def judged(
    target: Target,
    run: pd.DataFrame,
    beside: pd.DataFrame | None = None,
    evaluations: pd.DataFrame | None = None,
) -> Judgement | None:
    """Holds the seeds of one case against a published result.

    * A published verdict (solved, above_baseline, at_baseline, diverged) needs more than half of the seeds;
      a seed that solved the task is above the baseline too.
    * "< x" needs the median under x.
    * "= x" needs the median within 10% of x; numbers of steps, and their ratios, within a factor of 2. A
      published loss of a solved task needs the task solved: training stops there, so how small the loss got
      after that cannot be compared.

    Args:
        target: a row of `targets()`.
        run: the case's rows of task_accuracy.csv, one a seed.
        beside: rows of the case that the published one was compared with, for a ratio of two.
        evaluations: the case's rows of evaluations.csv, for the first step under a bound.

    Returns:
        None where the metric needs rows that are not there.

    Raises:
        ValueError: there is no rule for the target's metric or relation.
    """
    values = _values(target, run, beside, evaluations)
    if values is None:
        return None
    median = float(np.median(values))
    relation, metric = target["published_relation"], target["metric"]
    wanted = target["published_verdict"]
    if not relation or (relation == "=" and metric == "loss" and wanted == "solved"):
        if wanted not in _ENOUGH:
            raise ValueError(f"target {target['target_id']}: no rule for published_verdict {wanted!r}")
        share = float(run["verdict"].isin(_ENOUGH[wanted]).mean())
        return Judgement(
            tuple(values), f"most seeds {' or '.join(sorted(_ENOUGH[wanted], reverse=True))}", share > 0.5
        )
    published = float(target["published_value"])
    if relation == "<":
        return Judgement(tuple(values), f"median < {published:g}", median < published)
    if relation != "=":
        raise ValueError(f"target {target['target_id']}: no rule for published_relation {relation!r}")
    if metric == _RATIO or _FIRST_BELOW.fullmatch(metric):
        within = published / FACTOR <= median <= published * FACTOR
        return Judgement(tuple(values), f"median within a factor of {FACTOR:g} of {published:g}", within)
    within = abs(median - published) <= TOLERANCE * abs(published)
    return Judgement(tuple(values), f"median within {TOLERANCE:.0%} of {published:g}", within)


def _values(
    target: Target, run: pd.DataFrame, beside: pd.DataFrame | None, evaluations: pd.DataFrame | None
) -> list[float] | None:
    metric = target["metric"]
    below = _FIRST_BELOW.fullmatch(metric)
    if metric == "loss":
        return run["loss"].astype(float).fillna(np.inf).tolist()
    if metric in ("accuracy", "recall_accuracy"):
        return run["accuracy"].astype(float).fillna(0.0).tolist()
    if metric.startswith(_SUCCESS_RATE):
        return [float((run["verdict"] == "solved").mean())]
    if below:
        return None if evaluations is None else _first_below(run, evaluations, float(below[1]))
    if metric == _RATIO:
        return None if beside is None or not len(beside) else _ratios(beside, run)
    raise ValueError(f"target {target['target_id']}: no rule for metric {metric!r}")


def _first_below(run: pd.DataFrame, evaluations: pd.DataFrame, bound: float) -> list[float]:
    reached = evaluations[evaluations["loss"] < bound].groupby("seed")["step"].min()
    return [float(reached.get(seed, np.inf)) for seed in run["seed"]]


def _ratios(slower: pd.DataFrame, faster: pd.DataFrame) -> list[float]:
    """Steps to solve, seed by seed; a seed that never did counts with the steps that it ran, a lower limit."""
    steps = {
        seed: float(solved) if solved == solved else float(ran)
        for seed, solved, ran in zip(
            slower["seed"], slower["steps_to_solve"].astype(float), slower["steps_run"], strict=True
        )
    }
    pairs = zip(faster["seed"], faster["steps_to_solve"].astype(float), strict=True)
    # Unsolved in the denominator: no gain at all.
    return [steps[seed] / solved if solved == solved else 0.0 for seed, solved in pairs if seed in steps]
