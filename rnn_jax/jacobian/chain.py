"""The chain dh_T/dh_{T-k} = J_T J_{T-1} ... J_{T-k+1} and its norms at every lag k."""

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rnn_jax.devices import Devices
from rnn_jax.jacobian import sequential
from rnn_jax.jacobian.declared import check_declaration
from rnn_jax.jacobian.order import Order
from rnn_jax.jacobian.scaled import ScaledMatrix, ScaledNumber
from rnn_jax.lags import every_lag
from rnn_jax.shown import brief
from rnn_jax.step import (
    Inputs,
    State,
    Step,
    bound_method_as_pytree,
    call_compiled,
    checked,
    checked_states,
    concrete_integers,
)

NORMS = ("frobenius", "spectral")
METHODS = ("auto", "sequential", "blocked")


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["lags", "frobenius_norm", "spectral_norm", "output_norm"],
    meta_fields=["method", "block_count"],
    drop_fields=["source"],
)
@brief
@dataclass(frozen=True)
class JacobianChain:
    """Norms of dh_T/dh_{T-lag}, held as mantissas and integer exponents.

    Attributes:
        lags: the lags T - t, shape (lag_count,).
        frobenius_norm: at each lag, shape (lag_count,).
        spectral_norm: at each lag, or None where it was not asked for.
        output_norm: Frobenius norm of dy_T/dh_{T-lag}, or None where no `output` was given.
        method: how the product was formed: "sequential", "blocked", or "sharded" over several devices.
        block_count: into how many blocks time was cut, on each device; None where steps follow one another.
        source: the arguments the chain was computed from, for `product`; lost in `jit` and `vmap`.
    """

    lags: Array
    frobenius_norm: ScaledNumber
    spectral_norm: ScaledNumber | None
    output_norm: ScaledNumber | None
    method: str
    block_count: int | None = None
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

    def product(self, lag: int | Array) -> ScaledMatrix:
        """The matrix dh_T/dh_{T-lag} itself, computed again, from the step as it is now.

        Raises:
            ValueError: `lag` lies outside 0..T, or the chain came out of `jit` or `vmap`.
        """
        if self.source is None:
            raise ValueError(
                "this chain came out of jit or vmap and no longer holds its step; "
                "call rnn_jax.jacobian_product(step, state, xs, lag)"
            )
        step, state, xs, length, states, precision = self.source
        return jacobian_product(step, state, xs, lag, length=length, states=states, precision=precision)


def jacobian_chain(
    step: Step,
    state: State | None,
    xs: Inputs,
    lags: Sequence[int] | np.ndarray | Array | None = None,
    norms: Sequence[str] = ("frobenius",),
    method: str = "auto",
    *,
    length: int | None = None,
    output: Callable[[State], Array] | None = None,
    checkpoint: bool = False,
    states: State | None = None,
    precision: str = "highest",
    devices: Devices | None = None,
    block_count: int | None = None,
) -> JacobianChain:
    """Norms of the Jacobian of the last state with respect to earlier ones.

    The product is accumulated from the last factor backwards, each row with its own integer
    exponent, so that no length makes it under- or overflow: within a row entries further apart than the
    dtype's range (1e38 in float32, 1e308 in float64) are lost to the larger one, and n times an entry of a
    step's own Jacobian must lie in that range. Units whose tanh or logistic function is saturated keep their slope
    (`rnn_jax.slopes`). Memory grows with the states only, or
    with `checkpoint=True` with the inputs and the square root of T. It works under `jit` and `vmap`
    (`jax.vmap` of it over sequences or seeds). Of a cell or `Partial` it cannot be differentiated, of a
    plain function forwards only (`jax.jvp`, `jax.jacfwd`); `step_jacobians` can be, either way.

    Args:
        step: a callable `(state, x) -> state`. A cell or `jax.tree_util.Partial(function, params)`
            compiles once per shape: what its function reads beside its arguments, such as a global,
            stays what it was then, as under `jax.jit`. A plain function or closure is traced and
            compiled anew at every call: slower in a loop, but nothing that it reads is stale.
        state: the initial state h_0, a pytree of n real coordinates; may be None where `states` are given.
        xs: the inputs x_1..x_T, leading with the time axis, or None.
        lags: the lags T - t at which norms are wanted, concrete integers in 0..T; every lag if None.
        norms: "frobenius" (always given) and "spectral", which takes 25 matrix products a lag in
            float32 and 54 in float64: ask for it at a few hundred lags at most.
        method: "sequential": one product after the other; "blocked": many stretches of time at once,
            for accelerators; "auto": the faster one, which the result names.
        length: T, for `xs=None`.
        output: the visible part of a state, an array; gives the norms of dy_T/dh_{T-lag} too. A cell's own
            `cell.output` compiles once per shape, a plain function at every call, as for `step`.
        checkpoint: keep about sqrt(T) states only and make the others again.
        states: h_0..h_T, as `rnn_jax.trajectory` gives them, where they are known: the Jacobians are
            taken at exactly these states and the net is not run. So two devices, dtypes or precisions
            can be compared where one ulp would send their own trajectories apart. That the step leads
            from each to the next is not checked.
        precision: of the trajectory, of the step Jacobians and of their products: a name that
            `jax.default_matmul_precision` takes, such as "highest", "high", "default" or
            "tensorfloat32"; which of them a device can do is its own affair. Norms are always
            measured at "highest".
        devices: of this process, among which time is shared out in equal stretches, such as
            `jax.devices()`; JAX's default device alone if None. They run the net in turn, each through
            its own stretch, and then form and measure their products at once, each in the order that
            `method` names. Each keeps the inputs and states of its own stretch and one n x n matrix
            for every device. A net of fewer steps than there are devices uses as many as it has
            steps. The norms lie on the first.
        block_count: into how many blocks method="blocked" cuts time (each device its own stretch);
            if None, as many as `rnn_jax.tune_blocks` found best on this device, or where it never ran sqrt(2 T)
            and, of large states, no more than are 32 MiB.

    Returns:
        a `JacobianChain`; under `jax.vmap` its arrays get the batch axis. A product that is
        zero, exactly or by that range, has log norm -inf; one that runs over a state that is not finite has NaN.

    Raises:
        ValueError: a lag lies outside 0..T, a norm, method or precision is unknown, the step changes
            the state's shape, a cell of your own has not the structure that it declares, the leading
            axes of `xs` differ, `states` are not T + 1 of `state`, or `devices` is empty, mixed, names one twice or comes with `checkpoint`.
        NotImplementedError: it is differentiated, for a step that is a pytree of arrays. Through a plain
            function JAX differentiates what it can; nothing is promised.

    References:
        Pascanu, Mikolov, Bengio 2013, arXiv 1211.5063, section 2.1.
    """
    _check_options(norms, method, output, checkpoint, states, precision, devices, block_count)
    states, state = checked_states(states, state, xs, length)
    state, xs, length = checked(step, state, xs, length)
    check_declaration(step, state, xs)
    order = Order.of(method, block_count, state, length, checkpoint, devices)
    wanted = None if lags is None else concrete_integers("lags", lags, 0, length)
    frobenius, spectral, outputs = order.norms_at(
        wanted,
        (step, bound_method_as_pytree(output)),
        (state, xs, states),
        length=length,
        spectral="spectral" in norms,
        precision=precision,
    )
    return JacobianChain(
        lags=every_lag(length) if wanted is None else jnp.asarray(wanted, jnp.int32),
        frobenius_norm=frobenius,
        spectral_norm=spectral,
        output_norm=outputs,
        method=order.method,
        block_count=order.block_count,
        source=(step, state, xs, length, states, precision),
    )


