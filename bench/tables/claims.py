"""The textbook's claims about vanishing and exploding gradients, each held against the results."""
# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from bench.errors import making
from bench.schema.net_names import cell_name
from bench.statistics.grouping import NET
from bench.store import Store
from bench.tables.rerun import command_of, of_one_kind
from bench.tables.trained_runs import TASK

_PLAIN = "elman_tanh"
_GATED = ("lstm", "gru")
NOT_MEASURED = "not measured here"
_OF_ALL = "rnn-bench run cpu"
"""Measures what every claim is held against."""


@dataclass(frozen=True)
class _Finding:
    """Whether a claim holds, and the number that says so."""

    verdict: str
    number: str


def claims(store: Store) -> pd.DataFrame:
    """One row a claim: does it hold, the number, the picture and the command that shows it.

    Of a claim that was not measured here the command is that of the suite that measures it.
    """
    run = _run(store)
    rows = [
        {
            "claim": text,
            "verdict": finding.verdict,
            "number": finding.number,
            "figure": f"figures/{figure}.png" if figure and finding.verdict != NOT_MEASURED else "",
            "command": of_one_kind(_OF_ALL if finding.verdict == NOT_MEASURED else run, kind),
        }
        for text, kind, figure, check in _CLAIMS
        for finding in [_checked(text, check, store)]
    ]
    return pd.DataFrame(rows)


def _run(store: Store) -> str:
    """The command that measured what the folder holds."""
    for kind in store.kinds():
        frame = store.read(kind)
        if len(frame):
            return command_of(str(frame["suite"].iloc[0]))
    return _OF_ALL


def _checked(text: str, check: Callable[[Store], _Finding | None], store: Store) -> _Finding:
    with making(f"the claim {text!r}", store.folder, *store.kinds()):
        return check(store) or _Finding(NOT_MEASURED, "")


def _read(store: Store, kind: str) -> pd.DataFrame | None:
    return store.read(kind) if kind in store.kinds() else None


def _initial(store: Store) -> pd.DataFrame | None:
    decay = _read(store, "decay")
    if decay is None:
        return None
    return decay[(decay["weights"] == "initial") & (decay["input_kind"] == "white_noise")]


def _example(nets: pd.DataFrame, place: int) -> pd.DataFrame:
    """The seeds of the net at this place in the order of gains, a plain RNN where there is one."""
    plain = nets[nets["cell"] == _PLAIN]
    chosen = (plain if len(plain) else nets).sort_values("gain", kind="stable").iloc[place]["case_id"]
    return nets[nets["case_id"] == chosen]


def _named(seeds: pd.DataFrame) -> str:
    """One net, and of how many seeds what follows is the median."""
    of = f", median of {len(seeds)} seeds" if len(seeds) > 1 else ""
    return f"{cell_name(seeds.iloc[0])}, gain {seeds['gain'].iloc[0]:g}{of}"


def _farthest(norms: pd.DataFrame, seeds: pd.DataFrame, column: str) -> float:
    """The largest of a net's norms at its largest lag, the median over its seeds."""
    of_net = norms[(norms["case_id"] == seeds["case_id"].iloc[0]) & norms["seed"].isin(seeds["seed"])]
    return of_net[of_net["lag"] == of_net["lag"].max()].groupby("seed")[column].max().median()


def _product(store: Store) -> _Finding | None:
    exactness = _read(store, "exactness")
    if exactness is None or exactness.empty:
        return None
    worst = exactness["relative_error"].fillna(float("inf")).max()
    single = exactness["dtype"].iloc[0] == "float32"
    return _Finding(
        _verdict(worst < (1e-4 if single else 1e-10)),
        f"distance from jacrev of the unrolled net at most {worst:.1e} relative, "
        f"{exactness['cell'].nunique()} cells, lags to {exactness['lag'].max()}, {exactness['dtype'].iloc[0]}",
    )


