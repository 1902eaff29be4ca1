"""The number format of a long product: a mantissa times an integer power of two.

A product of a million step Jacobians has entries such as 2**-1_000_000. Here each row of a matrix
carries its own integer exponent. The rows of a product `P @ J` depend on the rows of `P` one by
one, so rows of very different size never push each other out of range, and a change of exponent is
exact: the only rounding is that of the matrix product itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from rnn_jax.dtypes import at_least_float32

LN2 = float(np.log(2.0))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ScaledNumber:
    """Numbers `mantissa * 2**exponent`, elementwise, that are not negative.

    Attributes:
        mantissa: shape (...).
        exponent: shape (...), int32.
    """

    mantissa: Array
    exponent: Array

    def log(self) -> Float[Array, "..."]:
        """Natural logarithm in the mantissa's dtype; -inf for an exact zero."""
        return _log(self)

    def log_float64(self) -> np.ndarray:
        """Natural logarithm as a NumPy float64 array, whatever the mantissa's dtype."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.asarray(self.mantissa, np.float64)) + np.asarray(self.exponent) * LN2)

    def log10_float64(self) -> np.ndarray:
        """Decimal logarithm as a NumPy float64 array."""
        return self.log_float64() / np.log(10.0)


def ones(count: int, dtype: Any) -> ScaledNumber:
    """The number 1, `count` times: an empty product."""
    return ScaledNumber(jnp.ones(count, dtype), jnp.zeros(count, jnp.int32))


def multiplied(number: ScaledNumber, by: Float[Array, "..."], exponent: Any = 0) -> ScaledNumber:
    """number * by * 2**exponent, for `by` not negative.

    A product of pivots is held so, and its log taken at the end: a sum of as many logs would lose
    digits in proportion to its size.
    """
    first = exponent_of(by)
    mantissa = number.mantissa * (by * power_of_two(-first, by.dtype))
    second = exponent_of(mantissa)
    mantissa = mantissa * power_of_two(-second, mantissa.dtype)
    return ScaledNumber(mantissa, number.exponent + first + second + exponent)


@jax.jit
def _log(number: ScaledNumber) -> Array:
    return jnp.log(number.mantissa) + number.exponent.astype(number.mantissa.dtype) * LN2


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ScaledMatrix:
    """A matrix held as `mantissa[i, j] * 2**exponent[i]`, one integer exponent a row.

    Within one row, entries further apart than the dtype's range are lost to the larger one. What comes out of
    `jax.vmap` is a batch of matrices, of which the methods give one result each.

    Attributes:
        mantissa: shape (rows, columns), rows of about unit size.
        exponent: shape (rows,), int32.
    """

    mantissa: Array
    exponent: Array

    def to_array(self) -> Float[Array, "*batch rows columns"]:
        """The matrix as plain numbers; entries outside the dtype's range become 0 or inf."""
        return jnp.ldexp(self.mantissa, self.exponent[..., None])

    def log_frobenius_norm(self) -> Float[Array, "*batch"]:
        """Natural log of the Frobenius norm; -inf where the matrix is exactly zero."""
        return self._of_each(frobenius_norm).log()

    def log_spectral_norm(self) -> Float[Array, "*batch"]:
        """Natural log of the largest singular value; -inf where the matrix is exactly zero."""
        return self._of_each(spectral_norm).log()

    def log_row_norms(self) -> Float[Array, "*batch rows"]:
        """Natural log of each row's Euclidean norm; -inf for a row of exact zeros."""
        return self._of_each(row_norms).log()

    def _of_each(self, norm: Callable[["ScaledMatrix"], ScaledNumber]) -> ScaledNumber:
        for _ in range(self.mantissa.ndim - 2):
            norm = jax.vmap(norm)
        return norm(self)


def from_array(array: Float[Array, "rows columns"]) -> ScaledMatrix:
    """Holds a plain matrix in scaled form; exact."""
    return normalized(array, jnp.zeros(array.shape[0], jnp.int32))


