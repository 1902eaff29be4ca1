"""Every singular value of dh_T/dh_0, however small."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rnn_jax.coordinates import real_dtype, real_size
from rnn_jax.jacobian import graded
from rnn_jax.jacobian.declared import check_declaration
from rnn_jax.jacobian.graded import GradedProduct
from rnn_jax.jacobian.material import is_finite, states_before
from rnn_jax.jacobian.structure import prepared
from rnn_jax.jacobian.tangents import dense_jacobian
from rnn_jax.shown import brief
from rnn_jax.step import Inputs, State, Step, call_compiled, checked

REFRESH = 8
"""After so many steps the right factor is made orthogonal again; over 200 it lost 6 digits at n = 128."""


LOST = 1.0
"""Of a value whose error is estimated as larger, in nats, nothing is known."""

_SAFETY = 10
"""Of 72 powers of symmetric matrices of condition numbers from 1e6 to 1e14, three errors were over so many differences,
by up to 3.7 times."""

_NEARLY_LOST = 0.01
"""Of two values that are rounding the difference may be as small by chance, seldom smaller."""


@jax.tree_util.register_dataclass
@brief
@dataclass(frozen=True)
class LogSingularValues:
    """Natural logs of the singular values of dh_T/dh_0; it behaves as the array of its values.

    Attributes:
        values: in descending order, shape (n,). -inf where the product is exactly singular; NaN
            where a state was not finite, or where the error is over one nat: nothing is known then.
        errors: estimated absolute error of each, in nats, shape (n,), from computing them twice: of
            the product of the step Jacobians as they are in float64, whose own rounding is not in it.
        sweeps: Jacobi sweeps that it took.
    """

    values: Array
    errors: Array
    sweeps: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `values`."""
        return self.values.shape

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Array:
        return self.values[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.values, dtype=dtype) if copy else np.asarray(self.values, dtype=dtype)

    def __jax_array__(self) -> Array:
        return self.values


def log_singular_values(
    step: Step, state: State, xs: Inputs, *, length: int | None = None
) -> LogSingularValues:
    """All n log singular values of dh_T/dh_0, each to relative accuracy, in float64.

    The sums of the logs of a QR sweep's diagonals, which give the Lyapunov exponents, are not the
    singular values of a finite product. Here the product is held as X D Y, D diagonal, and its
    singular values are found by Jacobi rotations: gaps of any size, clusters and nearly isometric
    chains alike. It is done twice, for the chain and for its transpose in other units of each coordinate, so that
    rounding errors have nothing to do with each other, of symmetric Jacobians either: the mean is returned, and their
    difference tells the error. It is
    under 1e-8 as long as the condition number of a single step stays under 1e7 or so, rows that are small as a whole not
    counted: worse ones lose digits, and say so.

    Memory grows with the states only. The time is that of 2 T eliminations with complete pivoting, of
    size n: for a span within a sequence slice `xs` and start from the state before it. They can be differentiated
    forwards (`jax.jvp`, `jax.jacfwd`), not backwards.

    Args:
        step: a callable `(state, x) -> state`; see `jacobian_chain`.
        state: the initial state h_0, a pytree of n real coordinates, in float64.
        xs: the inputs x_1..x_T, leading with the time axis, or None.
        length: T, for `xs=None`.

    Returns:
        a `LogSingularValues`. Under `jax.vmap` its arrays get the batch axis.

    Raises:
        ValueError: the state is not in float64, or as for `jacobian_chain`.

    References:
        Demmel, Gu, Eisenstat, Slapnicar, Veselic, Drmac 1999, Linear Algebra Appl. 299, 21-80.
    """
    state, xs, length = checked(step, state, xs, length)
    check_declaration(step, state, xs)
    dtype = real_dtype(state)
    if dtype != jnp.float64:
        mend = (
            "give the state, the cell and xs in float64"
            if jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]
            else 'set jax.config.update("jax_enable_x64", True) at start-up'
        )
        raise ValueError(f"log_singular_values needs a float64 state, got {dtype}; {mend}")
    values, errors, sweeps = call_compiled(_measured, (step,), state, xs, length=length)
    return LogSingularValues(values, errors, sweeps)


def _measured(step: Step, state: State, xs: Inputs, *, length: int) -> tuple[Array, Array, Array]:
    with jax.default_matmul_precision("highest"):
        size = real_size(state)
        before, last = states_before(step, state, xs, length)
        all_finite = jnp.all(jax.vmap(is_finite)(before)) & is_finite(last)

        def extend(transposed: bool, product: GradedProduct, at: Any) -> tuple[GradedProduct, None]:
            time, state, x = at
            jacobian = dense_jacobian(step, prepared(step, state, x), size, jnp.float64)
            if transposed:
                jacobian = jacobian.T * units[:, None] / units[None]
            product = graded.extended(jacobian, product)
            is_due = time % REFRESH == 0
            return jax.lax.cond(is_due, graded.with_orthogonal_right, lambda same: same, product), None

        times = jnp.arange(length, dtype=jnp.int32)
        # Without a common factor, so that every number is rounded anew.
        units = jnp.asarray(1 + np.arange(1, size + 1) * 0.6180339887498949 % 1)

        def whole(transposed: bool) -> tuple[Array, Array]:
            start = graded.identity(size, jnp.float64)
            if transposed and length:
                start = replace(start, right=jnp.diag(units))
            body = partial(extend, transposed)
            product, _ = jax.lax.scan(body, start, (times, before, xs), length=length, reverse=transposed)
            if transposed and length:
                product = replace(product, left=product.left / units[:, None])
            return graded.log_singular_values(product)

        forward, sweeps = whole(False)
        backward, more = whole(True)
        values, errors = _compared(forward, backward, length)
        values, errors = (jnp.where(all_finite, each, jnp.nan) for each in (values, errors))
        return values, errors, jnp.maximum(sweeps, more)


def _compared(forward: Float[Array, " n"], backward: Float[Array, " n"], length: int) -> tuple[Array, Array]:
    """The mean of both, and a bound of its error: `_SAFETY` times the largest difference among each
    value's neighbours (one difference alone may be small by chance), and what both have in common.

    A smaller neighbour that is lost itself, or nearly, counts by how near it is: a large value is known where small ones are not.
    """
    # Only what is exactly dependent gives an exact zero, and one direction may see it where rounding
    # hides it from the other.
    zero = jnp.isneginf(forward) | jnp.isneginf(backward)
    values = jnp.where(zero, -jnp.inf, (forward + backward) / 2)
    difference = jnp.where(zero, 0.0, jnp.abs(forward - backward))
    size = forward.shape[0]
    padded, levels = jnp.pad(difference, 2), jnp.pad(values, 2, constant_values=jnp.inf)
    neighbours = []
    for shift in range(5):
        theirs, level = padded[shift : shift + size], levels[shift : shift + size]
        is_lost = (_SAFETY * theirs > _NEARLY_LOST) & (level < values)
        neighbours.append(jnp.where(is_lost, theirs * jnp.exp((level - values) / 2), theirs))
    largest = jnp.max(jnp.stack(neighbours), axis=0)
    epsilon = jnp.finfo(jnp.float64).eps
    floor = epsilon * (4 * size + length + jnp.where(zero, 0.0, jnp.abs(values)))
    errors = jnp.where(zero, 0.0, _SAFETY * largest + floor)
    return jnp.where(errors > LOST, jnp.nan, values), errors
