"""Which derived tables the CSV files of a folder allow."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Callable, Iterator

import pandas as pd

from bench.errors import making
from bench.statistics.grouping import without_usual_columns
from bench.store import Store
from bench.tables.accuracy import accuracy_summary
from bench.tables.atlas import atlas, is_atlas
from bench.tables.ceilings import ceiling_table
from bench.tables.chains import chain_cost, chain_scaling
from bench.tables.claims import NOT_MEASURED, claims
from bench.tables.data_generation import data_shares
from bench.tables.decay import decay_summary
from bench.tables.devices import device_scaling
from bench.tables.effective_length import effective_length
from bench.tables.exactness import exactness_summary, precision_summary
from bench.tables.explosions import explosion_remedies
from bench.tables.factorizations import factorizations
from bench.tables.gpu_targets import gpu_targets, is_asked
from bench.tables.peers import peers
from bench.tables.predictions import theory_table
from bench.tables.reach_answer import reach_answers
from bench.tables.reach_question import reach_predicts
from bench.tables.real_uses import forecast_horizons, real_uses
from bench.tables.remedy_grid import remedy_grid
from bench.tables.roofline import roofline
from bench.tables.target_table import has_targets, target_table
from bench.tables.timings import timing_summary
from bench.tables.tuning_budget import tuning_budget

TABLES = (
    "atlas",
    "decay_summary",
    "accuracy_summary",
    "effective_length",
    "remedy_grid",
    "tuning_budget",
    "explosion_remedies",
    "reach_predicts",
    "reach_answers",
    "timing_summary",
    "chain_cost",
    "chain_scaling",
    "exactness_summary",
    "theory",
    "peers",
    "data_shares",
    "device_scaling",
    "factorizations",
    "ceilings",
    "roofline",
    "precision_summary",
    "real_uses",
    "forecast_horizons",
    "gpu_targets",
    "targets",
    "claims",
)


def tables(store: Store) -> Iterator[tuple[str, pd.DataFrame]]:
    """The derived tables that the folder's CSV files allow, by name."""
    return ((name, without_usual_columns(table)) for name, table in _tables(store))


def _tables(store: Store) -> Iterator[tuple[str, pd.DataFrame]]:
    makers: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
        "accuracy_summary": ("task_accuracy", accuracy_summary),
        "effective_length": ("task_accuracy", effective_length),
        "remedy_grid": ("task_accuracy", remedy_grid),
        "timing_summary": ("timings", timing_summary),
        "chain_cost": ("timings", chain_cost),
        "chain_scaling": ("timings", chain_scaling),
        "exactness_summary": ("exactness", exactness_summary),
        "theory": ("lyapunov", theory_table),
        "data_shares": ("data_generation", data_shares),
        "device_scaling": ("device_timings", device_scaling),
        "ceilings": ("ceilings", ceiling_table),
        "precision_summary": ("precision", precision_summary),
        "forecast_horizons": ("held_out_scores", forecast_horizons),
    }
    if "decay" in store.kinds():
        with making("table decay_summary", store.folder, "decay", "task_accuracy"):
            trained = store.read("task_accuracy") if "task_accuracy" in store.kinds() else None
            table = decay_summary(store.read("decay"), trained)
        if len(table):
            yield "decay_summary", table
    if {"decay", "gradient_norms", "lyapunov"} <= set(store.kinds()):
        with making("table atlas", store.folder, "decay", "gradient_norms", "lyapunov", "timings"):
            decay, lyapunov = store.read("decay"), store.read("lyapunov")
            table = None
            if is_atlas(decay, lyapunov):
                timings = store.read("timings") if "timings" in store.kinds() else None
                table = atlas(decay, store.read("gradient_norms"), lyapunov, timings)
        if table is not None:
            yield "atlas", table
    for name, (kind, make) in makers.items():
        if kind in store.kinds():
            with making(f"table {name}", store.folder, kind):
                table = make(store.read(kind))
            if len(table):
                yield name, table
    if "task_accuracy" in store.kinds():
        with making("table reach_predicts", store.folder, "task_accuracy"):
            predicts = reach_predicts(store.read("task_accuracy"))
            answers = reach_answers(predicts) if len(predicts) else predicts
        if len(predicts):
            yield "reach_predicts", predicts
            yield "reach_answers", answers
    if "agreement" in store.kinds():
        with making("table peers", store.folder, "agreement", "timings"):
            timings = store.read("timings") if "timings" in store.kinds() else None
            table = peers(store.read("agreement"), timings)
        yield "peers", table
    of_two: dict[str, tuple[str, str, Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]]] = {
        "roofline": ("timings", "ceilings", roofline),
        "factorizations": ("lyapunov", "timings", factorizations),
        "tuning_budget": ("task_accuracy", "tuning", tuning_budget),
        "explosion_remedies": ("task_accuracy", "explosions", explosion_remedies),
    }
    for name, (one, other, make_of_two) in of_two.items():
        if {one, other} <= set(store.kinds()):
            with making(f"table {name}", store.folder, one, other):
                table = make_of_two(store.read(one), store.read(other))
            if len(table):
                yield name, table
    if {"task_accuracy", "held_out_scores"} <= set(store.kinds()):
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
