"""What a chain starts from and what is measured of its product, whatever the order of multiplication."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.coordinates import ravel_reals
from rnn_jax.jacobian import scaled
from rnn_jax.jacobian.layout import Layout, layout_of
from rnn_jax.jacobian.scaled import ScaledMatrix, ScaledNumber
from rnn_jax.slopes import with_exact_slopes
from rnn_jax.step import State, Step

Measured = tuple[ScaledNumber, ScaledNumber | None, ScaledNumber | None]
"""Frobenius norm, spectral norm, norm of dy_T/dh_t; None where not asked for."""

ByRow = tuple[ScaledNumber, ScaledNumber | None]
"""Norms of rows; the spectral norm, None where not asked for."""


@dataclass(frozen=True)
class Measure:
    """Norms of a product whose rows are those of dh_T/dh_t, with those of dy_T/dh_t under them.

    Attributes:
        layout: how the rows are held.
        size: the number n of rows of dh_T/dh_t.
        has_output: whether there are more.
        spectral: whether the spectral norm is wanted.
    """

    layout: Layout
    size: int
    has_output: bool
    spectral: bool

    def identity(self, like: ScaledMatrix) -> ScaledMatrix:
        """The product of no factor, without the output's rows, of the dtype of another product."""
        return scaled.from_array(self.layout.identity(like.mantissa.dtype))

    def of_state(self, rows: Any) -> Any:
        """The rows of dh_T/dh_t alone."""
        return jax.tree.map(lambda leaf: leaf[: self.size], rows)

    def of_output(self, rows: Any) -> Any:
        """The rows of dy_T/dh_t alone."""
        return jax.tree.map(lambda leaf: leaf[self.size :], rows)

    def largest(self, product: ScaledMatrix) -> ScaledNumber | None:
        """The spectral norm, if it is wanted."""
        return self.layout.largest(self.of_state(product)) if self.spectral else None

    def __call__(self, product: ScaledMatrix) -> Measured:
        """All that is wanted of one product."""
        return self.of_rows(*self.by_row(product))

    def by_row(self, product: ScaledMatrix) -> ByRow:
        """What has to be read from a product itself."""
        return scaled.row_norms(product), self.largest(product)

    def of_rows(self, norms: ScaledNumber, largest: ScaledNumber | None) -> Measured:
        """All that is wanted, of the norms of a product's rows and its spectral norm."""
        output = scaled.norm_of(self.of_output(norms)) if self.has_output else None
        return scaled.norm_of(self.of_state(norms)), largest, output

    def of_group(
        self, squares: Float[Array, "steps rows"], exponent: Array, product: ScaledMatrix
    ) -> Measured:
        """All that is wanted at several steps that share one exponent a row; a spectral norm after one step only."""
        frobenius = _roots(self.of_state(squares.T).T, self.of_state(exponent))
        output = _roots(self.of_output(squares.T).T, self.of_output(exponent)) if self.has_output else None
        return frobenius, jax.tree.map(lambda norm: norm[None], self.largest(product)), output


def _roots(squares: Float[Array, "steps rows"], exponent: Array) -> ScaledNumber:
    present = squares[0] > 0
    shift, highest = scaled.relative_to_highest(present, exponent)
    weights = scaled.power_of_two(2 * shift, squares.dtype)
    mantissa = jnp.sqrt(jnp.matmul(squares, jnp.where(present, weights, 0), precision="highest"))
    return ScaledNumber(mantissa, jnp.broadcast_to(highest, mantissa.shape))


def start(
    step: Step, last: State, readout: Callable | None, *, spectral: bool
) -> tuple[ScaledMatrix, Measure]:
    """The identity, with dy_T/dh_T under it if a readout is given: one product pushes both."""
    coordinates, rebuild = ravel_reals(last)
    layout = layout_of(step, last)
    left = layout.identity(coordinates.dtype)
    size = left.shape[0]
    if readout is not None:
        kinds = {str(leaf.dtype) for leaf in jax.tree.leaves(jax.eval_shape(readout, last))}
        if not any(jnp.issubdtype(kind, jnp.inexact) for kind in kinds):
            raise ValueError(
                f"output must return floating numbers, which have a derivative, got {sorted(kinds)}"
            )
        exact = with_exact_slopes(lambda vector: ravel_reals(readout(rebuild(vector)))[0], coordinates)
        rows = jax.jacrev(exact)(coordinates)
        left = jnp.concatenate([left, layout.compressed(rows.astype(left.dtype))])
    return scaled.from_array(left), Measure(layout, size, readout is not None, spectral)