def normalized(matrix: Float[Array, "rows columns"], exponent: Int[Array, " rows"]) -> ScaledMatrix:
    """Moves each row's size into its exponent; exact, also for rows of zeros, inf or NaN."""
    peak = jnp.max(jnp.abs(matrix), axis=1)
    usable = (peak > 0) & jnp.isfinite(peak)
    shift = jnp.where(usable, jnp.frexp(peak)[1], 0).astype(jnp.int32)
    # In two factors: 2**-128 is no normal number of float32, and its largest entries would stay over 1.
    half = shift >> 1
    down = [power_of_two(-part, matrix.dtype)[:, None] for part in (half, shift - half)]
    return ScaledMatrix(matrix * down[0] * down[1], exponent + shift)


def exponent_of(peak: Float[Array, "..."]) -> Int[Array, "..."]:
    """`frexp`'s exponent; 0 for zero, inf and NaN.

    It is kept where both 2**e and 2**-e are normal numbers; what is left over goes next time.
    """
    _, exponent = jnp.frexp(peak)
    usable = (peak > 0) & jnp.isfinite(peak)
    limit = _exponent_limit(peak.dtype)
    return jnp.where(usable, jnp.clip(exponent, -limit, limit), 0).astype(jnp.int32)


def _exponent_limit(dtype: Any) -> int:
    """The largest e for which 2**e and 2**-e are both normal numbers, less one."""
    return -int(jnp.finfo(dtype).minexp) - 1


def power_of_two(exponent: Int[Array, "..."], dtype: Any) -> Float[Array, "..."]:
    """2**exponent, exact, written into the bits.

    Exponents below the dtype's normal range give 0; those above it its largest power of two.

    `jnp.ldexp` goes through `pow`, which is not exact on every backend.
    """
    layout = jnp.finfo(dtype)
    bits = jnp.dtype(f"int{layout.bits}")
    biased = jnp.clip(exponent, layout.minexp - 1, layout.maxexp - 1) - (layout.minexp - 1)
    return jax.lax.bitcast_convert_type(biased.astype(bits) << layout.nmant, jnp.dtype(dtype))


def row_squares(rows: Float[Array, "rows columns"]) -> Float[Array, " rows"]:
    """Sum of squares of each row, at least in float32.

    As a product with ones: on a CPU it costs a tenth of what `jnp.sum` does. A measurement is exact
    whatever the precision of the products that are measured.
    """
    entries = at_least_float32(rows)
    return jnp.matmul(jnp.square(entries), jnp.ones(entries.shape[1], entries.dtype), precision="highest")


def rescaled(
    rows: Float[Array, "rows columns"], squares: Float[Array, " rows"], exponent: Int[Array, " rows"]
) -> ScaledMatrix:
    """Moves each row's size, known from its sum of squares, into its exponent; exact."""
    shift = _half_exponent(squares)
    return ScaledMatrix(rows * power_of_two(-shift, rows.dtype)[:, None], exponent + shift)


def _half_exponent(squares: Float[Array, " rows"]) -> Int[Array, " rows"]:
    """The exponent of the square root; 0 for zero, inf and NaN."""
    _, exponent = jnp.frexp(squares)
    return jnp.where((squares > 0) & jnp.isfinite(squares), (exponent + 1) >> 1, 0)


def safe_squares(dtype: Any) -> tuple[float, float]:
    """Between which sums of squares a row keeps its full precision, and room to spare, unscaled.

    Entries too small to count in such a row may be flushed to zero.
    """
    exponent = -int(jnp.finfo(dtype).minexp) * 5 // 8
    return 2.0**-exponent, 2.0**exponent


