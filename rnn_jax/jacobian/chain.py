"""The chain dh_T/dh_{T-k} = J_T J_{T-1} ... J_{T-k+1} and its norms at every lag k."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from rnn_jax.coordinates import ravel_reals
from rnn_jax.jacobian import scaled
from rnn_jax.jacobian.scaled import ScaledMatrix, ScaledNumber
from rnn_jax.jacobian.structure import Factor, factor, prepared
from rnn_jax.step import Inputs, State, Step, bound_method_as_pytree, call_compiled, checked
from rnn_jax.trajectory import run

NORMS = ("frobenius", "spectral")
METHODS = ("auto", "sequential")
_BLOCK = 64


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
        """The matrix dh_T/dh_{T-lag} itself, computed again.

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
    exponent, so nothing under- or overflows at any length. Memory grows with the states only.

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
        measured = call_compiled(_every_lag, (step, readout), state, xs, **options)
        lags = np.arange(length + 1)
    else:
        lags = _checked_lags(lags, length)
        ascending, position = np.unique(lags, return_inverse=True)
        gaps = jnp.asarray(np.diff(ascending, prepend=0), jnp.int32)
        measured = call_compiled(_chosen_lags, (step, readout), state, xs, gaps, **options)
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
    return call_compiled(_product, (step,), state, xs, jnp.asarray(lag, jnp.int32), length=length)


Measured = tuple[ScaledNumber, ScaledNumber | None, ScaledNumber | None]


def _every_lag(
    step: Step, readout: Callable | None, state: State, xs: Inputs, *, length: int, spectral: bool
) -> Measured:
    """Blocks of steps: what is cheap is formed for a whole block, then its products one by one."""
    with jax.default_matmul_precision("highest"):
        states = run(step, state, xs, length=length)
        left, norms = _start(states, readout)
        first = norms(
            scaled.row_norms(left), scaled.spectral_norm(norms.of_state(left)) if spectral else None
        )
        if length == 0:
            return jax.tree.map(lambda leaf: leaf[None], first)

        def extend(product, material):
            product, rows = scaled.times(product, _factor(step, *material).after)
            return product, (rows, scaled.spectral_norm(norms.of_state(product)) if spectral else None)

        def extend_by_block(product, block):
            material = jax.vmap(lambda h, x, nan_or_zero: (prepared(step, h, x), nan_or_zero))(*block)
            product, (rows, largest) = jax.lax.scan(extend, product, material, reverse=True)
            return product, jax.vmap(norms)(rows, largest)

        before = jax.tree.map(lambda leaf: leaf[:-1], states)
        blocks, count = _in_blocks((before, xs, _nan_where_not_finite(states)), length)
        _, measured = jax.lax.scan(extend_by_block, left, blocks, length=count, reverse=True)

        def by_lag(at_zero: Array, in_blocks: Array) -> Array:
            later = in_blocks.reshape(-1)[::-1][:length]
            return jnp.concatenate([at_zero[None], later])

        return jax.tree.map(by_lag, first, measured)


def _in_blocks(tree: Any, length: int) -> tuple[Any, int]:
    """Leaves (time, ...) as (blocks, steps, ...), filled up before the first step; what is measured
    there lies beyond the largest lag and is dropped."""
    count = -(-length // _BLOCK)
    size = -(-length // count)

    def blocks(leaf: Array) -> Array:
        filling = jnp.broadcast_to(leaf[:1], (count * size - length, *leaf.shape[1:]))
        return jnp.concatenate([filling, leaf]).reshape(count, size, *leaf.shape[1:])

    return jax.tree.map(blocks, tree), count


def _chosen_lags(
    step: Step,
    readout: Callable | None,
    state: State,
    xs: Inputs,
    gaps: Array,
    *,
    length: int,
    spectral: bool,
) -> Measured:
    with jax.default_matmul_precision("highest"):
        states = run(step, state, xs, length=length)
        arguments = (states, xs, _nan_where_not_finite(states))
        left, norms = _start(states, readout)

        def to_next_lag(carry, gap):
            product, time = carry
            product = _extended(step, arguments, product, time, gap)
            largest = scaled.spectral_norm(norms.of_state(product)) if spectral else None
            return (product, time - gap), norms(scaled.row_norms(product), largest)

        start = (left, jnp.asarray(length, jnp.int32))
        return jax.lax.scan(to_next_lag, start, gaps)[1]


def _product(step: Step, state: State, xs: Inputs, lag: Array, *, length: int) -> ScaledMatrix:
    with jax.default_matmul_precision("highest"):
        states = run(step, state, xs, length=length)
        arguments = (states, xs, _nan_where_not_finite(states))
        left, _ = _start(states, None)
        return _extended(step, arguments, left, jnp.asarray(length, jnp.int32), lag)


def _extended(step: Step, arguments: Any, product: ScaledMatrix, time: Array, count: Array) -> ScaledMatrix:
    """The product times J_time, J_{time-1}, ... : `count` factors, their number a traced integer."""

    def one_factor(done, product):
        at = jax.tree.map(
            lambda leaf: jax.lax.dynamic_index_in_dim(leaf, time - 1 - done, keepdims=False), arguments
        )
        state, x, nan_or_zero = at
        product, _ = scaled.times(product, _factor(step, prepared(step, state, x), nan_or_zero).after)
        return product

    return jax.lax.fori_loop(jnp.zeros((), jnp.int32), count, one_factor, product)


def _factor(step: Step, material: Any, nan_or_zero: Array) -> Factor:
    made = factor(step, material)
    return replace(made, matrix=made.matrix + nan_or_zero)


def _nan_where_not_finite(states: State) -> Float[Array, " time"]:
    """NaN at each t whose h_{t-1} or h_t is not finite, else 0.

    Once a state has overflowed, the derivative of a rectifier there is 0, and the product would
    look like a gradient that vanished.
    """
    vectors = jax.vmap(lambda each: ravel_reals(each)[0])(states)
    finite = jnp.all(jnp.isfinite(vectors), axis=1)
    return jnp.where(finite[:-1] & finite[1:], 0.0, jnp.nan).astype(vectors.dtype)


@dataclass(frozen=True)
class _Norms:
    """Norms of a product from the norms of its rows, the output's rows lying under the state's."""

    size: int
    has_output: bool

    def of_state(self, product: ScaledMatrix) -> ScaledMatrix:
        return jax.tree.map(lambda leaf: leaf[: self.size], product)

    def __call__(self, rows: ScaledNumber, spectral: ScaledNumber | None) -> Measured:
        state = scaled.norm_of(jax.tree.map(lambda leaf: leaf[: self.size], rows))
        output = (
            scaled.norm_of(jax.tree.map(lambda leaf: leaf[self.size :], rows)) if self.has_output else None
        )
        return state, spectral, output


def _start(states: State, readout: Callable | None) -> tuple[ScaledMatrix, _Norms]:
    """The identity, with dy_T/dh_T under it if a readout is given: one product pushes both."""
    last = jax.tree.map(lambda leaf: leaf[-1], states)
    coordinates, rebuild = ravel_reals(last)
    left = jnp.eye(coordinates.size, dtype=coordinates.dtype)
    if readout is not None:
        rows = jax.jacrev(lambda vector: ravel_reals(readout(rebuild(vector)))[0])(coordinates)
        left = jnp.concatenate([left, rows.astype(left.dtype)])
    return scaled.from_array(left), _Norms(coordinates.size, readout is not None)


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
