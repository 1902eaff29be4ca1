"""What a chain's norms say: rate, reach, explosion lag and regime."""

from dataclasses import dataclass

import jax
import numpy as np
from jax.core import Tracer

from rnn_jax.jacobian.chain import JacobianChain
from rnn_jax.whole_numbers import is_whole

LOG_THOUSAND = float(np.log(1000.0))


@dataclass(frozen=True)
class Decay:
    """How far a gradient reaches, from the log norm of each lag over sequences.

    That is the mean of theirs, or their median where the product of some is exactly zero, as rectifiers make it:
    a mean that holds one -inf is -inf, however few they are.

    Attributes:
        rate: mean increment of the log norm a step after the transient, in nats; below 0 the
            gradient vanishes; -inf where the product of any sequence is exactly zero.
        rate_stderr: its standard error, by batch means over sequences and lags; NaN where too few
            lags were measured.
        reach: the smallest lag from which the norm stays under 1e-3, interpolated between lags;
            the largest measured lag where it never does. NaN where it is under it at every lag that was
            measured: the smallest of them was chosen too large.
        reach_censored: True where it never does, and where a norm is not finite: nothing is known then.
        explosion_lag: the first measured lag at which the norm exceeds 1e3; NaN if none.
        regime: "vanishing" or "exploding" where the log norm at the largest lag is under
            -ln 1000 or over ln 1000; else "stable"; "not_finite" where a norm is NaN or inf.
        norm: "spectral" where the chain has spectral norms, else "frobenius".
        sequence_count: of how many sequences the norms were taken.
    """

    rate: float
    rate_stderr: float
    reach: float
    reach_censored: bool
    explosion_lag: float
    regime: str
    norm: str
    sequence_count: int


def decay(chain: JacobianChain, *, transient: int | None = None, batches: int = 16) -> Decay:
    """Rate, reach, explosion lag and regime of one chain, or of a vmapped batch of them.

    All of it is computed in float64 on the host, from mantissas and integer exponents, so that the
    dtype of the chain does not round increments of large log norms.

    Args:
        chain: one chain, or several of the same lags with leading batch axes, which are pooled.
        transient: the rate is taken from the first measured lag that is not below it; by default from the measured
            lag that is nearest to a tenth of the largest.
        batches: into how many stretches of lags each sequence is cut for the standard error. Each
            should be long against the correlation time of the net.

    Returns:
        a `Decay`.

    Raises:
        TypeError: `chain` is no `JacobianChain`.
        ValueError: fewer than two lags were measured, `transient` leaves fewer than two, the chain holds no sequence, a
            count is no whole number, or it is called under `jit`: take the decay of what `jit` returns.

    References:
        Batch means: Law & Kelton, Simulation Modeling and Analysis, chapter 9. The log norm of a
        product is close to a random walk, so a least-squares line through it is not used: its
        standard error would be 20 to 40 times too small.
    """
    if not isinstance(chain, JacobianChain):
        raise TypeError(f"chain must be a JacobianChain, as jacobian_chain gives, got {type(chain).__name__}")
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(chain)):
        raise ValueError("decay is computed on the host; call it on the chain that jit or vmap returns")
    for name, value in {"transient": transient, "batches": batches}.items():
        if value is not None and not is_whole(value):
            raise ValueError(f"{name} must be a whole number, got {value!r}")
    lags = np.asarray(chain.lags)
    if not lags.size:
        raise ValueError(f"chain holds no sequence or no lag, got lags of shape {lags.shape}")
    lags = lags.reshape(-1, lags.shape[-1])[0]
    order = np.argsort(lags)
    norm = "frobenius" if chain.spectral_norm is None else "spectral"
    logs = (chain.frobenius_norm if chain.spectral_norm is None else chain.spectral_norm).log_float64()
    logs = logs.reshape(-1, lags.size)[:, order]
    lags = lags[order]
    if lags.size < 2:
        raise ValueError(f"a decay needs at least two measured lags, got {lags.tolist()}")
    if transient is not None and not 0 <= transient < lags[-1]:
        raise ValueError(f"transient must lie in 0..{lags[-1] - 1}, below the largest lag, got {transient}")
    if batches < 1:
        raise ValueError(f"batches must be at least 1, got {batches}")
    finite = not (np.isnan(logs).any() or np.isposinf(logs).any())
    rate, stderr = _rate(lags, logs, transient, batches) if finite else (np.nan, np.nan)
    typical = _typical(logs)
    reach, censored = _reach(lags, typical) if finite else (np.nan, True)
    above = np.flatnonzero(typical > LOG_THOUSAND)
    return Decay(
        rate=rate,
        rate_stderr=stderr,
        reach=reach,
        reach_censored=censored,
        explosion_lag=float(lags[above[0]]) if above.size else float("nan"),
        regime=_regime(typical[-1]) if finite else "not_finite",
        norm=norm,
        sequence_count=logs.shape[0],
    )


def _rate(lags: np.ndarray, logs: np.ndarray, transient: int | None, batches: int) -> tuple[float, float]:
    """Ratio estimate over batches of possibly unequal length, pooled over sequences."""
    begin = lags[-1] // 10 if transient is None else lags[lags >= transient][0]
    marks = np.linspace(begin, lags[-1], batches + 1)
    # The nearest measured lag to each mark; geometric lags give fewer and unequal batches.
    nearest = np.unique([np.abs(lags - mark).argmin() for mark in marks])
    if nearest.size < 2:
        raise ValueError(
            f"the rate needs at least two measured lags from lag {begin} on, got {lags.tolist()}"
        )
    if np.isneginf(logs[:, nearest]).any():
        return -np.inf, np.nan  # a product that is exactly zero
    steps = np.tile(np.diff(lags[nearest]), logs.shape[0])
    gains = np.diff(logs[:, nearest], axis=1).ravel()
    rate = gains.sum() / steps.sum()
    if steps.size < 2:
        return float(rate), float("nan")
    residual = gains - rate * steps
    variance = np.sum(residual**2) / steps.sum() ** 2 * steps.size / (steps.size - 1)
    return float(rate), float(np.sqrt(variance))


def _typical(logs: np.ndarray) -> np.ndarray:
    """The log norm of each lag over sequences, the first axis."""
    with np.errstate(invalid="ignore"):
        mean = logs.mean(axis=0)
        return np.where(np.isneginf(logs).any(axis=0), np.median(logs, axis=0), mean)


def _reach(lags: np.ndarray, log_norms: np.ndarray) -> tuple[float, bool]:
    above = np.flatnonzero(log_norms >= -LOG_THOUSAND)
    if above.size == 0:
        return float("nan"), False
    last = above[-1]
    if last == lags.size - 1:
        return float(lags[-1]), True
    drop = log_norms[last] - log_norms[last + 1]
    fraction = (log_norms[last] + LOG_THOUSAND) / drop if np.isfinite(drop) else 1.0
    return float(lags[last] + fraction * (lags[last + 1] - lags[last])), False


def _regime(log_norm: float) -> str:
    if log_norm < -LOG_THOUSAND:
        return "vanishing"
    return "exploding" if log_norm > LOG_THOUSAND else "stable"
