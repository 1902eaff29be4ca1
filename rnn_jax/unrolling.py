"""How many steps of a loop over time are put into one turn of the compiled loop."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.devices import default_platform

_LIGHT, _MIDDLE, _HEAVY = 16, 8, 4
"""On an accelerator. A turn costs several launches of its own beside those of its steps, so what a
step launches few of is unrolled far, and what takes long to compile less far."""


def light_unroll() -> int:
    """For a loop whose step is a cell's own and nothing else: states along a sequence."""
    return _of_backend(_LIGHT)


def backpropagation_unroll(length: int) -> int:
    """For the loops of backpropagation through time over so many steps: an elementwise step and one product.

    On an H200 a training step of 400 steps, 128 units and a batch of 128 took 0.84 (tanh) and 0.78 (LSTM)
    of the time with `heavy_unroll`; twice as far gained nothing for the LSTM. What a loop leaves over is run
    after it, and all that was kept for the gradient is then copied to lie in a row: so a number of steps
    near it that divides the length is taken, where there is one.
    """
    wanted = _of_backend(_MIDDLE)
    return divisor_near(wanted, length) or wanted


def heavy_unroll() -> int:
    """For a loop whose step is a larger program: products that are measured."""
    return _of_backend(_HEAVY)


def traced_loop(count: Array, step: Callable[[Array, Any], Any], carry: Any) -> Any:
    """`jax.lax.fori_loop` of a traced number of steps from 0 on, on an accelerator some of them a turn.

    There the host decides after each turn whether there is another, and the device waits for it. A turn is a loop
    whose length is known, which needs no host.
    """
    at_once, turns = _of_backend(_MIDDLE), jnp.zeros_like(count)
    if at_once > 1:

        def several(turn: Array, carry: Any) -> Any:
            def one(place: Array, carry: Any) -> Any:
                return step(turn * at_once + place.astype(turn.dtype), carry)

            return jax.lax.fori_loop(0, at_once, one, carry)

        turns = jnp.maximum(count, 0) // at_once
        carry = jax.lax.fori_loop(0, turns, several, carry)
    return jax.lax.fori_loop(turns * at_once, count, step, carry)


def divisor_near(wanted: int, length: int) -> int | None:
    """The divisor of a length that is nearest to a number, from half of it to twice; None where there is none."""
    near = [steps for steps in range(-(-wanted // 2), 2 * wanted + 1) if length % steps == 0]
    return min(near, key=lambda steps: abs(steps - wanted), default=None)


def on_an_accelerator() -> bool:
    return default_platform() != "cpu"


def _of_backend(on_accelerators: int) -> int:
    """1 on a CPU.

    There a turn costs next to nothing: unrolled 4 or 16 times, trajectories and blocked chains took as
    long or longer, backpropagation through a GRU or LSTM two to three times as long, and compiling 2
    and up to 14 times.
    """
    return on_accelerators if on_an_accelerator() else 1
