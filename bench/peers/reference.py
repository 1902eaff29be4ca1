"""Truths about a tanh net that need no implementation under test: NumPy, one step at a time."""

import numpy as np

from rnn_jax.cells import Elman


def chain_log_norms(cell: Elman, xs: np.ndarray) -> np.ndarray:
    """Log Frobenius norms of dh_T/dh_(T-lag) at lags 0..T, in float64 whatever the net's dtype.

    Args:
        cell: the tanh net, started from zero.
        xs: shape (T, input_size).
    """
    weight, weight_xh, bias = (
        np.asarray(each, np.float64) for each in (cell.weight_hh, cell.weight_xh, cell.bias)
    )
    state = np.zeros(len(bias))
    states = []
    for x in np.asarray(xs, np.float64):
        state = np.tanh(weight @ state + weight_xh @ x + bias)
        states.append(state)
    product, log_scale = np.eye(len(bias)), 0.0
    log_norms = [0.5 * np.log(len(bias))]
    for state in reversed(states):
        product = (product * (1 - state**2)) @ weight
        norm = np.linalg.norm(product)
        product /= norm
        log_scale += np.log(norm)
        log_norms.append(log_scale)
    return np.array(log_norms)


def lyapunov_exponents(weight_hh: np.ndarray, states: np.ndarray, transient: int) -> np.ndarray:
    """All exponents along a trajectory, by a QR factorization after every step.

    Args:
        weight_hh: of h' = tanh(weight_hh h), shape (n, n), float64.
        states: h_1..h_T, shape (T, n).
        transient: how many steps only align the columns.

    Returns:
        the exponents in nats a step, in descending order, shape (n,).

    References:
        Benettin, Galgani, Giorgilli, Strelcyn 1980.
    """
    size = weight_hh.shape[0]
    columns, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((size, size)))
    total = np.zeros(size)
    for number, state in enumerate(states):
        columns, triangle = np.linalg.qr((1 - state**2)[:, None] * (weight_hh @ columns))
        if number >= transient:
            total += np.log(np.abs(np.diag(triangle)))
    return np.sort(total / (len(states) - transient))[::-1]


def logdet_residual(exponents: np.ndarray, weight_hh: np.ndarray, states: np.ndarray) -> float:
    """Distance of the mean exponent from the mean of ln abs det J_t / n, which it equals exactly.

    Args:
        exponents: all n of them, in nats a step.
        weight_hh: of h' = tanh(weight_hh h).
        states: those reached by the steps that were measured, shape (steps, n).
    """
    log_det = np.mean(np.sum(np.log1p(-(states**2)), axis=1)) + np.linalg.slogdet(weight_hh)[1]
    return float(abs(np.mean(exponents) - log_det / len(exponents)))
