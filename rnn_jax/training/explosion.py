"""The training step at which a run went non-finite, seen again: its batch, and how far gradients grew."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from rnn_jax.jacobian.chain import JacobianChain, jacobian_chain
from rnn_jax.lags import geometric_lags
from rnn_jax.shown import brief
from rnn_jax.step import call_compiled, concrete_integers
from rnn_jax.tasks.task import Batch
from rnn_jax.training.model import Model
from rnn_jax.training.result import TrainingResult
from rnn_jax.training.run import training_batch
from rnn_jax.whole_numbers import is_whole

_CURVE_STEPS = 20


@brief
@dataclass(frozen=True)
class Explosion:
    """What happened to one seed. Sequences stand in the order of `sequences`, the worst first.

    Attributes:
        seed: which of the ensemble.
        step: the training step that broke, counted from 1.
        quantity: what was not finite first: "loss", "gradient", "update" or "optimizer_state".
        steps: the last training steps up to `step`, at most 20, shape (steps,).
        loss: the training loss at each of them, shape (steps,).
        gradient_norm: of the whole gradient before clipping, shape (steps,).
        model: the weights with which the step began, the last finite ones.
        batch: the very examples of the step, in the order in which they were drawn.
        sequences: places in the batch, shape (sequences,), by the largest spectral norm at any lag;
            a norm that is not a number comes first of all.
        chain: norms of dh_T/dh_{T-lag} with `model` on those sequences; leads with their axis.
    """

    seed: int
    step: int
    quantity: str
    steps: np.ndarray
    loss: np.ndarray
    gradient_norm: np.ndarray
    model: Model
    batch: Batch
    sequences: np.ndarray
    chain: JacobianChain


def explosion(
    result: TrainingResult,
    seed: int = 0,
    *,
    sequences: int | None = None,
    lags: Sequence[int] | np.ndarray | None = None,
) -> Explosion:
    """Draws again the batch of the step that went non-finite and measures its chains.

    Args:
        result: what `train` returned.
        seed: one that went non-finite.
        sequences: how many of the batch's sequences are kept, the worst first; all if None. Norms
            are formed for all of them.
        lags: T - t, in 0..T; 0 and 40 spaced geometrically if None.

    Returns:
        an `Explosion`.

    Raises:
        ValueError: there is no such seed, it stayed finite, or a count or lag is not allowed.
    """
    if not isinstance(result, TrainingResult):
        raise ValueError(f"result must be what rnn_jax.train returned, got {result!r}")
    seeds = len(result.verdict)
    if not is_whole(seed) or not 0 <= seed < seeds:
        raise ValueError(f"seed must lie in 0..{seeds - 1}, got {seed!r}")
    step = int(result.first_nonfinite_step[seed])
    if step < 0:
        broken = np.flatnonzero(result.first_nonfinite_step >= 0).tolist()
        raise ValueError(
            f"seed must be one that went non-finite, got {seed}, which stayed finite for all of its "
            f"{result.steps_run[seed]} steps (verdict {result.verdict[seed]!r}); "
            + (f"choose among {broken}" if broken else "no seed of this run did")
        )
    if sequences is not None and not (is_whole(sequences) and 1 <= sequences <= result.batch_size):
        raise ValueError(f"sequences must lie in 1..{result.batch_size}, the batch size, got {sequences!r}")
    model = jax.tree.map(lambda leaf: leaf[seed], result.model)
    draw = jax.jit(
        lambda key, done: training_batch(result.task, key, done, result.batch_size, model.bias.dtype)
    )
    batch = draw(result.data_keys[seed], step - 1)
    lags = _checked_lags(lags, batch.inputs.shape[1])
    chain = replace(
        call_compiled(_chains, (model.cell,), batch.inputs, lags=tuple(lags.tolist())),
        lags=jnp.asarray(lags, jnp.int32),
    )
    largest = np.asarray(chain.log_spectral_norm).max(axis=1)
    worst = np.argsort(-np.where(np.isnan(largest), np.inf, largest), kind="stable")[:sequences]
    first = max(step - _CURVE_STEPS, 0)
    return Explosion(
        seed=seed,
        step=step,
        quantity=result.first_nonfinite_quantity[seed],
        steps=np.arange(first, step) + 1,
        loss=result.loss[seed, first:step],
        gradient_norm=result.gradient_norm[seed, first:step],
        model=model,
        batch=batch,
        sequences=worst,
        chain=replace(
            chain,
            frobenius_norm=jax.tree.map(lambda leaf: leaf[worst], chain.frobenius_norm),
            spectral_norm=jax.tree.map(lambda leaf: leaf[worst], chain.spectral_norm),
        ),
    )


def _checked_lags(lags: Sequence[int] | np.ndarray | None, length: int) -> np.ndarray:
    if lags is None:
        return geometric_lags(length, 40)
    return concrete_integers("lags", lags, 0, length)


def _chains(cell: Any, inputs: Array, *, lags: tuple[int, ...]) -> JacobianChain:
    """Every sequence's chain; one after the other, as `jax.vmap` would hold all products at once."""

    def one(xs: Array) -> JacobianChain:
        return jacobian_chain(cell, cell.initial_state(), xs, lags, norms=("frobenius", "spectral"))

    return jax.lax.map(one, inputs)
