"""Lyapunov exponents: at what rates a step's Jacobian chain stretches space, forward in time."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.coordinates import real_dtype, real_size
from rnn_jax.jacobian.declared import check_declaration
from rnn_jax.jacobian.factorizations import FACTORIZATIONS, fastest
from rnn_jax.jacobian.sweep import measured
from rnn_jax.shown import brief
from rnn_jax.step import Inputs, State, Step, call_compiled, checked
from rnn_jax.whole_numbers import is_whole


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["exponents", "standard_errors", "logdet_residual", "qr_interval"],
    meta_fields=["state_size", "steps", "transient", "batches", "factorization"],
)
@brief
@dataclass(frozen=True)
class LyapunovSpectrum:
    """Lyapunov exponents, in nats a step, and how far they can be trusted.

    Attributes:
        exponents: in descending order, shape (count,). -inf where the chain is singular and it shows: a
            Jacobian has a row or column of zeros. NaN where a state was not finite, or where an exponent is lost in
            rounding: a Jacobian is singular without zeros, or may be to rounding. Where some Jacobian is near to
            singular, or the log-determinants disagree, three batches of these, of 40 steps at least, are gone through again,
            rounded another way: NaN too from the first exponent on that it moves.
        standard_errors: of each, by batch means, shape (count,). A 95% interval is the exponent
            plus or minus `scipy.stats.t.ppf(0.975, batches - 1)` standard errors: 2.09 for 20
            batches. NaN beside an exponent that is not finite.
        logdet_residual: abs(sum of the exponents - mean ln abs det J_t) / n, which is zero for
            exact arithmetic, over the steps between two factorizations once in every batch, in its middle. NaN where
            fewer than n exponents were asked for, a state was not finite or the chain is singular.
        qr_interval: how many steps lay between two factorizations, but for stretches that were gone
            through again step by step, as a pivot was lost.
        state_size: n.
        steps: over how many steps the exponents were measured.
        transient: how many steps before them were discarded.
        batches: into how many stretches the measured steps were cut for the standard errors.
        factorization: how the columns were factored.
    """

    exponents: Array
    standard_errors: Array
    logdet_residual: Array
    qr_interval: Array
    state_size: int
    steps: int
    transient: int
    batches: int
    factorization: str = "elimination"

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
        known of the exponents, ends before. A sum that is zero to rounding counts as zero.

        References:
            Kaplan & Yorke 1979; Frederickson, Kaplan, Yorke, Yorke 1983.
        """
        exponents, known = self._known()
        sums = jnp.cumsum(exponents, axis=-1)
        count = exponents.shape[-1]
        largest = jnp.max(jnp.where(jnp.isfinite(exponents), jnp.abs(exponents), 0), axis=-1, keepdims=True)
        rounding = jnp.cumsum(jnp.full_like(sums, jnp.finfo(sums.dtype).eps) * (1 + largest), axis=-1)
        whole = jnp.sum(
            jnp.cumprod(sums >= -rounding, axis=-1), axis=-1
        )  # the last j whose sum is not negative
        last = jnp.maximum(whole - 1, 0)[..., None]
        following = jnp.minimum(whole, count - 1)[..., None]
        rest = jnp.maximum(jnp.take_along_axis(sums, last, axis=-1)[..., 0], 0)
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
    factorization: str = "auto",
) -> LyapunovSpectrum:
    """Lyapunov exponents of a recurrent step along a sequence of inputs.

    Columns are pushed forward through the step Jacobians and factored again and again, so that none
    is lost in another; the logs of the pivots are the exponents. Memory grows with the states of one
    batch and the inputs. They can be differentiated forwards (`jax.jvp`, `jax.jacfwd`), not backwards. Three batches
    more are gone through where a Jacobian is near to singular; under `jax.vmap` always.

    Args:
        step: a callable `(state, x) -> state`; see `jacobian_chain`.
        state: the initial state h_0, a pytree of n real coordinates, in float32 or float64.
        xs: the inputs x_1..x_T, leading with the time axis, or None for an autonomous net.
        length: T, for `xs=None`.
        count: only the first `count` exponents, at a cost of n x n x count a step; all n if None.
        qr_interval: factor every so many steps. If None it is chosen from how far the pivots spread
            during the transient, so that the condition number of what lies between two
            factorizations stays near eps**-0.5: 1e8 in float64, 3e3 in float32 (eps**-0.4 for
            "cholesky": 2e6 and 6e2); at most 32 steps, and 1 where there is no transient. The choice
            is made inside the compiled program, so `jit` and `vmap` make the same one. Where it was too
            long for some stretch (a condition number over eps**-0.75, or eps**-0.6), that is factored at every step.
        transient: at least so many steps are discarded at first, while the state settles and the
            columns align; a tenth of T if None. What does not divide evenly into batches is
            discarded too.
        batches: into how many stretches the rest is cut for the standard errors. Each should be
            long against the correlation time of the net.
        factorization: "elimination" with row pivoting, "qr" by Householder reflections, "cholesky" of
            the Gram matrix of one panel of columns after the other, twice where once leaves them far from
            orthogonal, and by elimination where it breaks down or loses a pivot; "auto": what should be fastest on this
            device. All that are known are the same to rounding; the result says which it was. "qr" knows fewest:
            elimination keeps the small rows of a saturated net apart from the large ones.

    Returns:
        a `LyapunovSpectrum`. Under `jax.vmap` its arrays get the batch axis.

    Raises:
        ValueError: an argument lies outside its range or is unknown, the sequence is too short for the batches,
            the state is of 16 bits, or as for `jacobian_chain`.

    References:
        Benettin, Galgani, Giorgilli, Strelcyn 1980; Engelken, Wolf, Abbott 2023, Phys. Rev. Research 5,
        043044 for recurrent nets. Batch means: Law & Kelton, Simulation Modeling and Analysis, chapter 9.
    """
    state, xs, length = checked(step, state, xs, length)
    check_declaration(step, state, xs)
    size = real_size(state)
    if jnp.finfo(real_dtype(state)).bits < 32:
        raise ValueError(
            f"state must be float32 or float64, got {real_dtype(state)}; cast the cell and inputs"
        )
    for name, value in {
        "count": count, "qr_interval": qr_interval, "transient": transient, "batches": batches
    }.items():  # fmt: skip
        if value is not None and not is_whole(value):
            raise ValueError(f"{name} must be a whole number, got {value!r}")
    if length < 2:
        name = "length must be" if xs is None else "xs must hold"
        raise ValueError(f"{name} at least two steps, one for each of two batches, got {length}")
    count = size if count is None else count
    if not 1 <= count <= size:
        raise ValueError(f"count must lie in 1..{size}, the size of the state, got {count}")
    if qr_interval is not None and qr_interval < 1:
        raise ValueError(f"qr_interval must be at least 1, got {qr_interval}")
    if factorization not in FACTORIZATIONS:
        raise ValueError(f"factorization must be among {', '.join(FACTORIZATIONS)}, got {factorization!r}")
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
    factorization = fastest() if factorization == "auto" else factorization
    exponents, errors, residual, interval = call_compiled(
        measured,
        (step,),
        state,
        xs,
        jnp.asarray(0 if qr_interval is None else qr_interval, jnp.int32),
        count=count,
        transient=transient,
        batches=batches,
        batch_length=batch_length,
        factorization=factorization,
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
        factorization=factorization,
    )