def _bracketed(store: Store) -> _Finding | None:
    initial = _initial(store)
    if initial is None:
        return None
    contracting = initial[initial["step_norm_bound_nats_per_step"] < 0]
    if contracting.empty:
        return None
    slack = 2 * contracting["rate_stderr_nats_per_step"].fillna(0)
    below = contracting["rate_nats_per_step"] <= contracting["step_norm_bound_nats_per_step"] + slack
    example = _example(contracting, 0)
    return _Finding(
        _verdict(below.all(), below.any()),
        f"{int(below.sum())} of {len(below)} contracting nets; {_named(example)}: rate {_rate(example)} nats a step, "
        f"bound {example['step_norm_bound_nats_per_step'].median():.3f}",
    )


def _rate(seeds: pd.DataFrame) -> str:
    """The median over seeds and from least to most; of one seed the rate and its standard error, within the net."""
    rates = seeds["rate_nats_per_step"]
    if len(rates) == 1:
        return f"{rates.iloc[0]:.3f} ± {seeds['rate_stderr_nats_per_step'].iloc[0]:.2g}"
    return f"{rates.median():.3f} ({rates.min():.3f} to {rates.max():.3f})"


def _negligible(store: Store) -> _Finding | None:
    initial = _initial(store)
    norms = _read(store, "gradient_norms")
    if initial is None or norms is None:
        return None
    vanishing = initial[initial["regime"] == "vanishing"]
    if vanishing.empty:
        return None
    small = vanishing["share_beyond_half_length"].abs() < 1e-2
    example = _example(vanishing, 0)
    farthest = _farthest(norms, example, "log10_loss_gradient_norm")
    return _Finding(
        _verdict(small.all(), small.any()),
        f"{int(small.sum())} of {len(small)} vanishing nets have under 1% of dL/dW from more than T/2 back; "
        f"{_named(example)}: half of the update comes from the last {example['lag_of_half_update_steps'].median():.0f} "
        f"of {example['sequence_length'].iloc[0]} steps, dL/dh_0 is 1e{farthest:.0f}",
    )


def _growing(store: Store) -> _Finding | None:
    initial = _initial(store)
    norms = _read(store, "gradient_norms")
    if initial is None or norms is None:
        return None
    exploding = initial[initial["regime"] == "exploding"]
    if exploding.empty:
        return None
    positive = exploding["rate_nats_per_step"] > 0
    example = _example(exploding, -1)
    farthest = _farthest(norms, example, "log10_spectral_norm")
    return _Finding(
        _verdict(positive.all(), positive.any()),
        f"{_named(example)}: {example['rate_nats_per_step'].median():.3f} nats a step, "
        f"norm 1e{farthest:.0f} at lag {example['sequence_length'].iloc[0]}",
    )


def _dated_nan(store: Store) -> _Finding | None:
    broken = _unclipped_expanding(store)
    if broken is None or broken.empty:
        return None
    dated = broken[broken["first_nonfinite_step"].notna()]
    if dated.empty:
        return _Finding("does not hold", f"0 of {len(broken)} seeds became NaN without clipping")
    ratio = (dated["largest_gradient_norm"] / dated["median_gradient_norm"]).median()
    first = dated.sort_values(["first_nonfinite_step", "first_nonfinite_quantity"]).head(6)
    steps = ", ".join(
        f"{step} ({quantity})"
        for step, quantity in zip(
            first["first_nonfinite_step"], first["first_nonfinite_quantity"], strict=True
        )
    )
    return _Finding(
        _verdict(len(dated) == len(broken), True),
        f"{len(dated)} of {len(broken)} seeds not finite, at training steps {steps}; "
        f"largest gradient norm {ratio:.1e} x the median before",
    )


def _plain_fails(store: Store) -> _Finding | None:
    accuracy = _long_range(store)
    if accuracy is None:
        return None
    plain = accuracy[accuracy["cell"] == _PLAIN]
    if plain.empty:
        return None
    failed = plain["verdict"] != "solved"
    return _Finding(
        _verdict(failed.all(), failed.any()),
        f"{_PLAIN} fails in {int(failed.sum())} of {len(failed)} runs of length 100 or more: {_listed(plain['verdict'])}",
    )


