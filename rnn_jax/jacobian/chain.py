"""The chain dh_T/dh_{T-k} = J_T J_{T-1} ... J_{T-k+1} and its norms at every lag k."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from rnn_jax.jacobian import products
from rnn_jax.jacobian.scaled import ScaledMatrix, ScaledNumber
from rnn_jax.step import Inputs, State, Step, bound_method_as_pytree, call_compiled, checked

NORMS = ("frobenius", "spectral")
METHODS = ("auto", "sequential")


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["lags", "frobenius_norm", "spectral_norm", "output_norm"],
    meta_fields=["method"],
    drop_fields=["source"],
)
@dataclass(frozen=True)
class JacobianChain:
    """Norms of dh_T/dh_{T-lag}, held as mantissas and integer exponents.

    Attributes:
        lags: the lags T - t, shape (lag_count,).
        frobenius_norm: at each lag, shape (lag_count,).
        spectral_norm: at each lag, or None where it was not asked for.
        output_norm: Frobenius norm of dy_T/dh_{T-lag}, or None where no `output` was given.
        method: how the product was formed.
        source: the arguments the chain was computed from, for `product`; lost in `jit` and `vmap`.
    """

    lags: Array
    frobenius_norm: ScaledNumber
    spectral_norm: ScaledNumber | None
    output_norm: ScaledNumber | None
    method: str
    source: tuple | None = field(default=None, repr=False, compare=False)

    @property
    def log_frobenius_norm(self) -> Float[Array, "*batch lags"]:
        """Natural log of the Frobenius norm at each lag; -inf where the product is exactly zero."""
        return self.frobenius_norm.log()

    @property
    def log_spectral_norm(self) -> Float[Array, "*batch lags"]:
        """Natural log of the spectral norm at each lag.

        Raises:
            ValueError: the chain was computed without `norms=("spectral",)`.
        """
        if self.spectral_norm is None:
            raise ValueError('this chain has no spectral norms; ask for norms=("frobenius", "spectral")')
        return self.spectral_norm.log()

    @property
    def log_output_norm(self) -> Float[Array, "*batch lags"]:
        """Natural log of the Frobenius norm of dy_T/dh_{T-lag} at each lag.

        Raises:
            ValueError: the chain was computed without `output=`.
        """
        if self.output_norm is None:
            raise ValueError("this chain has no output norms; give output=, for example cell.output")
        return self.output_norm.log()

    def product(self, lag: int) -> ScaledMatrix:
        """The matrix dh_T/dh_{T-lag} itself, computed again, from the step as it is now.

        Raises:
            ValueError: `lag` lies outside 0..T, or the chain came out of `jit` or `vmap`.
        """
        if self.source is None:
            raise ValueError(
                "this chain came out of jit or vmap and no longer holds its step; "
                "call rnn_jax.jacobian_product(step, state, xs, lag)"
            )
        step, state, xs, length = self.source
        return jacobian_product(step, state, xs, lag, length=length)


def jacobian_chain(
    step: Step,
    state: State,
    xs: Inputs,
    lags: Sequence[int] | np.ndarray | Array | None = None,
    norms: Sequence[str] = ("frobenius",),
    method: str = "auto",
    *,
    length: int | None = None,
    output: Callable[[State], Array] | None = None,
) -> JacobianChain:
    """Norms of the Jacobian of the last state with respect to earlier ones.

    The product is accumulated from the last factor backwards, each row with its own integer
    exponent, so that no length makes it under- or overflow. Memory grows with the states only.

    Args:
        step: a callable `(state, x) -> state`. A cell or `jax.tree_util.Partial(function, params)`
            compiles once per shape. A plain function or closure is traced and compiled anew at
            every call: slower in a loop, but its weights are never stale.
        state: the initial state h_0, a pytree of n real coordinates.
        xs: the inputs x_1..x_T, leading with the time axis, or None.
        lags: the lags T - t at which norms are wanted, concrete integers in 0..T; every lag if None.
        norms: "frobenius" (always given) and "spectral", which takes 25 matrix products a lag in
            float32 and 54 in float64: ask for it at a few hundred lags at most.
        method: "sequential", or "auto", which says in the result what it picked.
        length: T, for `xs=None`.
        output: the visible part of a state, an array; gives the norms of dy_T/dh_{T-lag} too.

    Returns:
        a `JacobianChain`; under `jax.vmap` its arrays get the batch axis. A product that is exactly
        zero has log norm -inf; one that runs over a state that is not finite has NaN.

    Raises:
        ValueError: a lag lies outside 0..T, a norm or method is unknown, the step changes the
            state's shape, or the leading axes of `xs` differ.

    References:
        Pascanu, Mikolov, Bengio 2013, arXiv 1211.5063, section 2.1.
    """
    _known("norms", norms, NORMS)
    _known("method", (method,), METHODS)
    state, xs, length = checked(step, state, xs, length)
    options = {"length": length, "spectral": "spectral" in norms}
    readout = bound_method_as_pytree(output)
    if lags is None:
        measured = call_compiled(products.every_lag, (step, readout), state, xs, **options)
        lags = np.arange(length + 1)
    else:
        lags = _checked_lags(lags, length)
        ascending, position = np.unique(lags, return_inverse=True)
        gaps = jnp.asarray(np.diff(ascending, prepend=0), jnp.int32)
        measured = call_compiled(products.chosen_lags, (step, readout), state, xs, gaps, **options)
        if not np.array_equal(ascending, lags):
            measured = jax.tree.map(lambda norm: norm[position], measured)
    frobenius, spectral, outputs = measured
    return JacobianChain(
        lags=jnp.asarray(lags, jnp.int32),
        frobenius_norm=frobenius,
        spectral_norm=spectral,
        output_norm=outputs,
        method="sequential",
        source=(step, state, xs, length),
    )


def jacobian_product(
    step: Step, state: State, xs: Inputs, lag: int, *, length: int | None = None
) -> ScaledMatrix:
    """The matrix dh_T/dh_{T-lag}.

    Args:
        step, state, xs, length: as for `jacobian_chain`.
        lag: T - t, in 0..T.

    Returns:
        a `ScaledMatrix` of shape (n, n).

    Raises:
        ValueError: as `jacobian_chain`.
    """
    state, xs, length = checked(step, state, xs, length)
    (lag,) = _checked_lags([lag], length)
    return call_compiled(products.one_lag, (step,), state, xs, jnp.asarray(lag, jnp.int32), length=length)


def _known(name: str, values: Sequence[str], known: Sequence[str]) -> None:
    if isinstance(values, str):
        raise ValueError(
            f'{name} must be a sequence of names such as ("{known[0]}",), got the string "{values}"'
        )
    for value in values:
        if value not in known:
            raise ValueError(f"{name} must be among {', '.join(known)}, got {value!r}")


def _checked_lags(lags: Any, length: int) -> np.ndarray:
    if isinstance(lags, Tracer):
        raise ValueError("lags must be concrete integers, got a traced array; close over them instead")
    array = np.asarray(lags)
    if array.ndim != 1 or array.size == 0 or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"lags must be a one-dimensional array of integers, got {lags!r}")
    outside = array[(array < 0) | (array > length)]
    if outside.size:
        raise ValueError(f"lags must lie in 0..{length}, the length of the sequence, got {outside[0]}")
    return array
