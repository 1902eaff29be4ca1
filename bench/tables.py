"""Derived tables: everything here can be made again from the CSV files of a folder."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from bench import grouping
from bench.atlas import atlas, is_atlas
from bench.ceilings import ceiling_table
from bench.claims import NOT_MEASURED, claims
from bench.data_table import data_shares
from bench.decay_table import NET, decay_summary
from bench.device_table import device_scaling
from bench.effective_length import effective_length
from bench.errors import making
from bench.explosion_table import explosion_remedies
from bench.factorization_table import factorizations
from bench.gpu_targets import gpu_targets, is_asked
from bench.grouping import grouped, without_usual_columns
from bench.peer_table import peers
from bench.predictions import theory_table
from bench.reach_answer import reach_answers
from bench.reach_question import reach_predicts
from bench.real_uses_table import forecast_horizons, real_uses
from bench.remedy_grid import remedy_grid
from bench.roofline import roofline
from bench.store import Store, write_csv, write_text
from bench.target_table import has_targets, target_table
from bench.timing_table import timing_summary
from bench.trained_runs import REMEDY, TASK, VERDICTS, each_run_once
from bench.tuning_budget import tuning_budget

_TASK = [
    *TASK, "task_length", *grouping.NET, *REMEDY, "optimizer", "learning_rate", "batch_size", "step_budget", "dtype",
]  # fmt: skip
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
LEAST_LENGTH, LEAST_SIZE = 10_000, 128
"""Below them what a call costs, or what a product costs beside its arithmetic, hides the law."""


def derive(store: Store, pictures: bool = True) -> dict[str, pd.DataFrame]:
    """Writes every derived table, as CSV and Markdown, and every picture of a result folder; returns the tables.

    Args:
        store: the result folder.
        pictures: False leaves the pictures as they are.

    Raises:
        UsageError: there is no such folder, or one of its CSV files cannot be read.
    """
    from bench import plots

    store.refuse_without_results()
    folder = store.folder / "tables"
    written = plots.draw(store) if pictures else []
    made = dict(tables(store))
    for name, table in made.items():
        written += [folder / f"{name}.csv", folder / f"{name}.md"]
        write_csv(folder / f"{name}.csv", table)
        write_text(folder / f"{name}.md", markdown(table))
    known = [folder / f"{name}{suffix}" for name in TABLES for suffix in (".csv", ".md")]
    if pictures:
        figures = store.folder / "figures"
        known += [figures / f"{name}{suffix}" for name in plots.PICTURES for suffix in plots.SUFFIXES]
    for path in set(known) - set(written):
        path.unlink(missing_ok=True)  # made from a CSV file that is there no more
    return made


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


def accuracy_summary(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Each task, cell and remedy: verdicts and scores over seeds, reach before and after training."""

    def summary(group: pd.DataFrame) -> pd.Series:
        counts = {verdict: int((group["verdict"] == verdict).sum()) for verdict in VERDICTS}
        return pd.Series(
            {
                "seeds": len(group),
                **counts,
                "metric": group["metric"].iloc[0],
                "accuracy": group["accuracy"].median(),
                "accuracy_least": group["accuracy"].min(),
                "accuracy_most": group["accuracy"].max(),
                "loss": group["loss"].median(),
                "baseline_loss": group["baseline_loss"].iloc[0],
                "steps_to_solve": _median(group["steps_to_solve"]),
                "first_nonfinite_step": _median(group["first_nonfinite_step"]),
                "reach_before_steps": group["reach_before_steps"].median(),
                "reach_after_steps": group["reach_after_steps"].median(),
            }
        )

    return grouped(each_run_once(accuracy), _TASK, summary)


