"""Exponents of products of Gaussian and of orthogonal matrices."""

from typing import SupportsFloat

import numpy as np
import scipy  # loads its parts when they are first used

from rnn_jax.theory.numbers import checked_not_negative, log
from rnn_jax.whole_numbers import checked_whole


def gaussian_exponents(size: int, *, std: SupportsFloat = 1.0) -> np.ndarray:
    """Lyapunov exponents of products of independent matrices with entries N(0, std**2).

    A Gaussian matrix times an orthonormal frame is again Gaussian, so the diagonal of R in each QR step
    holds independent chi variables: entry i has size - i + 1 degrees of freedom, whatever came before.
    Exponent i is the mean of their logarithm, ln std + [ln 2 + digamma((size - i + 1) / 2)] / 2.

    Args:
        size: number of rows and columns of the matrices.
        std: standard deviation of an entry; gain / sqrt(size) for a random recurrent matrix.

    Returns:
        shape (size,), in nats a step, largest first; all -inf for `std=0`.

    Raises:
        ValueError: `size` is not positive, or `std` is negative or not finite.

    References:
        Newman 1986, Commun. Math. Phys. 103, 121. For large size with std = 1 / sqrt(size) they tend to
        ln(1 - t) / 2, the triangle law: Isopi & Newman 1992, Commun. Math. Phys. 143, 591.
    """
    degrees = _degrees_of_freedom(size)
    return log(checked_not_negative("std", std)) + (np.log(2.0) + scipy.special.digamma(degrees / 2)) / 2


def gaussian_exponent_deviations(size: int) -> np.ndarray:
    """Standard deviation, over one step, of what `gaussian_exponents` are the mean of.

    The steps are independent, so an exponent measured over T of them has the standard error
    deviation / sqrt(T). It is sqrt(trigamma((size - i + 1) / 2)) / 2, the deviation of the logarithm of a
    chi variable.

    Args:
        size: number of rows and columns of the matrices.

    Returns:
        shape (size,), in nats, in the order of the exponents.

    Raises:
        ValueError: `size` is not positive.

    References:
        derived for this project, from the argument of Newman 1986.
    """
    return np.sqrt(scipy.special.polygamma(1, _degrees_of_freedom(size) / 2)) / 2


def orthogonal_exponents(size: int, gain: SupportsFloat) -> np.ndarray:
    """Lyapunov exponents of products of gain times orthogonal matrices: every one is ln gain.

    Such a product over `lag` steps is gain**lag times an orthogonal matrix, so its log spectral norm is
    lag * ln gain and its log Frobenius norm is larger by ln(size) / 2.

    Args:
        size: number of rows and columns.
        gain: the scale; the orthogonal factors may be fixed, independent, or all the identity.

    Returns:
        shape (size,), in nats a step.

    Raises:
        ValueError: `size` is not positive, or `gain` is negative or not finite.

    References:
        immediate; for nets: Saxe et al. 2014, arXiv 1312.6120.
    """
    return np.full(_degrees_of_freedom(size).size, log(checked_not_negative("gain", gain)))


def _degrees_of_freedom(size: int) -> np.ndarray:
    return np.arange(checked_whole("size", size), 0, -1)