def jacobian_product(
    step: Step,
    state: State | None,
    xs: Inputs,
    lag: int | Array,
    *,
    length: int | None = None,
    states: State | None = None,
    precision: str = "highest",
) -> ScaledMatrix:
    """The matrix dh_T/dh_{T-lag}. It can be differentiated forwards (`jax.jvp`, `jax.jacfwd`), not backwards.

    Args:
        step, state, xs, length, states, precision: as for `jacobian_chain`.
        lag: T - t, in 0..T, concrete.

    Returns:
        a `ScaledMatrix` of shape (n, n).

    Raises:
        ValueError: as `jacobian_chain`.
    """
    _known_precision(precision)
    states, state = checked_states(states, state, xs, length)
    state, xs, length = checked(step, state, xs, length)
    check_declaration(step, state, xs)
    try:
        lag = operator.index(lag)
    except TypeError as error:
        raise ValueError(f"lag must be one concrete whole number, got {lag!r}") from error
    concrete_integers("lag", [lag], 0, length)
    operands = (state, xs, states, jnp.asarray(lag, jnp.int32))
    return call_compiled(sequential.one_lag, (step,), *operands, length=length, precision=precision)


def _check_options(
    norms: Sequence[str],
    method: str,
    output: Callable | None,
    checkpoint: bool,
    states: State | None,
    precision: str,
    devices: Devices | None,
    block_count: int | None,
) -> None:
    """Raises an error where one is unknown or does not go with another."""
    if output is not None and not callable(output):
        raise TypeError(f"output must be a callable state -> array, got {type(output).__name__}")
    _known("norms", norms, NORMS)
    _known("method", (method,), METHODS)
    _known_precision(precision)
    if not isinstance(checkpoint, bool):
        raise ValueError(
            f"checkpoint must be True or False here, got {checkpoint!r}; rnn_jax.train takes a file"
        )
    if checkpoint and states is not None:
        raise ValueError("checkpoint=True makes states again, but states are given; leave one of the two out")
    if checkpoint and method == "blocked":
        raise ValueError(
            'checkpoint=True needs method="sequential" or "auto", got "blocked", which keeps every state'
        )
    if checkpoint and devices is not None:
        raise ValueError(
            "checkpoint=True keeps few states on one device; leave it or devices= out: "
            "several devices keep every state, each those of its own stretch of time"
        )
    if block_count is not None and method != "blocked":
        raise ValueError(f'block_count={block_count!r} needs method="blocked", got {method!r}')


def _known(name: str, values: Sequence[str], known: Sequence[str]) -> None:
    if isinstance(values, str) or not isinstance(values, Iterable):
        got = f'the string "{values}"' if isinstance(values, str) else repr(values)
        raise ValueError(f'{name} must be a sequence of names such as ("{known[0]}",), got {got}')
    for value in values:
        if value not in known:
            raise ValueError(f"{name} must be among {', '.join(known)}, got {value!r}")


def _known_precision(precision: str) -> None:
    """Asks JAX, whose names grow with its versions."""
    try:
        with jax.default_matmul_precision(precision):
            pass
    except ValueError:
        pass
    else:
        if isinstance(precision, str):
            return
    raise ValueError(
        'precision must be a name that jax.default_matmul_precision takes, such as "highest", "high", '
        f'"default", "tensorfloat32" or "bfloat16", got {precision!r}'
    )
