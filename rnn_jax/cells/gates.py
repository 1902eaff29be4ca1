"""Gates: the rows of stacked pre-activations."""

import jax
from jaxtyping import Array, Float


def rows_of(stacked: Float[Array, "gates hidden"]) -> tuple[Float[Array, " hidden"], ...]:
    """The rows.

    Unpacked by Python it would be the same to look at. But the gradient of that is, for each row, an array of all gates
    that is zero elsewhere, and their sum; this one's is the rows' gradients put together.
    """
    return tuple(row[0] for row in jax.lax.split(stacked, (1,) * stacked.shape[0]))
