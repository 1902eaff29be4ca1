"""Initial weights. Every draw is made in float32 and then cast, so each dtype starts from the same net."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from rnn_jax.batching import one_at_a_time
from rnn_jax.dtypes import is_real_number
from rnn_jax.keys import checked_key
from rnn_jax.whole_numbers import is_whole

INITIALIZATIONS = ("gaussian", "orthogonal", "identity", "sparse")
_INCOMING = 15
_SQUARINGS = 24


def recurrent_matrix(
    key: Array, hidden_size: int, initialization: str, gain: float, dtype: Any
) -> Float[Array, "hidden hidden"]:
    """A square recurrent matrix.

    Args:
        key: a random key; unused by "identity".
        hidden_size: its number of rows and columns n.
        initialization: "gaussian": entries N(0, gain**2 / n), spectral radius near `gain`;
            "orthogonal": gain times a Haar-distributed orthogonal matrix; "identity": gain times I;
            "sparse": 15 normal entries a row, all where n is less, the others zero, scaled to a spectral
            radius of `gain`.
        gain: the scale.
        dtype: of the result.

    Raises:
        ValueError: the initialization is unknown.

    References:
        gaussian: Sompolinsky, Crisanti, Sommers 1988. orthogonal: Saxe et al. 2014, arXiv
        1312.6120. identity: Le, Jaitly, Hinton 2015, arXiv 1504.00941. sparse: Martens 2010, Deep
        learning via Hessian-free optimization, section 5; scaled, as the "smart tanh" of Pascanu, Mikolov,
        Bengio 2013, arXiv 1211.5063, is.
    """
    checked_number("gain", gain)
    shape = (hidden_size, hidden_size)
    if initialization == "gaussian":
        matrix = jax.random.normal(key, shape, jnp.float32) / hidden_size**0.5
    elif initialization == "orthogonal":
        drawn = one_at_a_time(lambda key: jax.random.orthogonal(key, hidden_size, dtype=jnp.float32))
        matrix = drawn(key)
    elif initialization == "identity":
        matrix = jnp.eye(hidden_size, dtype=jnp.float32)
    elif initialization == "sparse":
        entry_key, place_key = jax.random.split(key)
        places = jnp.argsort(jax.random.uniform(place_key, shape, jnp.float32), axis=1)
        entries = jax.random.normal(entry_key, shape, jnp.float32)
        matrix = jnp.where(places < _INCOMING, entries, 0)
        matrix = matrix / _spectral_radius(matrix)
    else:
        raise ValueError(
            f"initialization must be one of {', '.join(INITIALIZATIONS)}, got {initialization!r}"
        )
    return (gain * matrix).astype(dtype)


def input_matrix(
    key: Array, hidden_size: int, input_size: int, dtype: Any, deviation: float | None = None
) -> Float[Array, "hidden input"]:
    """Input weights with entries N(0, deviation**2).

    Args:
        key: a random key.
        hidden_size, input_size: its numbers of rows and columns.
        dtype: of the result.
        deviation: 1 / sqrt(input_size) if None: unit-variance input drives each unit by N(0, 1).

    Raises:
        ValueError: the deviation is no finite number, or negative.
    """
    if deviation is not None:
        checked_number("input_deviation", deviation)
        if not isinstance(deviation, jax.Array) and deviation < 0:
            raise ValueError(f"input_deviation must be at least 0, got {deviation!r}")
    scale = max(input_size, 1) ** -0.5 if deviation is None else deviation
    return (scale * jax.random.normal(key, (hidden_size, input_size), jnp.float32)).astype(dtype)


def stacked_recurrent(
    key: Array, gates: int, hidden_size: int, initialization: str, gain: float, dtype: Any
) -> Float[Array, "gates_hidden hidden"]:
    """One independent recurrent matrix a gate, stacked, shape (gates * hidden_size, hidden_size)."""
    keys = jax.random.split(key, gates)
    return jnp.concatenate(
        [recurrent_matrix(each, hidden_size, initialization, gain, dtype) for each in keys]
    )


def uniform_matrix(key: Array, shape: tuple[int, ...], bound: float, dtype: Any) -> Array:
    """Entries uniform between -bound and bound."""
    return (bound * jax.random.uniform(key, shape, jnp.float32, -1, 1)).astype(dtype)


def normal_matrix(key: Array, shape: tuple[int, ...], deviation: float, dtype: Any) -> Array:
    """Entries N(0, deviation**2), whatever the shape."""
    return (deviation * jax.random.normal(key, shape, jnp.float32)).astype(dtype)


def log_uniform(key: Array, shape: tuple[int, ...], least: float, largest: float, dtype: Any) -> Array:
    """Logs of numbers between two positive ones, uniform."""
    low, high = math.log(least), math.log(largest)
    return (low + (high - low) * jax.random.uniform(key, shape, jnp.float32)).astype(dtype)


def inverse_softplus(values: Array) -> Array:
    """b with log(1 + exp(b)) = value, without overflow or cancellation."""
    return values + jnp.log(-jnp.expm1(-values))


def _spectral_radius(matrix: Float[Array, "n n"]) -> Float[Array, ""]:
    """The largest modulus of an eigenvalue, by Gelfand's formula: the limit of |A^m|^(1/m).

    m is a power of two, reached by squaring. Unlike an eigenvalue routine it runs on every device.
    """
    log_radius = jnp.zeros((), matrix.dtype)
    for squarings in range(_SQUARINGS):
        norm = jnp.linalg.norm(matrix)
        log_radius += jnp.log(norm) / 2**squarings
        matrix = matrix / norm
        matrix = jnp.matmul(matrix, matrix, precision="highest")
    return jnp.exp(log_radius)


def checked_arguments(input_size: Any, hidden_size: Any, key: Any) -> None:
    """Raises ValueError unless hidden_size is positive, input_size not negative, and key a random key."""
    for name, size in {"input_size": input_size, "hidden_size": hidden_size}.items():
        if not is_whole(size):
            raise ValueError(f"{name} must be a whole number, got {size!r}")
    if hidden_size < 1:
        raise ValueError(f"hidden_size must be positive, got {hidden_size}")
    if input_size < 0:
        raise ValueError(f"input_size must not be negative, got {input_size}; 0 makes a cell without input")
    checked_key(key)


def checked_range(
    name: str,
    value: Any,
    *,
    above: float | int | None = None,
    at_least: float | int | None = None,
    below: float | int | None = None,
    at_most: float | int | None = None,
) -> None:
    """Raises ValueError unless the value is a finite number within the bounds."""
    checked_number(name, value)
    bounds = {
        f"above {above}": above is None or value > above,
        f"at least {at_least}": at_least is None or value >= at_least,
        f"below {below}": below is None or value < below,
        f"at most {at_most}": at_most is None or value <= at_most,
    }
    wanted = [words for words in bounds if not words.endswith("None")]
    if not all(bounds.values()):
        raise ValueError(f"{name} must be {' and '.join(wanted)}, got {value!r}")


def checked_number(name: str, value: Any) -> None:
    """Raises ValueError unless the value is a finite number, or an array of none dimensions; a traced one cannot be looked at."""
    if isinstance(value, Tracer):
        return
    if not is_real_number(value) or not math.isfinite(float(value)):
        raise ValueError(f"{name} must be a finite number, got {value!r}")


def checked_uniform(name: str, initialization: str) -> None:
    """Raises ValueError unless the initialization is the one that the cell was published with."""
    if initialization != "uniform":
        raise ValueError(f"initialization of {name} must be 'uniform', got {initialization!r}; leave it out")


def no_recurrent_matrix(name: str, initialization: str, gain: float) -> None:
    """Raises ValueError where an initialization or a gain of a matrix is given to a cell that has none."""
    if initialization != "none" or gain != 1:
        raise ValueError(
            f"{name} has no recurrent matrix: initialization must be 'none' and gain 1, got {initialization!r} "
            f"and {gain!r}; leave them out"
        )


def checked_layers(layers: Any) -> tuple[Any, ...]:
    """The layers as a tuple; raises ValueError where there are none or one is not a cell."""
    found = tuple(layers)
    if not found:
        raise ValueError("layers must hold at least one cell, got none")
    for place, cell in enumerate(found):
        checked_cell(f"layers[{place}]", cell)
    return found


def checked_cell(name: str, cell: Any) -> None:
    """Raises ValueError where it is not a cell, of ours or one's own."""
    if not callable(cell) or not hasattr(cell, "initial_state") or not hasattr(cell, "output"):
        raise ValueError(f"{name} must be a cell with initial_state and output, got {type(cell).__name__}")