def product(left: ScaledMatrix, right: ScaledMatrix) -> ScaledMatrix:
    """left @ right, in JAX's default precision of products.

    Each row of the result takes the largest of its terms' exponents; a term smaller than that by
    more than the dtype's range is below rounding.
    """
    lowest = jnp.iinfo(jnp.int32).min // 2
    present = jnp.any(right.mantissa != 0, axis=1)
    _, own = jnp.frexp(left.mantissa)
    exponents = jnp.where((left.mantissa != 0) & present[None], own + right.exponent[None], lowest)
    highest = jnp.max(exponents, axis=1)
    highest = jnp.where(highest == lowest, 0, highest)
    shift = jnp.where(present[None], right.exponent[None] - highest[:, None], 0)
    # In two factors, as a shift can be twice the dtype's range.
    halves = (shift >> 1, shift - (shift >> 1))
    terms = left.mantissa
    for half in halves:
        terms = terms * power_of_two(half, terms.dtype)
    return normalized(terms @ right.mantissa, left.exponent + highest)


def aligned(matrix: ScaledMatrix) -> tuple[Float[Array, "rows columns"], Int[Array, ""]]:
    """One exponent for the whole matrix: `mantissa` and `exponent` with entries under 1.

    A row smaller than the largest by more than the dtype's range becomes 0, which changes a norm
    of the whole matrix by less than rounding.
    """
    shift, highest = relative_to_highest(jnp.any(matrix.mantissa != 0, axis=1), matrix.exponent)
    return matrix.mantissa * power_of_two(shift, matrix.mantissa.dtype)[:, None], highest


def relative_to_highest(
    present: Bool[Array, " rows"], exponent: Int[Array, " rows"]
) -> tuple[Int[Array, " rows"], Int[Array, ""]]:
    """Exponents less the highest of the rows present, and that one; 0 for a row that is not, and where none is."""
    lowest = jnp.iinfo(jnp.int32).min
    highest = jnp.max(jnp.where(present, exponent, lowest))
    highest = jnp.where(highest == lowest, 0, highest)
    return jnp.where(present, exponent - highest, 0), highest


def row_norms(matrix: ScaledMatrix) -> ScaledNumber:
    """Euclidean norm of each row, shape (rows,)."""
    squares = jnp.sum(jnp.square(at_least_float32(matrix.mantissa)), axis=1)
    return ScaledNumber(jnp.sqrt(squares), matrix.exponent)


def frobenius_norm(matrix: ScaledMatrix) -> ScaledNumber:
    """Frobenius norm, a scalar."""
    return norm_of(row_norms(matrix))


def norm_of(rows: ScaledNumber) -> ScaledNumber:
    """Euclidean norm of a vector of numbers, a scalar."""
    column, exponent = aligned(normalized(rows.mantissa[:, None], rows.exponent))
    return ScaledNumber(jnp.sqrt(jnp.sum(jnp.square(column))), exponent)


def spectral_norm(matrix: ScaledMatrix) -> ScaledNumber:
    """Largest singular value, by repeated squaring of the Gram matrix.

    With G = A A^T of n rows and m = 2**k, the Frobenius norm of G**m lies between s**(2m) and
    sqrt(n) s**(2m), s the largest singular value, whatever the others are: so k squarings give log s
    to ln(n) / 2**(k + 2). As many are taken as the dtype has bits. Each one's rounding counts
    2**-k-fold, so the result is as exact as an SVD's, needs matrix products only, and unlike power
    iteration knows no start that could miss the largest one.
    """
    mantissa, exponent = aligned(matrix)
    entries = at_least_float32(mantissa)
    squarings = -int(jnp.finfo(entries.dtype).machep) + 1

    def square(carry: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], None]:
        power, log_value, weight = carry
        size = jnp.sqrt(jnp.sum(jnp.square(power)))
        power = power / size
        return (power @ power, log_value + weight * jnp.log(size), weight / 2), None

    one = jnp.ones((), entries.dtype)
    with jax.default_matmul_precision("highest"):
        start = (entries @ entries.T, 0 * one, one / 2)
        (power, log_value, weight), _ = jax.lax.scan(square, start, length=squarings)
    log_value = log_value + weight * jnp.log(jnp.sqrt(jnp.sum(jnp.square(power))))
    is_zero = jnp.all(entries == 0)
    return ScaledNumber(jnp.where(is_zero, 0 * one, jnp.exp(log_value)), exponent)
