"""Remedies that change how a cell is connected over time: they put it, or every layer of a stack, into a wrapper."""

from jax.core import Tracer

from rnn_jax.cells.wrappers import AddedSkip, LayerNorm, Leaky, Skip
from rnn_jax.remedies.remedy import (
    Remedy,
    Strength,
    checked_strength,
    on_each_layer,
    one_per_strength,
    whole_number,
)


@one_per_strength
def layer_norm(gain: Strength = 1.0) -> Remedy:
    """Normalizes what a cell's state adds to its pre-activations: see `cells.LayerNorm`.

    Args:
        gain: with which each unit begins; it is trained. Positive.

    Raises:
        ValueError: the gain is not positive. In training: the cell is not elementwise.

    References:
        Ba, Kiros, Hinton 2016, arXiv 1607.06450.
    """
    checked_strength("gain", gain, above=0)
    return Remedy(
        "layer_norm", gain, adapt_cell=on_each_layer(lambda cell, key: LayerNorm.create(cell, gain))
    )


@one_per_strength
def leaky(leak: Strength = 0.1) -> Remedy:
    """Mixes the next state with the last, (1 - leak) s + leak cell(s, x): see `cells.Leaky`.

    Args:
        leak: in (0, 1]. It cannot be traced.

    Raises:
        ValueError: the leak does not lie in (0, 1].

    References:
        Jaeger, Lukosevicius, Popovici, Siewert 2007.
    """
    if isinstance(leak, Tracer):
        raise ValueError("leak must be a concrete number, got a traced one: it is no weight of the cell")
    checked_strength("leak", leak, above=0, at_most=1)
    return Remedy(
        "leaky", float(leak), adapt_cell=on_each_layer(lambda cell, key: Leaky.create(cell, float(leak)))
    )


@one_per_strength
def skip(delay: Strength = 4, gain: float | int = 1.0) -> Remedy:
    """Lets a cell's pre-activations read its output of `delay` steps before: see `cells.Skip`.

    Args:
        delay: a whole number of at least 1. It cannot be traced.
        gain: with which the connection's weights begin, sqrt(hidden_size) times their standard deviation;
            what the cell and the connection add to its pre-activations together is as large as the
            cell's part alone.

    Raises:
        ValueError: the delay is not a whole number of at least 1, or the gain is negative. In training:
            the cell is not elementwise; `added_skip` takes any.

    References:
        Lin, Horne, Tino, Giles 1996; Zhang et al. 2016, arXiv 1602.08210.
    """
    steps = whole_number("delay", delay)
    checked_strength("gain", gain, at_least=0)
    return Remedy(
        "skip",
        float(steps),
        adapt_cell=on_each_layer(lambda cell, key: Skip.create(cell, steps, key=key, gain=float(gain))),
    )


@one_per_strength
def added_skip(delay: Strength = 4, weight: float | int = 1.0) -> Remedy:
    """Adds the state of `delay` steps before to the next, past its nonlinearity: see `cells.AddedSkip`.

    Args:
        delay: a whole number of at least 1. It cannot be traced.
        weight: by which it is multiplied.

    Raises:
        ValueError: the delay is not a whole number of at least 1, or the weight is no number.

    References:
        Residual connections, as He et al. 2016, arXiv 1603.05027, have them over layers, over time.
    """
    steps = whole_number("delay", delay)
    checked_strength("weight", weight)
    return Remedy(
        "added_skip",
        float(steps),
        adapt_cell=on_each_layer(lambda cell, key: AddedSkip.create(cell, steps, float(weight))),
    )
