"""What a remedy is, and several taken together."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, reduce, wraps
from typing import Any, ParamSpec

import jax
import numpy as np
import optax
from jax.core import Tracer
from jaxtyping import Array, Float

from rnn_jax.cells.stack import Stack
from rnn_jax.step import State
from rnn_jax.tasks.task import Batch, Task

P = ParamSpec("P")
_MOST_CACHED = 128

Strength = float | int | Array
"""A remedy's one number. It may be traced, where a remedy does not say that it may not."""

BatchStep = Callable[[State, Array, Array], State]
"""`(states, inputs, steps_left) -> states`: one step of all sequences of a batch, batch axis first.

`steps_left` is how many steps come after this one: 0 at the end of the sequence.
"""

Penalty = Callable[[Task, Any, Batch, Array], Array]
"""`(task, model, batch, key) -> scalar`, added to the task's loss in training."""


def on_each_layer(adapt: Callable[[Any, Array], Any]) -> Callable[[Any, Array], Any]:
    """A change `(cell, key) -> cell` that is made to every layer of a stack, each with a key of its own."""

    def adapted(cell: Any, key: Array) -> Any:
        if not isinstance(cell, Stack):
            return adapt(cell, key)
        layers = (adapted(each, jax.random.fold_in(key, place)) for place, each in enumerate(cell.layers))
        return replace(cell, layers=tuple(layers))

    return adapted


def _unchanged(optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
    return optimizer


@dataclass(frozen=True)
class Remedy:
    """A change meant to help a gradient to travel. `a + b` is both: see `combine`.

    Attributes:
        name: as it stands in suites and CSV files.
        strength: its one number, such as a threshold; None where it has none.
        adapt_optimizer: from the optimiser given to `train` to the one used.
        adapt_cell: `(cell, key) -> cell`, applied to every cell that `train` creates; None leaves it.
        adapt_step: from the `BatchStep` of the loop over time to the one that training goes through,
            forwards and backwards; evaluation goes through the cell as it is. None leaves it.
        penalty: added to the task's loss in training, never to a loss that is reported; None adds
            nothing.
        parts: what it is combined from; empty for a remedy of its own.
    """

    name: str
    strength: Any
    adapt_optimizer: Callable[[optax.GradientTransformation], optax.GradientTransformation] = field(
        default=_unchanged
    )
    adapt_cell: Callable[[Any, Array], Any] | None = None
    adapt_step: Callable[[BatchStep], BatchStep] | None = None
    penalty: Penalty | None = None
    parts: tuple["Remedy", ...] = ()

    def __add__(self, other: Any) -> Any:
        return combine(self, other) if isinstance(other, Remedy) else NotImplemented


def one_per_strength(make: Callable[P, Remedy]) -> Callable[P, Remedy]:
    """A maker of remedies that gives the same object for the same plain numbers.

    A remedy is functions, which are equal to none but themselves: so training with an equal one compiles nothing.
    """
    again = lru_cache(maxsize=_MOST_CACHED, typed=True)(make)

    @wraps(make)
    def made(*arguments: P.args, **named: P.kwargs) -> Remedy:
        plain = all(type(each) in (int, float) for each in (*arguments, *named.values()))
        return (again if plain else make)(*arguments, **named)

    return made


def none() -> Remedy:
    """No remedy: plain training."""
    return Remedy("none", None)


def combine(*remedies: Any) -> Remedy:
    """Several remedies as one, applied in the order given.

    A gradient passes the first one's change of the optimiser first, a cell its change of the cell;
    penalties add up. The name tells all parts with their strengths, such as
    "layer_norm(1)+clip_by_norm(0.5)", and the strength is None.

    Args:
        *remedies: made by `rnn_jax.remedies`; `none()` among them changes nothing.

    Returns:
        a `Remedy`; where only one is left, that one.

    Raises:
        TypeError: one is not a remedy.
    """
    for remedy in remedies:
        if not isinstance(remedy, Remedy):
            raise TypeError(
                f"remedies must be made by rnn_jax.remedies, such as clip_by_norm(1.0), got {remedy!r}"
            )
    parts = tuple(part for remedy in remedies for part in (remedy.parts or (remedy,)) if part.name != "none")
    try:
        return _cached_combination(parts)
    except TypeError:  # a strength that is an array cannot be hashed
        return _combined(parts)


def _combined(parts: tuple[Remedy, ...]) -> Remedy:
    if len(parts) < 2:
        return parts[0] if parts else none()
    steps = [part.adapt_step for part in parts if part.adapt_step is not None]
    penalties = [part.penalty for part in parts if part.penalty is not None]

    def adapt_cell(cell: Any, key: Array) -> Any:
        for index, part in enumerate(parts):
            if part.adapt_cell is not None:
                cell = part.adapt_cell(cell, jax.random.fold_in(key, index))
        return cell

    def penalty(task: Task, model: Any, batch: Batch, key: Array) -> Float[Array, ""]:
        terms = [
            each(task, model, batch, jax.random.fold_in(key, index)) for index, each in enumerate(penalties)
        ]
        return reduce(lambda left, right: left + right, terms)

    return Remedy(
        name="+".join(_label(part) for part in parts),
        strength=None,
        adapt_optimizer=lambda optimizer: reduce(
            lambda inner, part: part.adapt_optimizer(inner), reversed(parts), optimizer
        ),
        adapt_cell=adapt_cell if any(part.adapt_cell for part in parts) else None,
        adapt_step=(lambda step: reduce(lambda inner, adapt: adapt(inner), steps, step)) if steps else None,
        penalty=penalty if penalties else None,
        parts=parts,
    )


_cached_combination = lru_cache(maxsize=_MOST_CACHED)(_combined)


def _label(remedy: Remedy) -> str:
    if remedy.strength is None or isinstance(remedy.strength, Tracer):
        return remedy.name
    strength = float(remedy.strength)
    short = f"{strength:g}"
    return f"{remedy.name}({short if float(short) == strength else repr(strength)})"


def checked_strength(
    name: str,
    value: Any,
    *,
    above: float | int | None = None,
    at_least: float | int | None = None,
    at_most: float | int = float(np.finfo(np.float64).max),
) -> None:
    """Raises ValueError unless a number lies where it must; a traced one is taken as it is.

    Args:
        name: of the argument.
        value: the number.
        above: what it must be greater than.
        at_least: the least that it may be.
        at_most: the most that it may be.
    """
    if isinstance(value, Tracer):
        return
    try:
        number = float("no number" if isinstance(value, bool | str) else value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a number, got {value!r}") from error
    if math.isnan(number):
        raise ValueError(f"{name} must be a number, got nan")
    if above is not None and not number > above:
        raise ValueError(f"{name} must be {'positive' if above == 0 else f'above {above:g}'}, got {value}")
    if at_least is not None and not number >= at_least:
        raise ValueError(f"{name} must be at least {at_least:g}, got {value}")
    if not number <= at_most:
        limit = "finite" if at_most == np.finfo(np.float64).max else f"at most {at_most:g}"
        raise ValueError(f"{name} must be {limit}, got {value}")


def whole_number(name: str, value: Any, at_least: int = 1) -> int:
    """A concrete whole number, from an int or a float such as 4.0.

    Raises:
        ValueError: it is traced, not whole or too small.
    """
    if isinstance(value, Tracer):
        raise ValueError(f"{name} must be a concrete whole number, got a traced one: it fixes shapes")
    checked_strength(name, value)
    if not float(value).is_integer() or value < at_least:
        raise ValueError(f"{name} must be a whole number of at least {at_least}, got {value!r}")
    return int(value)
