"""The reservoir of an echo state network."""

from typing import Any

from jaxtyping import Array

from rnn_jax.cells.elman import Elman
from rnn_jax.cells.wrappers import Leaky


def echo_state(
    input_size: int,
    hidden_size: int,
    *,
    key: Array,
    initialization: str = "sparse",
    gain: float = 0.9,
    leak: float = 0.3,
    input_deviation: float | None = None,
    dtype: Any = None,
) -> Leaky:
    """A reservoir of leaky integrators: h_t = (1 - leak) h_{t-1} + leak tanh(W h_{t-1} + W_xh x_t).

    Its recurrent matrix is sparse and scaled to a spectral radius under 1, the usual condition for old inputs
    to fade ("echo state property"). In an echo state network it is never trained, only a readout is; here
    nothing keeps `rnn_jax.train` from training it.

    Args:
        input_size: the number of inputs, 0 for an autonomous net.
        hidden_size: the number of units n.
        key: a random key.
        initialization: of W: "sparse", "gaussian", "orthogonal" or "identity".
        gain: its spectral radius, where it is sparse.
        leak: in (0, 1].
        input_deviation: standard deviation of W_xh; 1 / sqrt(input_size) if None.
        dtype: of the weights; JAX's default float if None.

    Raises:
        ValueError: a size, the key, the initialization or the leak is not allowed.

    References:
        Jaeger 2001, The "echo state" approach, GMD report 148; Jaeger, Lukosevicius, Popovici, Siewert 2007.
    """
    reservoir = Elman.create(
        input_size,
        hidden_size,
        key=key,
        activation="tanh",
        initialization=initialization,
        gain=gain,
        input_deviation=input_deviation,
        dtype=dtype,
    )
    return Leaky.create(reservoir, leak)