def _clipping_mends(store: Store) -> _Finding | None:
    accuracy = _read(store, "task_accuracy")
    unclipped = _unclipped_expanding(store)
    if accuracy is None or unclipped is None:
        return None
    broken = unclipped[unclipped["verdict"] == "diverged"]
    keys = [*TASK, "task_length", *NET, "optimizer", "learning_rate"]
    clipped = accuracy[accuracy["remedy"].str.startswith("clip")].merge(
        broken[keys].drop_duplicates(), on=keys
    )
    if clipped.empty:
        return None
    finite = clipped["verdict"] != "diverged"
    each = "; ".join(
        f"{remedy} at gain {gain:g}, T = {length}: {int((part['verdict'] == 'diverged').sum())} of {len(part)}"
        for (remedy, gain, length), part in clipped.groupby(["remedy", "gain", "task_length"])
    )
    return _Finding(
        _verdict(finite.all(), finite.any()),
        f"diverged without clipping {len(broken)} of {len(unclipped)} seeds; with {each}",
    )


def _gating_mends(store: Store) -> _Finding | None:
    accuracy = _long_range(store)
    if accuracy is None:
        return None
    gated = accuracy[accuracy["cell"].isin(_GATED)]
    plain = accuracy[accuracy["cell"] == _PLAIN]
    if gated.empty or plain.empty:
        return None
    solved = gated["verdict"] == "solved"
    plain_solved = int((plain["verdict"] == "solved").sum())
    more_than_plain = solved.mean() > plain_solved / len(plain)
    by_cell = "; ".join(
        f"{cell} {int((part['verdict'] == 'solved').sum())} of {len(part)}"
        for cell, part in gated.groupby("cell")
    )
    return _Finding(
        _verdict(solved.mean() > 0.5 and more_than_plain, solved.any() and more_than_plain),
        f"solved at length 100 or more: {by_cell}; {_PLAIN} {plain_solved} of {len(plain)}",
    )


def _long_range(store: Store) -> pd.DataFrame | None:
    """Runs of length 100 and more with clipping, or without where nothing expands."""
    accuracy = _read(store, "task_accuracy")
    if accuracy is None:
        return None
    return accuracy[(accuracy["task_length"] >= 100) & (accuracy["optimizer"] != "sgd")]


def _unclipped_expanding(store: Store) -> pd.DataFrame | None:
    """Unclipped runs whose net expands at the start."""
    accuracy = _read(store, "task_accuracy")
    if accuracy is None:
        return None
    return accuracy[
        (accuracy["remedy"] == "none") & (accuracy["optimizer"] == "sgd") & (accuracy["gain"] > 1)
    ]


def _verdict(holds: bool, in_part: bool = False) -> str:
    if holds:
        return "holds"
    return "in part" if in_part else "does not hold"


def _listed(verdicts: pd.Series) -> str:
    return ", ".join(f"{name} {count}" for name, count in verdicts.value_counts().sort_index().items())


_CLAIMS: tuple[tuple[str, str, str, Callable[[Store], _Finding | None]], ...] = (
    ("The chain dh_T/dh_t is the product of the step Jacobians", "exactness", "", _product),
    (
        "Where they contract, its norm decays, at a rate under the bound that the largest singular "
        "values of single steps give",
        "gradient_norms",
        "decay",
        _bracketed,
    ),
    (
        "Gradients of early steps, and so their share of the weight update, become negligible",
        "gradient_norms",
        "decay",
        _negligible,
    ),
    ("Where they expand, norms grow, at a positive rate", "gradient_norms", "decay", _growing),
    (
        "Updates then turn erratic and end in NaN, at a dated step",
        "task_accuracy",
        "training_loss",
        _dated_nan,
    ),
    ("The plain RNN fails the long-range task", "task_accuracy", "accuracy", _plain_fails),
    ("Clipping mends the explosion", "task_accuracy", "training_loss", _clipping_mends),
    ("LSTM and GRU mostly mend the vanishing", "task_accuracy", "accuracy", _gating_mends),
)
