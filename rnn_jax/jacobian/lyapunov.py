"""Lyapunov exponents: at what rates a step's Jacobian chain stretches space, forward in time."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rnn_jax.coordinates import real_dtype, real_size
from rnn_jax.jacobian import tangents
from rnn_jax.jacobian.material import is_finite, states_before
from rnn_jax.jacobian.scaled import LN2, ScaledNumber
from rnn_jax.jacobian.structure import prepared
from rnn_jax.step import Inputs, State, Step, call_compiled, checked

LONGEST_INTERVAL = 32
"""Beyond it a factorization costs a few percent of the products between two of them."""


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["exponents", "standard_errors", "logdet_residual", "qr_interval"],
    meta_fields=["state_size", "steps", "transient", "batches"],
)
@dataclass(frozen=True)
class LyapunovSpectrum:
    """Lyapunov exponents, in nats a step, and how far they can be trusted.

    Attributes:
        exponents: in descending order, shape (count,). -inf where the chain is singular; NaN where
            a state was not finite, or where an exponent is lost in rounding because `qr_interval`
            was chosen too long.
        standard_errors: of each, by batch means, shape (count,). A 95% interval is the exponent
            plus or minus `scipy.stats.t.ppf(0.975, batches - 1)` standard errors: 2.09 for 20
            batches. NaN beside an exponent that is not finite.
        logdet_residual: abs(sum of the exponents - mean ln abs det J_t) / n, which is zero for
            exact arithmetic, over the steps between two factorizations once in every batch. NaN
            where fewer than n exponents were asked for or one of them is not finite.
        qr_interval: how many steps lay between two factorizations.
        state_size: n.
        steps: over how many steps the exponents were measured.
        transient: how many steps before them were discarded.
        batches: into how many stretches the measured steps were cut for the standard errors.
    """

    exponents: Array
    standard_errors: Array
    logdet_residual: Array
    qr_interval: Array
    state_size: int
    steps: int
    transient: int
    batches: int

    @property
    def entropy_rate(self) -> Float[Array, "*batch"]:
        """Sum of the positive exponents, in nats a step; NaN where `count` ended before the last of them.

        References:
            Pesin 1977: an upper bound of the Kolmogorov-Sinai entropy, equal to it for smooth measures.
        """
        exponents, known = self._known()
        total = jnp.sum(jnp.maximum(exponents, 0), axis=-1)
        all_positive = jnp.sum(exponents > 0, axis=-1) == known
        return jnp.where(all_positive & (known < self.state_size), jnp.nan, total)

    @property
    def kaplan_yorke_dimension(self) -> Float[Array, "*batch"]:
        """The dimension at which the summed exponents change sign, 0..n; NaN where `count`, or what is
        known of the exponents, ends before.

        References:
            Kaplan & Yorke 1979; Frederickson, Kaplan, Yorke, Yorke 1983.
        """
        exponents, known = self._known()
        sums = jnp.cumsum(exponents, axis=-1)
        count = exponents.shape[-1]
        whole = jnp.sum(jnp.cumprod(sums >= 0, axis=-1), axis=-1)  # the last j whose sum is not negative
        last = jnp.maximum(whole - 1, 0)[..., None]
        following = jnp.minimum(whole, count - 1)[..., None]
        rest = jnp.take_along_axis(sums, last, axis=-1)[..., 0]
        slope = jnp.abs(jnp.take_along_axis(exponents, following, axis=-1)[..., 0])
        fraction = jnp.where((whole > 0) & (whole < count), rest / slope, 0)
        dimension = whole.astype(self.exponents.dtype) + fraction
        return jnp.where((whole == known) & (known < self.state_size), jnp.nan, dimension)

    def _known(self) -> tuple[Array, Array]:
        """The exponents before the first NaN, -inf in place of the others, and how many they are."""
        is_known = jnp.cumprod(~jnp.isnan(self.exponents), axis=-1).astype(bool)
        return jnp.where(is_known, self.exponents, -jnp.inf), jnp.sum(is_known, axis=-1)


def lyapunov_spectrum(
    step: Step,
    state: State,
    xs: Inputs,
    *,
    length: int | None = None,
    count: int | None = None,
    qr_interval: int | None = None,
    transient: int | None = None,
    batches: int = 20,
) -> LyapunovSpectrum:
    """Lyapunov exponents of a recurrent step along a sequence of inputs.

    Columns are pushed forward through the step Jacobians and factored again and again, so that none
    is lost in another; the logs of the pivots are the exponents. Memory grows with the states of one
    batch and the inputs.

    Args:
        step: a callable `(state, x) -> state`; see `jacobian_chain`.
        state: the initial state h_0, a pytree of n real coordinates, in float32 or float64.
        xs: the inputs x_1..x_T, leading with the time axis, or None for an autonomous net.
        length: T, for `xs=None`.
        count: only the first `count` exponents, at a cost of n x n x count a step; all n if None.
        qr_interval: factor every so many steps. If None it is chosen from how far the pivots spread
            during the transient, so that the condition number of what lies between two
            factorizations stays near eps**-0.5: 1e8 in float64, 3e3 in float32; at most 32 steps,
            and 1 where there is no transient. The choice is made inside the compiled program, so
            `jit` and `vmap` make the same one.
        transient: at least so many steps are discarded at first, while the state settles and the
            columns align; a tenth of T if None. What does not divide evenly into batches is
            discarded too.
        batches: into how many stretches the rest is cut for the standard errors. Each should be
            long against the correlation time of the net.

    Returns:
        a `LyapunovSpectrum`. Under `jax.vmap` its arrays get the batch axis.

    Raises:
        ValueError: an argument lies outside its range, the sequence is too short for the batches,
            the state is of 16 bits, or as for `jacobian_chain`.

    References:
        Benettin, Galgani, Giorgilli, Strelcyn 1980; Engelken, Wolf, Abbott 2023, Phys. Rev. Research 5,
        043044 for recurrent nets. Batch means: Law & Kelton, Simulation Modeling and Analysis, chapter 9.
    """
    state, xs, length = checked(step, state, xs, length)
    size = real_size(state)
    if jnp.finfo(real_dtype(state)).bits < 32:
        raise ValueError(
            f"state must be float32 or float64, got {real_dtype(state)}; cast the cell and inputs"
        )
    for name, value in {
        "count": count, "qr_interval": qr_interval, "transient": transient, "batches": batches
    }.items():  # fmt: skip
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer)):
            raise ValueError(f"{name} must be a whole number, got {value!r}")
    if length < 2:
        raise ValueError(f"xs must hold at least two steps, one for each of two batches, got {length}")
    count = size if count is None else count
    if not 1 <= count <= size:
        raise ValueError(f"count must lie in 1..{size}, the size of the state, got {count}")
    if qr_interval is not None and qr_interval < 1:
        raise ValueError(f"qr_interval must be at least 1, got {qr_interval}")
    if batches < 2:
        raise ValueError(f"batches must be at least 2, got {batches}")
    transient = length // 10 if transient is None else transient
    if not 0 <= transient < length:
        raise ValueError(
            f"transient must lie in 0..{length - 1}, below the length of the sequence, got {transient}"
        )
    batch_length = (length - transient) // batches
    if batch_length < 1:
        raise ValueError(
            f"batches must be at most {length - transient}, the steps after the transient, got {batches}"
        )
    transient = length - batches * batch_length
    exponents, errors, residual, interval = call_compiled(
        _measured,
        (step,),
        state,
        xs,
        jnp.asarray(0 if qr_interval is None else qr_interval, jnp.int32),
        count=count,
        transient=transient,
        batches=batches,
        batch_length=batch_length,
    )
    return LyapunovSpectrum(
        exponents=exponents,
        standard_errors=errors,
        logdet_residual=residual,
        qr_interval=interval,
        state_size=size,
        steps=batches * batch_length,
        transient=transient,
        batches=batches,
    )


def _measured(
    step: Step,
    state: State,
    xs: Inputs,
    asked_interval: Array,
    *,
    count: int,
    transient: int,
    batches: int,
    batch_length: int,
) -> tuple[Array, Array, Array, Array]:
    with jax.default_matmul_precision("highest"):
        size, dtype = real_size(state), real_dtype(state)
        # Any start will do that is in general position: the same for every dtype and every count.
        start = jax.random.normal(jax.random.key(0), (size, size), jnp.float32).astype(dtype)
        basis, _ = tangents.orthonormal(start[:, :count])
        interval = jnp.maximum(asked_interval, 1)
        all_finite = jnp.ones((), bool)
        if transient:
            early = jax.tree.map(lambda leaf: leaf[:transient], xs)
            state, material, all_finite = _prepared(step, state, early, transient)
            basis, interval = _settled(step, material, basis, asked_interval, transient)
            basis, _ = tangents.orthonormal(basis)

        def batch(carry, xs):
            state, basis, was_finite = carry
            state, material, all_finite = _prepared(step, state, xs, batch_length)
            all_finite = all_finite & was_finite
            basis, growth, lost, mismatch = _advanced(step, material, basis, interval, batch_length)
            basis, diagonal = tangents.orthonormal(basis)
            logs = jnp.where(all_finite, tangents.multiplied(growth, diagonal).log(), jnp.nan)
            return (state, basis, all_finite), (logs, lost, mismatch)

        later = jax.tree.map(
            lambda leaf: leaf[transient:].reshape(batches, batch_length, *leaf.shape[1:]), xs
        )
        start = (state, basis, all_finite)
        _, (logs, lost, mismatch) = jax.lax.scan(batch, start, later, length=batches)
        exponents, errors = _exponents(logs / batch_length, lost, -(-batch_length // interval) * batches)
        excess, steps = jax.tree.map(jnp.sum, mismatch)
        residual = jnp.abs(excess) / (steps * size).astype(dtype)
        residual = jnp.where(jnp.isfinite(residual), residual, jnp.nan)
        return exponents, errors, residual, interval


def _prepared(step: Step, state: State, xs: Inputs, length: int) -> tuple[State, Any, Array]:
    """The state after these steps, what their Jacobians need, and whether every state was finite.

    The derivative of a rectifier at NaN is 0, so a chain over states that are not finite would look
    like one that vanished.
    """
    before, last = states_before(step, state, xs, length)
    material = jax.vmap(partial(prepared, step))(before, xs)
    return last, material, jnp.all(jax.vmap(is_finite)(before)) & is_finite(last)


def _settled(
    step: Step, material: Any, basis: Array, asked_interval: Array, length: int
) -> tuple[Array, Array]:
    """The basis after the transient, and the interval that the spread of the pivots allows.

    The interval grows from 1, at most doubling at a time; what counts is the smallest of the
    second half, when the state has settled.
    """
    tolerated = -0.5 * jnp.log(jnp.finfo(basis.dtype).eps).astype(basis.dtype)

    def advance(carry):
        time, interval, least, basis = carry
        steps = jnp.minimum(interval, length - time)
        made, _ = _between(step, material, basis, time, steps)
        largest = jnp.max(made.pivots)
        smallest = jnp.min(jnp.where(made.pivots > 0, made.pivots, largest))
        spread = jnp.log(largest) - jnp.log(smallest)
        allowed = steps.astype(spread.dtype) * tolerated / spread
        # Not a number where the pivots are all zero or not finite, and no limit where all are equal.
        allowed = jnp.where(jnp.isnan(allowed), 1, jnp.minimum(allowed, LONGEST_INTERVAL))
        interval = jnp.clip(allowed.astype(jnp.int32), 1, 2 * interval)
        interval = jnp.where(asked_interval > 0, asked_interval, interval)
        least = jnp.where(2 * time >= length, jnp.minimum(least, interval), least)
        return time + steps, interval, least, made.basis

    first = jnp.maximum(asked_interval, 1)
    start = (jnp.zeros((), jnp.int32), first, jnp.iinfo(jnp.int32).max * jnp.ones((), jnp.int32), basis)
    _, last, least, basis = jax.lax.while_loop(lambda carry: carry[0] < length, advance, start)
    return basis, jnp.minimum(least, last)


def _advanced(
    step: Step, material: Any, basis: Array, interval: Array, length: int
) -> tuple[Array, ScaledNumber, Array, tuple[Array, Array]]:
    """One batch: the last basis, the products of the pivots, how often each pivot was lost in
    rounding, and the log-determinants' mismatch in its middle interval with that interval's steps."""
    size, count = basis.shape
    intervals = -(-length // interval)

    def advance(index, carry):
        basis, growth, lost, mismatch = carry
        first = index * interval
        steps = jnp.minimum(interval, length - first)
        made, exponent = _between(step, material, basis, first, steps)
        if count == size:

            def compared():
                ours = jnp.sum(jnp.log(made.pivots)) + (exponent * size).astype(basis.dtype) * LN2
                return ours - _log_determinants(step, material, first, steps, size, basis.dtype), steps

            mismatch = jax.lax.cond(index == intervals // 2, compared, lambda: mismatch)
        growth = tangents.multiplied(growth, made.pivots, exponent)
        return made.basis, growth, lost + made.is_rounding.astype(jnp.int32), mismatch

    nothing = (jnp.full((), 0 if count == size else jnp.nan, basis.dtype), jnp.zeros((), jnp.int32))
    start = (basis, tangents.ones(count, basis.dtype), jnp.zeros(count, jnp.int32), nothing)
    return jax.lax.fori_loop(0, intervals, advance, start)


def _between(
    step: Step, material: Any, basis: Array, first: Array, steps: Array
) -> tuple[tangents.Triangular, Array]:
    """Pushes the basis through `steps` Jacobians and factors it; the pivots are to be multiplied by
    2**exponent, the second result."""
    size, count = basis.shape

    def push(time, columns):
        return tangents.pushed(step, _at(material, time), columns)

    def extend(done, carry):
        columns, exponent = carry
        columns, shift = tangents.rescaled(columns)
        return push(first + done, columns), exponent + shift

    start = (push(first, basis), jnp.zeros((), jnp.int32))
    columns, exponent = jax.lax.fori_loop(1, steps, extend, start)
    made = tangents.eliminated(columns, steps)

    def with_exact_zeros():
        """A Jacobian with z zero rows or columns takes z dimensions; rounding may hide that."""

        def zero_lines(done, most):
            zero = tangents.dense_jacobian(step, _at(material, first + done), size, basis.dtype) == 0
            rows, columns = (jnp.sum(jnp.all(zero, axis=axis)) for axis in (1, 0))
            return jnp.maximum(most, jnp.maximum(rows, columns).astype(jnp.int32))

        missing = jax.lax.fori_loop(0, steps, zero_lines, jnp.zeros((), jnp.int32))
        is_zero = made.pivots == 0
        zeros = jnp.sum(is_zero, dtype=jnp.int32)
        # Those that rounding hides are the last of the others.
        others_from_end = jnp.cumsum((~is_zero)[::-1], dtype=jnp.int32)[::-1]
        hidden = jnp.maximum(missing - (size - count) - zeros, 0)
        pivots = jnp.where(~is_zero & (others_from_end <= hidden), 0, made.pivots)
        # Over several steps a pivot can cancel to zero by chance; in one it says that J is singular.
        by_chance = is_zero & (zeros > missing) & (steps > 1)
        return jnp.where(by_chance, jnp.nan, pivots), made.is_rounding & (pivots > 0)

    pivots, lost = jax.lax.cond(
        jnp.any(made.is_rounding), with_exact_zeros, lambda: (made.pivots, made.is_rounding)
    )
    return tangents.Triangular(made.basis, pivots, lost), exponent


def _log_determinants(step: Step, material: Any, first: Array, steps: Array, size: int, dtype) -> Array:
    def add(done, total):
        jacobian = tangents.dense_jacobian(step, _at(material, first + done), size, dtype)
        return total + jnp.linalg.slogdet(jacobian)[1]

    return jax.lax.fori_loop(0, steps, add, jnp.zeros((), dtype))


def _exponents(rates: Array, lost: Array, intervals: Array) -> tuple[Array, Array]:
    """Means and standard errors over batches, shape (batches, count), in descending order."""
    exponents = jnp.mean(rates, axis=0)
    exponents = jnp.where(20 * jnp.sum(lost, axis=0, dtype=jnp.int32) >= intervals, jnp.nan, exponents)
    errors = jnp.std(rates, axis=0, ddof=1) / rates.shape[0] ** 0.5
    errors = jnp.where(jnp.isfinite(exponents), errors, jnp.nan)
    order = jnp.argsort(-exponents)  # NaN comes last
    return exponents[order], errors[order]


def _at(tree: Any, index: Array) -> Any:
    return jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, index, keepdims=False), tree)