def chain_cost(timings: pd.DataFrame) -> pd.DataFrame:
    """Time of a chain over the time of the bare product loop, by pairs of the same round."""
    sizes = ["input_size", "hidden_size", "state_size", "sequence_length", "lag_count"]
    keys = [*(name for name in grouping.NET if name not in sizes), *sizes, "method", "dtype"]
    chains = timings[timings["operation"] == "jacobian_chain"]
    of = dict(list(chains.groupby("implementation")))
    if not {"rnn_jax", "bare_products"} <= of.keys():
        return pd.DataFrame(columns=keys)
    wide = of["rnn_jax"]
    none = of["bare_products"].iloc[:0]
    for name, suffix in (("bare_products", "_bare"), ("own_products", "_own")):
        times = of.get(name, none)[["case_id", "process", "round", "run_s"]]
        wide = wide.merge(times, on=["case_id", "process", "round"], how="left", suffixes=("", suffix))
    # A Jacobian that is dense throughout has no product of its own but the bare one.
    wide["run_s_own"] = wide["run_s_own"].fillna(wide["run_s_bare"])
    wide["ratio"] = wide["run_s"] / wide["run_s_bare"]
    wide["ratio_own"] = wide["run_s"] / wide["run_s_own"]

    def summary(group: pd.DataFrame) -> pd.Series:
        return pd.Series(
            {
                "rounds": len(group),
                "processes": group["process"].nunique(),
                "chain_s": group["run_s"].median(),
                "bare_products_s": group["run_s_bare"].median(),
                "ratio": group["ratio"].median(),
                "ratio_least": group["ratio"].min(),
                "ratio_most": group["ratio"].max(),
                "ratio_to_own_products": group["ratio_own"].median(),
                "peak_megabytes": group["peak_bytes"].max() / 1e6,
            }
        )

    return grouped(wide, keys, summary)


def chain_scaling(timings: pd.DataFrame) -> pd.DataFrame:
    """How the time of a chain grows with T and with n: exponents of a power law, least squares of logs."""
    columns = ["cell", "varied", "fixed", "from", "to", "points", "chain_exponent", "bare_products_exponent"]
    cost = chain_cost(timings)
    if cost.empty:
        return pd.DataFrame(columns=columns)
    rows = []
    for varied, fixed, least in (
        ("sequence_length", "state_size", LEAST_LENGTH),
        ("state_size", "sequence_length", LEAST_SIZE),
    ):
        large = cost[(cost[varied] >= least) & (cost["lag_count"] < cost["sequence_length"])]
        for (cell, value, dtype), group in large.groupby(["cell", fixed, "dtype"]):
            if group[varied].nunique() < 2:
                continue
            logs = np.log(group[varied].astype(float))
            chain, bare = (
                np.polyfit(logs, np.log(group[name]), 1)[0] for name in ("chain_s", "bare_products_s")
            )
            settings = f"{fixed}={value}, {dtype}"
            ends = group[varied].min(), group[varied].max()
            rows.append([cell, varied, settings, *ends, len(group), chain, bare])
    return pd.DataFrame(rows, columns=columns)


def exactness_summary(exactness: pd.DataFrame) -> pd.DataFrame:
    """Largest relative distance of the chain from jacrev of the unrolled net, by cell and lag."""
    keys = [*grouping.NET, "dtype", "lag"]

    def summary(group: pd.DataFrame) -> pd.Series:
        return pd.Series(
            {
                "seeds": len(group),
                "largest_relative_error": group["relative_error"].fillna(float("inf")).max(),
            }
        )

    return grouped(exactness, keys, summary)


def precision_summary(precision: pd.DataFrame) -> pd.DataFrame:
    """Largest deviation of a chain from float64 on the CPU, by arithmetic and lag."""
    keys = [*NET, "matmul_precision", "states", "method", "lag"]

    def summary(group: pd.DataFrame) -> pd.Series:
        return pd.Series(
            {
                "seeds": len(group),
                "log_norm_error_nats": group["log_norm_error_nats"].abs().max(),
                "relative_product_error": group["relative_product_error"].max(),
                "changes_result": bool(group["changes_result"].any()),
            }
        )

    return grouped(precision, keys, summary)


def markdown(table: pd.DataFrame) -> str:
    """A GitHub table, numbers in four significant digits."""
    header = "| " + " | ".join(str(name) for name in table.columns) + " |"
    rule = "|" + "|".join("---" for _ in table.columns) + "|"
    rows = ["| " + " | ".join(_cell(value) for value in row) + " |" for row in table.itertuples(index=False)]
    return "\n".join([header, rule, *rows]) + "\n"


def _median(values: pd.Series) -> float:
    known = values.dropna()
    return float(known.median()) if len(known) else float("nan")


def _cell(value: object) -> str:
    if value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "\\|")
