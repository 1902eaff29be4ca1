"""QR that can be differentiated backwards, also where several batches of it run at once."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.batching import one_at_a_time


@jax.custom_vjp
def qr(columns: Float[Array, "n k"]) -> tuple[Float[Array, "n k"], Float[Array, "k k"]]:
    """Q and R of columns = Q R, k at most n, as `jnp.linalg.qr`; of a batch by `jax.vmap`.

    On a CPU a batch is factorised one after the other, for the reason told at `one_at_a_time`, which has no
    derivative of its own. Where R is singular the derivative is not finite. There is none in forward mode:
    `jax.jvp` raises TypeError.

    References:
        The derivative: Walter & Lehmann 2010, Algorithmic differentiation of linear algebra functions with
        application in optimum experimental design, arXiv 1001.1654.
    """
    return one_at_a_time(lambda columns: tuple(jnp.linalg.qr(columns)))(columns)


def _forwards(columns: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    made = qr(columns)
    return made, made


def _backwards(made: tuple[Array, Array], cotangents: tuple[Array, Array]) -> tuple[Array]:
    (basis, upper), (by_basis, by_upper) = made, cotangents
    mixed = upper @ by_upper.T - by_basis.T @ basis
    lower = jnp.tril(mixed)
    symmetric = lower + jnp.tril(mixed, -1).T
    return (_divided(by_basis + basis @ symmetric, upper),)


def _divided(rows: Array, upper: Array) -> Array:
    """rows @ upper^-T."""

    def solve(rows: Array, upper: Array) -> Array:
        return jax.lax.linalg.triangular_solve(upper, rows, left_side=False, lower=False, transpose_a=True)

    return one_at_a_time(solve)(rows, upper)


qr.defvjp(_forwards, _backwards)
