"""Which derived tables the CSV files of a folder allow."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import pandas as pd

from bench.errors import making
from bench.statistics.grouping import without_usual_columns
from bench.store import Store
from bench.tables.accuracy_summary import accuracy_summary
from bench.tables.atlas import atlas, is_atlas
from bench.tables.ceilings import ceiling_table
from bench.tables.chain_cost import chain_cost, chain_scaling
from bench.tables.claims import NOT_MEASURED, claims
from bench.tables.data_shares import data_shares
from bench.tables.decay_summary import decay_summary
from bench.tables.device_scaling import device_scaling
from bench.tables.effective_length import effective_length
from bench.tables.exactness_summary import exactness_summary
from bench.tables.explosion_remedies import explosion_remedies
from bench.tables.factorizations import factorizations
from bench.tables.gpu_targets import gpu_targets, is_asked
from bench.tables.peers import peers
from bench.tables.peers_summary import peers_summary
from bench.tables.precision_summary import precision_summary
from bench.tables.reach_answer import reach_answers
from bench.tables.reach_question import reach_predicts
from bench.tables.real_uses import forecast_horizons, real_uses
from bench.tables.remedy_grid import remedy_grid
from bench.tables.roofline import roofline
from bench.tables.target_table import has_targets, target_table
from bench.tables.theory import theory_table
from bench.tables.timing_summary import timing_summary
from bench.tables.tuning_budget import tuning_budget


@dataclass(frozen=True)
class _Made:
    """Tables that are made at once.

    Attributes:
        names: of the tables, in the order in which `make` gives them.
        make: takes the result files in the order of `of` and `also`.
        of: kinds of result file without which there are none.
        also: kinds that are used where they are there, else None is given.
    """

    names: tuple[str, ...]
    make: Callable[..., pd.DataFrame | tuple[pd.DataFrame, ...]]
    of: tuple[str, ...]
    also: tuple[str, ...] = ()


def _reach(accuracy: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    predicts = reach_predicts(accuracy)
    return predicts, reach_answers(predicts) if len(predicts) else predicts


def _atlas(
    decay: pd.DataFrame, norms: pd.DataFrame, lyapunov: pd.DataFrame, timings: pd.DataFrame | None
) -> pd.DataFrame:
    return atlas(decay, norms, lyapunov, timings) if is_atlas(decay, lyapunov) else pd.DataFrame()


_OF_FILES = (
    _Made(("atlas",), _atlas, ("decay", "gradient_norms", "lyapunov"), also=("timings",)),
    _Made(("decay_summary",), decay_summary, ("decay",), also=("task_accuracy",)),
    _Made(("accuracy_summary",), accuracy_summary, ("task_accuracy",)),
    _Made(("effective_length",), effective_length, ("task_accuracy",)),
    _Made(("remedy_grid",), remedy_grid, ("task_accuracy",)),
    _Made(("tuning_budget",), tuning_budget, ("task_accuracy", "tuning")),
    _Made(("explosion_remedies",), explosion_remedies, ("task_accuracy", "explosions")),
    _Made(("reach_predicts", "reach_answers"), _reach, ("task_accuracy",)),
    _Made(("timing_summary",), timing_summary, ("timings",)),
    _Made(("chain_cost",), chain_cost, ("timings",)),
    _Made(("chain_scaling",), chain_scaling, ("timings",)),
    _Made(("exactness_summary",), exactness_summary, ("exactness",)),
    _Made(("theory",), theory_table, ("lyapunov",)),
    _Made(("peers",), peers, ("agreement",), also=("timings",)),
    _Made(("peers_summary",), peers_summary, ("agreement",), also=("timings",)),
    _Made(("data_shares",), data_shares, ("data_generation",)),
    _Made(("device_scaling",), device_scaling, ("device_timings",)),
    _Made(("factorizations",), factorizations, ("lyapunov", "timings")),
    _Made(("ceilings",), ceiling_table, ("ceilings",)),
    _Made(("roofline",), roofline, ("timings", "ceilings")),
    _Made(("precision_summary",), precision_summary, ("precision",)),
    _Made(("forecast_horizons",), forecast_horizons, ("held_out_scores",)),
)
TABLES = (
    *chain.from_iterable(made.names for made in _OF_FILES),
    "real_uses",
    "gpu_targets",
    "targets",
    "claims",
)
"""Every table that there may be."""


def tables(store: Store) -> Iterator[tuple[str, pd.DataFrame]]:
    """The derived tables that the folder's CSV files allow, by name."""
    return ((name, without_usual_columns(table)) for name, table in _tables(store.each_seed_once()))


def _tables(store: Store) -> Iterator[tuple[str, pd.DataFrame]]:
    there = set(store.kinds())
    for made in _OF_FILES:
        if not there.issuperset(made.of):
            continue
        with making(f"table {made.names[0]}", store.folder, *made.of, *made.also):
            files = [store.read(kind) for kind in made.of]
            files += [store.read(kind) if kind in there else None for kind in made.also]
            given = made.make(*files)
        given = given if isinstance(given, tuple) else (given,)
        for name, table in zip(made.names, given, strict=True):
            if len(table):
                yield name, table
    if there.issuperset(("task_accuracy", "held_out_scores")):
        with making("table real_uses", store.folder, "task_accuracy", "held_out_scores", "dependence"):
            table = real_uses(store)
        yield "real_uses", table
    if is_asked(store):
        with making("table gpu_targets", store.folder, *store.kinds()):
            table = gpu_targets(store)
        yield "gpu_targets", table
    if has_targets(store):
        table = target_table([store], only_run=True)
        if len(table):
            yield "targets", table
    held = claims(store)
    if (held["verdict"] != NOT_MEASURED).any():
        yield "claims", held
