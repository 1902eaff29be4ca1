"""Published results beside ours, with what differs in how they were made."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.cases.parameter import combined_names
from bench.errors import UsageError, making
from bench.schema import EVALUATIONS, TASK_ACCURACY
from bench.store import Store
from bench.tables.target_rules import judged
from bench.targets import Target, targets

AGREES, DIFFERS, NOT_RUN, REFERENCE = VERDICTS = ("agrees", "differs", "not run", "reference")
COLUMNS = [
    "target_id", "source", "tier", "task", "variant", "sequence_length", "cell", "metric", "published", "rule",
    "verdict", "ours", "ours_median", "ours_least", "ours_most", "seeds", "compared_with",
    "step_budget", "published_step_budget", "settings_that_differ", "shortened", "why_differs", "remark", "suite", "machine",
]  # fmt: skip
_REMEDIES = {"omega": "pascanu_omega", "": "none"}  # as the published settings say it, and as we do


def target_table(stores: Sequence[Store], only_run: bool = False) -> pd.DataFrame:
    """One row a published result.

    `remark` says where an agreement is weak. `ours` counts the verdicts of our seeds, `compared_with` those of the case that the source compares its own
    with; `ours_median`, `ours_least` and `ours_most` are of the published metric, over seeds.

    Args:
        stores: result folders; those without a case that names a target count for nothing. Where several hold
            one, that with the larger step budget is shown.
        only_run: leave out what has no run in them.

    Raises:
        UsageError: there is no such folder, or one of its files cannot be read.
    """
    for store in stores:
        if not store.folder.is_dir():
            raise UsageError(f"{store.folder} is not a folder; name one that `rnn-bench run` wrote")
    runs, scores = _of_targets(stores, TASK_ACCURACY.kind), _of_targets(stores, EVALUATIONS.kind)
    rows = []
    folders = Path(", ".join(str(store.folder) for store in stores))
    for target in targets().values():
        with making(f"target {target['target_id']}", folders, TASK_ACCURACY.kind, EVALUATIONS.kind):
            run, beside = _cases_of(target, runs)
            row = None if run is None else _row(target, run, beside, _scores_of(run, scores))
        if row is not None:
            rows.append(row)
        elif not only_run:
            rows.append(_row(target))
    return pd.DataFrame(rows, columns=COLUMNS)


def has_targets(store: Store) -> bool:
    """True where a case of the folder names a published result."""
    return _of_targets([store], TASK_ACCURACY.kind) is not None


def counts(table: pd.DataFrame) -> dict[str, int]:
    """How many rows have each verdict."""
    return {verdict: int((table["verdict"] == verdict).sum()) for verdict in VERDICTS}


def settings_that_differ(target: Target, run: pd.DataFrame) -> str:
    """What we did otherwise than the source says, as text; what the source does not say is not compared."""
    ours = run.iloc[0]
    differences = []
    for name, value in _settings(target, ours):
        theirs = target[name]
        if theirs and not _same(theirs, value):
            differences.append(f"{name} {value}, there {theirs}")
    if target["remedy"] and _parts(target["remedy"]) != _parts(ours["remedy"]):
        differences.append(f"remedy {ours['remedy']}, there {target['remedy']}")
    return "; ".join(differences)


def _of_targets(stores: Sequence[Store], kind: str) -> pd.DataFrame | None:
    """The rows of cases that name a target, of all folders; None where there are none."""
    parts = []
    for store in stores:
        if kind in store.kinds():
            frame = store.read(kind)
            named = frame[frame["target_id"].fillna("") != ""]
            if len(named):
                parts.append(named.assign(folder=str(store.folder)))
    return pd.concat(parts, ignore_index=True) if parts else None


def _cases_of(target: Target, runs: pd.DataFrame | None) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """The seeds of the case that repeats the published one, and of the case that it is compared with."""
    if runs is None:
        return None, None
    same = (runs["target_id"] == target["target_id"]) & (runs["task"] == target["task"])
    same &= (runs["variant"] == target["variant"]) & (runs["cell"] == target["cell"])
    # A suite at a smaller scale names the target too, but does not repeat it.
    of_target = runs[same & (runs["task_length"] == int(target["sequence_length"]))]
    if not len(of_target):
        return None, None
    alike = of_target["remedy"].map(_parts) == _parts(target["remedy"])
    if not alike.any():
        return _largest(of_target), None
    return _largest(of_target[alike]), None if alike.all() else _largest(of_target[~alike])


def _scores_of(run: pd.DataFrame, scores: pd.DataFrame | None) -> pd.DataFrame | None:
    if scores is None:
        return None
    same = (scores["case_id"] == run["case_id"].iloc[0]) & (scores["folder"] == run["folder"].iloc[0])
    return scores[same] if same.any() else None


def _largest(runs: pd.DataFrame) -> pd.DataFrame:
    cases = [group for _, group in runs.groupby(["folder", "case_id"])]
    return max(cases, key=lambda case: (case["step_budget"].iloc[0], len(case)))


def _row(
    target: Target,
    run: pd.DataFrame | None = None,
    beside: pd.DataFrame | None = None,
    evaluations: pd.DataFrame | None = None,
) -> dict[str, object]:
    row = {name: target[name] for name in COLUMNS if name in target} | {"published": published(target)}
    judgement = None if run is None else judged(target, run, beside, evaluations)
    if run is None or judgement is None:
        verdict = REFERENCE if target["tier"] == REFERENCE else NOT_RUN
        return row | {"verdict": verdict, "why_differs": "", "remark": ""}
    first = run.iloc[0]
    values = np.asarray(judgement.measured)
    return row | {
        "rule": judgement.rule,
        "verdict": AGREES if judgement.agrees else DIFFERS,
        "ours": _counted(run["verdict"]),
        "ours_median": float(np.median(values)),
        "ours_least": float(values.min()),
        "ours_most": float(values.max()),
        "seeds": len(run),
        "compared_with": ""
        if beside is None
        else f"{beside.iloc[0]['remedy']}: {_counted(beside['verdict'])}",
        "step_budget": int(first["step_budget"]),
        "settings_that_differ": settings_that_differ(target, run),
        **_notes(target, judgement.agrees, first),
        "suite": first["suite"],
        "machine": first["machine"],
    }


def _notes(target: Target, agrees: bool, ours: pd.Series) -> dict[str, str]:
    """What is known of the run that the target's suite makes, told by its step budget and layers; little of any other."""
    budget, layers = int(ours["step_budget"]), target["layers"] or "1"
    if target["shortened"].startswith(f"{budget:,} steps") and int(layers) == int(ours["layers"]):
        return {
            "shortened": target["shortened"],
            "why_differs": "" if agrees else target["why_differs"],
            "remark": target["remark"] if agrees else "",
        }
    not_learnt = target["published_verdict"] == "at_baseline" or target["published_relation"] == "<"
    remark = f"Agrees by not learning in {budget:,} steps." if agrees and not_learnt else ""
    return {"shortened": f"{budget:,} steps", "why_differs": "", "remark": remark}


def published(target: Target) -> str:
    """What the source says, in few words: a relation and a value, or a verdict."""
    if target["published_relation"]:
        return f"{target['published_relation']} {target['published_value']}"
    return target["published_verdict"]


def _settings(target: Target, ours: pd.Series) -> Iterator[tuple[str, object]]:
    for name in ("hidden_size", "layers", "initialization", "optimizer", "learning_rate", "batch_size"):
        yield name, ours[name]
    kind = {"clip_by_norm": "norm", "clip_by_value": "value"}
    clips = [kind[part] for part in sorted(_parts(ours["remedy"])) if part in kind]
    yield "clip", f"{clips[0]} {ours['clip_threshold']:g}" if clips else "none"


def _same(theirs: str, ours: object) -> bool:
    if isinstance(ours, str):
        return theirs == ours
    return not pd.isna(ours) and np.isclose(float(theirs), float(ours), rtol=1e-6)


def _parts(remedy: str) -> frozenset[str]:
    return frozenset(_REMEDIES.get(name, name) for name in combined_names(remedy))


def _counted(verdicts: pd.Series) -> str:
    return ", ".join(f"{verdict} {count}" for verdict, count in verdicts.value_counts().sort_index().items())
