"""The sweep over time that gives Lyapunov exponents: columns pushed forward, factored again and again.

A step costs the product of its Jacobian with the columns: 2 n x n x count for a dense step, no matrix
of the Jacobian's own being formed where the step declares its structure. An interval costs one
factorization more, and a batch one orthonormalization and the log-determinants of one interval.
Memory holds the columns, twice, and what the steps of one batch need. Where rounding may decide an exponent a few batches
are gone through a second time, rounded another way.

These functions are traced: their arguments were checked, and they are compiled, by their callers.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.batching import one_at_a_time
from rnn_jax.coordinates import real_dtype, real_size
from rnn_jax.jacobian import scaled, tangents
from rnn_jax.jacobian.factorizations import (
    Triangular,
    factored,
    orthonormal,
    rounding,
    tolerated_spread,
    with_rounding_of_product,
)
from rnn_jax.jacobian.material import is_finite, states_before
from rnn_jax.jacobian.scaled import LN2, ScaledNumber
from rnn_jax.jacobian.structure import prepared
from rnn_jax.step import Inputs, State, Step
from rnn_jax.unrolling import traced_loop

LONGEST_INTERVAL = 32
"""Beyond it a factorization costs a few percent of the products between two of them."""

_FAR_SPREAD = 1.5
"""Times the spread that is tolerated: the last pivot of an interval is then wrong by about eps**0.25, 2% in float32."""

_BY_CHANCE = 100
"""Times the rounding error of a step: in so large a share of the steps the last pivot of a well-conditioned Jacobian may
be as small as rounding. A net of 4,096 units in float32 has some such steps in 6,000, each of which moves an exponent by
a thousandth of its standard error."""

_AGAIN = 3, 40
"""Where some Jacobian is near to singular, so many batches, of so many steps in all at least, are gone through a second
time: one batch can miss what rounding decides, and in a few steps it does not grow. Each costs as much as any other."""

_MOVED_BY_ROUNDING = 10, 1e-2
"""Times eps**0.25 (2e-2 in float32, 1e-4 in float64), in nats and in nats a step, by the larger of which the second
time may move the log of half of the batches. Where rounding decides most move by units of 1; else by 1e-7 in float64 and
0.02 in float32, but by units of 1 where one step has a small pivot by chance."""

_MISMATCH = 1e-3
"""Of the log-determinants, in nats for each unit and step: so much is no rounding of single steps."""


def measured(
    step: Step,
    state: State,
    xs: Inputs,
    asked_interval: Array,
    *,
    count: int,
    transient: int,
    batches: int,
    batch_length: int,
    factorization: str,
) -> tuple[Array, Array, Array, Array]:
    """The exponents, their standard errors, the log-determinants' residual and the interval."""
    with jax.default_matmul_precision("highest"):
        size, dtype = real_size(state), real_dtype(state)
        # Any start will do that is in general position: the same for every dtype and every count.
        start = jax.random.normal(jax.random.key(0), (size, size), jnp.float32).astype(dtype)
        basis, _ = orthonormal(start[:, :count], factorization)
        interval = jnp.maximum(asked_interval, 1)
        all_finite = jnp.ones((), bool)
        if transient:
            early = jax.tree.map(lambda leaf: leaf[:transient], xs)
            state, material, all_finite = _prepared(step, state, early, transient)
            basis, interval = _settled(step, material, basis, asked_interval, transient, factorization)
            basis, _ = orthonormal(basis, factorization)

        later = jax.tree.map(
            lambda leaf: leaf[transient:].reshape(batches, batch_length, *leaf.shape[1:]), xs
        )
        again = min(max(_AGAIN[0], -(-_AGAIN[1] // batch_length)), batches)
        other_rounding = _other_rounding(basis)

        def batch(carry, number):
            now, (kept, first, doubts), was_doubtful = carry
            is_again = number >= batches
            now = _where(number == batches, kept, now)
            state, basis, was_finite = now
            index = jnp.where(is_again, first + number - batches, number)
            state, material, all_finite = _prepared(step, state, _at(later, index), batch_length)
            all_finite = all_finite & was_finite
            nudge = jnp.where(is_again, other_rounding, jnp.ones_like(other_rounding))
            basis, growth, lost, mismatch, is_doubtful = _advanced(
                step, material, basis, interval, batch_length, factorization, nudge
            )
            basis, diagonal = orthonormal(basis, factorization)
            logs = jnp.where(all_finite, scaled.multiplied(growth, diagonal).log(), jnp.nan)
            excess, steps = mismatch
            is_doubtful = is_doubtful | (jnp.abs(excess) > _MISMATCH * size * steps.astype(dtype))
            # What is gone through again begins where the first doubts follow each other, at the latest where enough is left.
            doubts = doubts + (is_doubtful & (number == first + doubts)).astype(jnp.int32)
            is_first = (number < batches - again) & is_doubtful & (doubts < again) & (number > first + doubts)
            is_first = is_first | ((number == batches - again) & (doubts == 0))
            start = _where(is_first, (now, number, is_doubtful.astype(jnp.int32)), (kept, first, doubts))
            return ((state, basis, all_finite), start, was_doubtful | is_doubtful), (logs, lost, mismatch)

        def batch_or_nothing(carry, number):
            is_wanted = (number < batches) | carry[-1]
            nothing = jax.tree.map(
                lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(batch, carry, number)[1]
            )
            return jax.lax.cond(is_wanted, batch, lambda carry, number: (carry, nothing), carry, number)

        now, zero = (state, basis, all_finite), jnp.zeros((), jnp.int32)
        numbers = jnp.arange(batches + again, dtype=jnp.int32)
        (_, (_, first, _), is_doubtful), (logs, lost, mismatch) = jax.lax.scan(
            batch_or_nothing, (now, (now, zero, zero), jnp.zeros((), bool)), numbers
        )
        once, twice = jax.lax.dynamic_slice_in_dim(logs, first, again), logs[batches:]
        moved = jnp.where((once == twice) | ~is_doubtful, 0, jnp.abs(once - twice))
        logs, lost, mismatch = jax.tree.map(lambda leaf: leaf[:batches], (logs, lost, mismatch))
        allowed = _BY_CHANCE * rounding(size, dtype) * batches * batch_length
        exponents, errors = _exponents(logs, jnp.median(moved, axis=0), batch_length, lost, allowed)
        excess, steps = jax.tree.map(jnp.sum, mismatch)
        residual = jnp.abs(excess) / (steps * size).astype(dtype)
        residual = jnp.where(jnp.isfinite(residual), residual, jnp.nan)
        return exponents, errors, residual, interval


def _other_rounding(basis: Array) -> Array:
    """What a basis is multiplied by, entry by entry, so that all that follows is rounded another way."""
    signs = jax.random.rademacher(jax.random.key(1), basis.shape, jnp.int32).astype(basis.dtype)
    return 1 + 2 * jnp.finfo(basis.dtype).eps * signs


def _where(condition: Array, of_this: Any, of_that: Any) -> Any:
    return jax.tree.map(partial(jnp.where, condition), of_this, of_that)


def _prepared(step: Step, state: State, xs: Inputs, length: int) -> tuple[State, Any, Array]:
    """The state after these steps, what their Jacobians need, and whether every state was finite.

    The derivative of a rectifier at NaN is 0, so a chain over states that are not finite would look
    like one that vanished.
    """
    before, last = states_before(step, state, xs, length)
    material = jax.vmap(partial(prepared, step))(before, xs)
    return last, material, jnp.all(jax.vmap(is_finite)(before)) & is_finite(last)


def _settled(
    step: Step, material: Any, basis: Array, asked_interval: Array, length: int, factorization: str
) -> tuple[Array, Array]:
    """The basis after the transient, and the interval that the spread of the pivots allows.

    The interval grows from 1, at most doubling at a time; what counts is the smallest of the
    second half, when the state has settled.
    """
    tolerated = jnp.asarray(tolerated_spread(basis.dtype, factorization), basis.dtype)

    def advance(carry):
        time, interval, least, basis = carry
        steps = jnp.minimum(interval, length - time)
        made, _ = _between(step, material, basis, time, steps, factorization)
        spread = _spread(made.pivots)
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


def _spread(pivots: Array) -> Array:
    """Log of the largest over the smallest of those that are not zero."""
    largest = jnp.max(pivots)
    return jnp.log(largest) - jnp.log(jnp.min(jnp.where(pivots > 0, pivots, largest)))


def _advanced(
    step: Step,
    material: Any,
    basis: Array,
    interval: Array,
    length: int,
    factorization: str,
    nudge: Array,
) -> tuple[Array, ScaledNumber, Array, tuple[Array, Array], Array]:
    """One batch: the last basis, the products of the pivots, at how many steps each pivot was lost in
    rounding, the log-determinants' mismatch in its middle interval with that interval's steps, and
    whether some pivot is lost at a step of its own, so that rounding may decide later ones too.

    Every interval's first basis is multiplied by `nudge`, entry by entry. An interval in which a pivot is lost, or wrong in its first digits, is gone through again, factored at every step.
    """
    size, count = basis.shape
    tolerated = _FAR_SPREAD * tolerated_spread(basis.dtype, factorization)

    def advance(carry):
        time, one_by_one_until, before, growth, lost, mismatch, is_doubtful = carry
        steps = jnp.where(time < one_by_one_until, 1, jnp.minimum(interval, length - time))
        made, exponent = _between(step, material, nudge * before, time, steps, factorization)
        # Not a number where a pivot is not: neither is the spread under any bound.
        is_right = ~jnp.any(made.is_rounding) & (_spread(made.pivots) <= tolerated)
        again = (steps > 1) & ~(is_right | jnp.all(made.pivots == 0))
        if count == size:

            def compared():
                ours = jnp.sum(jnp.log(made.pivots)) + (exponent * size).astype(basis.dtype) * LN2
                if factorization == "cholesky":  # the only one whose bases have no determinant of 1
                    ours = ours + _log_volume(made.basis) - _log_volume(before)
                return ours - _log_determinants(step, material, time, steps, size, basis.dtype), steps

            is_middle = (time <= length // 2) & (length // 2 < time + steps) & ~again
            mismatch = jax.lax.cond(is_middle, compared, lambda: mismatch)
        growth = jax.tree.map(
            partial(jnp.where, again), growth, scaled.multiplied(growth, made.pivots, exponent)
        )
        return (
            jnp.where(again, time, time + steps),
            jnp.where(again, time + steps, one_by_one_until),
            jnp.where(again, before, made.basis),
            growth,
            jnp.where(again, lost, lost + made.is_rounding.astype(jnp.int32)),
            mismatch,
            is_doubtful | (jnp.any(made.is_rounding) & ~again),
        )

    start = jnp.zeros((), jnp.int32)
    nothing = (jnp.full((), 0 if count == size else jnp.nan, basis.dtype), start)
    carry = (
        start,
        start,
        basis,
        scaled.ones(count, basis.dtype),
        jnp.zeros(count, jnp.int32),
        nothing,
        jnp.zeros((), bool),
    )
    carry = jax.lax.while_loop(lambda carry: carry[0] < length, advance, carry)
    _, _, basis, growth, lost, mismatch, is_doubtful = carry
    return basis, growth, lost, mismatch, is_doubtful


def _between(
    step: Step, material: Any, basis: Array, first: Array, steps: Array, factorization: str
) -> tuple[Triangular, Array]:
    """Pushes the basis through `steps` Jacobians and factors it; the pivots are to be multiplied by
    2**exponent, the second result."""
    size, count = basis.shape

    def push(time, columns):
        return tangents.pushed(step, _at(material, time), columns)

    def extend(done, carry):
        columns, exponent = carry
        columns, shift = tangents.rescaled(columns)
        return push(first + 1 + done, columns), exponent + shift

    start = (push(first, basis), jnp.zeros((), jnp.int32))
    columns, exponent = traced_loop(steps - 1, extend, start)
    made = factored(columns, steps, factorization)

    def looked_at() -> tuple[Array, Array]:
        """The pivots and which are lost in rounding, that of the product itself included where there was one alone.

        A Jacobian with z zero rows or columns takes z dimensions; rounding may hide that.
        """

        def look(done, carry):
            most, made = carry
            jacobian = tangents.dense_jacobian(step, _at(material, first + done), size, basis.dtype)
            zero = jacobian == 0
            rows, columns = (jnp.sum(jnp.all(zero, axis=axis)) for axis in (1, 0))
            made = jax.lax.cond(
                made.is_suspect & (steps == 1),
                lambda: with_rounding_of_product(made, jacobian, basis),
                lambda: made,
            )
            return jnp.maximum(most, jnp.maximum(rows, columns).astype(jnp.int32)), made

        missing, closer = jax.lax.fori_loop(0, steps, look, (jnp.zeros((), jnp.int32), made))
        is_zero = closer.pivots == 0
        zeros = jnp.sum(is_zero, dtype=jnp.int32)
        # Those that rounding hides are the last of the others.
        others_from_end = jnp.cumsum((~is_zero)[::-1], dtype=jnp.int32)[::-1]
        hidden = jnp.maximum(missing - (size - count) - zeros, 0)
        pivots = jnp.where(~is_zero & (others_from_end <= hidden), 0, closer.pivots)
        # Over several steps a pivot can cancel to zero by chance; in one it stays zero only where nothing cancelled.
        by_chance = is_zero & (zeros > missing) & (steps > 1)
        return jnp.where(by_chance, jnp.nan, pivots), closer.is_rounding & (pivots > 0)

    pivots, lost = jax.lax.cond(
        made.is_suspect | jnp.any(made.is_rounding), looked_at, lambda: (made.pivots, made.is_rounding)
    )
    return replace(made, pivots=pivots, is_rounding=lost), exponent


def _log_determinants(step: Step, material: Any, first: Array, steps: Array, size: int, dtype) -> Array:
    def add(done, total):
        jacobian = tangents.dense_jacobian(step, _at(material, first + done), size, dtype)
        return total + _log_determinant(jacobian)

    return jax.lax.fori_loop(0, steps, add, jnp.zeros((), dtype))


def _log_determinant(matrix: Array) -> Array:
    return one_at_a_time(lambda each: jnp.linalg.slogdet(each)[1])(matrix)


def _log_volume(basis: Array) -> Array:
    """ln abs det of columns: of nearly orthonormal ones by their Gram matrix, by products where an LU goes column by column."""
    pivots = jnp.diagonal(jnp.linalg.cholesky(basis.T @ basis, symmetrize_input=False))
    nearly = jnp.all((pivots > 0.9) & (pivots < 1.1))
    return jax.lax.cond(nearly, lambda: jnp.sum(jnp.log(pivots)), lambda: _log_determinant(basis))


def _exponents(logs: Array, moved: Array, steps: int, lost: Array, allowed: float) -> tuple[Array, Array]:
    """Means and standard errors over batches, shape (batches, count), in descending order.

    NaN where more pivots were lost than are allowed, and from the first on that another rounding `moved` too far: the
    columns after it were kept apart from rounding errors, not from it.
    """
    exponents = jnp.mean(logs, axis=0) / steps
    errors = jnp.std(logs, axis=0, ddof=1) / (steps * logs.shape[0] ** 0.5)
    tolerated = (
        max(_MOVED_BY_ROUNDING[0], _MOVED_BY_ROUNDING[1] * steps) * float(jnp.finfo(logs.dtype).eps) ** 0.25
    )
    is_moved = ~(moved <= tolerated)  # as is what is not a number
    is_after = (jnp.cumsum(is_moved, dtype=jnp.int32) > 0) & (exponents > -jnp.inf)
    is_lost = jnp.sum(lost, axis=0, dtype=jnp.int32) > int(allowed)
    exponents = jnp.where(is_lost | is_after, jnp.nan, exponents)
    errors = jnp.where(jnp.isfinite(exponents), errors, jnp.nan)
    order = jnp.argsort(-exponents)  # NaN comes last
    return exponents[order], errors[order]


def _at(tree: Any, index: Array) -> Any:
    return jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, index, keepdims=False), tree)
