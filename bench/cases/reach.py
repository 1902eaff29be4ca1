"""Measures how far the gradient of one net reaches on given sequences: rows for two result files."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import rnn_jax as rj
from rnn_jax.batching import over_examples
from rnn_jax.coordinates import real_dtype, real_size
from rnn_jax.jacobian import scaled
from rnn_jax.jacobian.layout import layout_of
from rnn_jax.jacobian.structure import factor, prepared
from rnn_jax.lags import geometric_lags
from rnn_jax.step import classes_of, is_pytree_of_arrays, materialized

_BOUND_STEPS = 32

Loss = Callable[[Any, Any, Any], jax.Array]
"""`loss(arguments, step, states) -> scalar`, hashable, of one sequence."""


@dataclass(frozen=True)
class Reading:
    """What a probe of one net gave.

    Attributes:
        norm_rows: for gradient_norms.csv, without the common columns.
        decay_row: for decay.csv, likewise.
        exponents: the largest Lyapunov exponents on these sequences in nats a step, mean over sequences.
        exponent_rows: for lyapunov.csv, likewise; standard errors are those of the means.
    """

    norm_rows: list[dict[str, Any]]
    decay_row: dict[str, Any]
    exponents: tuple[float, ...] = ()
    exponent_rows: tuple[dict[str, Any], ...] = ()


def probe(
    step: Any,
    inputs: jax.Array,
    lag_count: int,
    loss: Loss,
    loss_arguments: Any,
    *,
    weights: str,
    recorded_sequences: int,
    exponents: int = 0,
    state: Any = None,
) -> Reading:
    """Measures one net.

    Args:
        step: a recurrent cell, or another step that is a pytree of its weights. Without an `output` it has no
            output norms, without weights no shares of their gradient.
        inputs: shape (sequences, time, input_size).
        lag_count: how many lags, lag 0 not counted.
        loss: of one sequence's states; equal losses share a compiled program.
        loss_arguments: what the loss needs, arrays with a leading axis of sequences.
        weights: "initial" or "trained", as it stands in the rows.
        recorded_sequences: for how many of the sequences norms are written; all count for the decay.
        exponents: how many of the largest Lyapunov exponents to measure; fewer where the state is smaller.
        state: the initial state; the cell's own if None.
    """
    lags = geometric_lags(inputs.shape[1], lag_count)
    measured = _measure(
        tuple(lags.tolist()), loss, exponents, classes_of(step), step, state, inputs, loss_arguments
    )
    chains, gradients, shares, bound, largest = jax.tree.map(np.asarray, measured)
    decay = rj.decay(chains)
    norms = {
        "log10_frobenius_norm": chains.frobenius_norm,
        "log10_spectral_norm": chains.spectral_norm,
        "log10_output_norm": chains.output_norm,
        "log10_loss_gradient_norm": gradients[0],
        "log10_input_gradient_norm": gradients[1],
    }
    logs = {name: number.log10_float64() for name, number in norms.items() if number is not None}
    rows = [
        {"weights": weights, "sequence": sequence, "lag": int(lag), "method": chains.method}
        | {name: float(values[sequence, place]) for name, values in logs.items() if place < values.shape[1]}
        for sequence in range(min(recorded_sequences, inputs.shape[0]))
        for place, lag in enumerate(lags)
    ]
    # The last lag is all of the sequence, where no input is left; its column stays empty.
    share = np.median(shares, axis=0)
    decay_row = {
        "weights": weights,
        "sequence_count": decay.sequence_count,
        "rate_nats_per_step": decay.rate,
        "rate_stderr_nats_per_step": decay.rate_stderr,
        "step_norm_bound_nats_per_step": float(np.mean(bound)),
        "reach_steps": decay.reach,
        "reach_censored": decay.reach_censored,
        "explosion_lag_steps": decay.explosion_lag,
        "regime": decay.regime,
        # No weight gradient at all, as in a rectified net that is off: then there is no half of it.
        "lag_of_half_update_steps": float(np.argmax(share <= 0.5))
        if np.isfinite(share).all()
        else float("nan"),
        "share_beyond_half_length": float(share[inputs.shape[1] // 2]),
    }
    mean, exponent_rows = _exponent_rows(largest)
    return Reading(rows, decay_row, mean, exponent_rows)


def _exponent_rows(largest: tuple[Any, ...]) -> tuple[tuple[float, ...], tuple[dict[str, Any], ...]]:
    """The means over sequences, and a row for each."""
    exponents, errors, intervals, steps = largest
    mean = tuple(np.mean(exponents, axis=0).tolist())
    stderr = np.sqrt(np.sum(np.square(errors), axis=0)) / len(errors)
    rows = tuple(
        {
            "index": index,
            "exponent_nats_per_step": value,
            "stderr_nats_per_step": error,
            "steps": int(steps[0]),
            "qr_interval_steps": int(np.max(intervals)),
        }
        for index, (value, error) in enumerate(zip(mean, stderr.tolist(), strict=True), start=1)
    )
    return mean, rows


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _measure(
    lags: tuple[int, ...],
    loss: Loss,
    exponents: int,
    classes: tuple[type, ...],
    step: Any,
    state: Any,
    inputs: jax.Array,
    loss_arguments: Any,
):
    del classes  # only tells the programs of cells apart
    state = step.initial_state() if state is None else state
    length = inputs.shape[1]
    at_states = length - np.array(lags)
    at_inputs = at_states[at_states > 0] - 1
    has_weights = is_pytree_of_arrays(step) and real_size(step) > 0

    def one_sequence(arguments: tuple[jax.Array, Any]):
        xs, own_arguments = arguments
        of_states = partial(loss, own_arguments, step)
        chain = rj.jacobian_chain(
            step,
            state,
            xs,
            np.array(lags),
            norms=("frobenius", "spectral"),
            output=getattr(step, "output", None),
        )
        gradients = rj.loss_gradients(of_states, step, state, xs)
        assert gradients.input is not None
        norms = (
            jax.tree.map(lambda leaf: leaf[at_states], scaled.row_norms(gradients.state)),
            jax.tree.map(lambda leaf: leaf[at_inputs], scaled.row_norms(gradients.input)),
        )
        shares = jnp.full(length + 1, jnp.nan)
        if has_weights:
            shares = rj.weight_gradient_shares(of_states, step, state, xs, gradients=gradients)
        bound = _mean_log_step_norm(step, state, xs)
        return chain, norms, shares, bound, _exponents(step, state, xs, exponents)

    return over_examples(one_sequence, (inputs, loss_arguments))


def _exponents(step: Any, state: Any, inputs: jax.Array, count: int) -> tuple[jax.Array, ...]:
    """The largest Lyapunov exponents along one sequence, over its last nine tenths.

    With their standard errors, the steps between two factorizations, and over how many steps it was.
    """
    length = inputs.shape[0]
    if not count or length < 3:
        nothing = jnp.full(count, jnp.nan)
        return nothing, nothing, jnp.zeros((), int), jnp.zeros((), int)
    spectrum = rj.lyapunov_spectrum(
        step, state, inputs, count=min(count, real_size(state)), batches=min(20, length - length // 10)
    )
    steps = jnp.full((), spectrum.steps)
    return spectrum.exponents, spectrum.standard_errors, spectrum.qr_interval, steps


def _mean_log_step_norm(step: Any, state: Any, inputs: jax.Array) -> jax.Array:
    """Mean of log of the largest singular value of J_t over some steps spread over the last 9/10."""
    length = inputs.shape[0]
    times = np.unique(np.linspace(length // 10, length - 1, _BOUND_STEPS).astype(int))
    step = materialized(step)
    states = rj.trajectory(step, state, inputs)
    before = jax.tree.map(lambda leaf: leaf[times], states)
    layout = layout_of(step, state)

    def log_norm(at: tuple[Any, jax.Array]) -> jax.Array:
        with jax.default_matmul_precision("highest"):
            jacobian = factor(step, prepared(step, *at)).after(layout.identity(real_dtype(state)))
        return layout.largest(scaled.from_array(jacobian)).log()

    return jnp.mean(jax.lax.map(log_norm, (before, inputs[times])))
